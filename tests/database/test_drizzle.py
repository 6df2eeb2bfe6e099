"""Held against Drizzle itself, 0.45 and 1.0: the same database, and nothing left for it to do."""

from __future__ import annotations

import io
import json
import re
import secrets
import shlex
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from deploy.database.migrations.apply import Applier
from deploy.database.migrations.compare import compare
from deploy.database.migrations.failure import MigrationFailed
from deploy.database.migrations.folder import Folder, Format, read_folder
from deploy.database.migrations.recorded import Table, recorded
from deploy.database.migrations.script import Limits
from deploy.database.migrations.states import State, fit

from .conftest import asked, docker, have
from .migrations import shop_folder, v0, v1
from .shells import Near, Shells

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.remote.host import Result

pytestmark = pytest.mark.fleet

ORM = {Format.V0: "0.45.4", Format.V1: "1.0.0-rc.5"}
PG = "8.23.1"
MIGRATE = """
import {drizzle} from 'drizzle-orm/node-postgres';
import {migrate} from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
const [migrationsFolder, migrationsSchema, migrationsTable] = process.argv.slice(2);
const pool = new pg.Pool({connectionString: 'postgresql://shop:x@127.0.0.1/shop'});
await migrate(drizzle({client: pool}), {migrationsFolder, migrationsSchema, migrationsTable});
await pool.end();
"""


@dataclass(frozen=True)
class Drizzle:
    """A container beside the server, in which both versions of Drizzle are."""

    shells: Shells

    def migrate(
        self, version: Format, files: dict[str, bytes], table: Table | None = None
    ) -> Result:
        """Run the migrator of a version over a folder, as an application does when it starts."""
        table = table or Table()
        name = secrets.token_hex(4)
        words = ["node", f"/opt/{version}/migrate.mjs", f"/tmp/{name}", table.schema, table.name]
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for path, content in files.items():
                entry = tarfile.TarInfo(f"{name}/{path}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        return self.shells.run(f"tar -xC /tmp && {shlex.join(words)}", packed.getvalue())


@pytest.fixture(scope="session")
def drizzle(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Drizzle]:
    """Both versions, from the npm registry or npm's own cache."""
    assert shutil.which("npm"), "these tests need Node with npm"
    home = tmp_path_factory.mktemp("drizzle")
    name = f"{server}-drizzle"
    docker(
        *("run", "--detach", "--name", name, "--network", f"container:{server}"),
        *("--entrypoint", "sleep", have("localhost:5050/node:20"), "3600"),
    )
    try:
        for version, orm in ORM.items():
            place = home / version
            place.mkdir()
            (place / "package.json").write_text('{"private": true}')
            (place / "migrate.mjs").write_text(MIGRATE)
            flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--legacy-peer-deps"]
            done = subprocess.run(
                ["npm", "install", "--prefer-offline", *flags, f"drizzle-orm@{orm}", f"pg@{PG}"],
                cwd=place,
                capture_output=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stderr.decode()
            docker("cp", str(place), f"{name}:/opt/{version}")
        shells = Shells(name)
        yield Drizzle(shells)
        shells.close()
    finally:
        docker("rm", "--force", name)


def headway(postgres: Near, files: dict[str, bytes], table: Table | None = None) -> Folder:
    """Apply what is pending, as a deploy does."""
    folder = read_folder(files)
    standing = compare(folder, recorded(postgres, table))
    applier = Applier(postgres, Limits(5, 60), table=table or Table())
    applier.apply(fit(standing), form=folder.format, names=standing.names)
    assert fit(compare(folder, recorded(postgres, table))) == []
    return folder


ROWS = "select id, hash, created_at from drizzle.__drizzle_migrations order by id"
NAMED = (
    "select id, hash, created_at, name, applied_at is null from drizzle.__drizzle_migrations"
    " order by id"
)


CLOCK = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+\d\d")


def left(postgres: Near, version: Format) -> tuple[list[str], str]:
    """Drizzle's rows, and all else: the schema with Drizzle's own, and every other row.

    A row of Drizzle 1 says when it was written; so do others, by a default. Both are by the clock.
    """
    rows = asked(postgres, ROWS if version is Format.V0 else NAMED)
    words = "--exclude-table-data=drizzle.__drizzle_migrations --username shop shop"
    done = postgres.shells.run(f"exec pg_dump {words}")
    assert done.exit_code == 0, done.stderr.decode()
    # A random word, against tables whose content looks like psql's commands.
    text = re.sub(r"^\\(un)?restrict \w+$", "", done.text, flags=re.MULTILINE)
    return rows, CLOCK.sub("then", text)


def empty(postgres: Near) -> None:
    asked(postgres, "drop schema drizzle cascade; drop schema public cascade; create schema public")


BREAK = "--> statement-breakpoint\n"
SAYS = "create table said as select query from pg_stat_activity where pid = pg_backend_pid();"
MANY = {
    "_types": f"CREATE TYPE \"public\".\"mood\" AS ENUM('ok', 'it''s ä€');{BREAK}"
    'CREATE TABLE "a" ("id" serial PRIMARY KEY, "m" "mood" DEFAULT \'ok\' NOT NULL);\r\n',
    "_more": f'CREATE TABLE "b" ("id" uuid DEFAULT gen_random_uuid(), "a" int);{BREAK}{BREAK}'
    'ALTER TABLE "b" ADD CONSTRAINT "f" FOREIGN KEY ("a") REFERENCES "a"("id");\n'
    'CREATE INDEX "i" ON "b" USING btree ("a");',
    "_odd": "create table odd (a text default ':DBNAME \\q $1 $hw$', b int[]);\n"
    "select ('{1,2}'::int[])[1:2];\n"
    f"create view v as select ':x'::text as x;{BREAK}"
    "do $$ begin alter table a add n int; exception when duplicate_column then null; end $$;"
    f"{BREAK}create function g() returns int language sql as $f$ select 1 $f$;{BREAK}"
    f"{SAYS}{BREAK}-- the end",
    "_rows": BREAK.join(
        (
            "insert into a (m) select 'ok' from generate_series(1, 3);",
            "insert into odd values (':x \\q $1 it''s \\ ä', '{1,NULL}'), (default, null);",
            "update a set n = id * 7 where id > 1; delete from a where id = 2;",
        )
    ),
    "_empty": "-- Custom SQL migration file, put your code below! --",
}
ROW = ":x \\\\q $1 it's \\\\ ä\t{1,NULL}\n"
FOLDERS = {
    "the shop, v0": (Format.V0, shop_folder(), "\tdemo@shop.example\tscrypt$"),
    "many things, v0": (Format.V0, v0(**MANY), ROW),
    "many things, v1": (Format.V1, v1(**MANY), ROW),
}
"""A folder, and a part of a row that it leaves, as pg_dump writes it."""


@pytest.mark.parametrize(("version", "files", "row"), FOLDERS.values(), ids=FOLDERS)
def test_ours_and_drizzles_are_equal(
    postgres: Near, drizzle: Drizzle, version: Format, files: dict[str, bytes], row: str
) -> None:
    done = drizzle.migrate(version, files)
    assert done.exit_code == 0, done.stderr.decode()
    theirs = left(postgres, version)
    assert row in theirs[1]
    said = asked(postgres, "select to_regclass('said') is not null")
    texts = asked(postgres, "select query from said") if said == ["t"] else []
    folder = read_folder(files)
    assert fit(compare(folder, recorded(postgres))) == []
    assert len(theirs[0]) == len(folder.migrations)
    empty(postgres)
    headway(postgres, files)
    assert left(postgres, version) == theirs
    # Each piece reached the server as the same query.
    assert (asked(postgres, "select query from said") if said == ["t"] else []) == texts
    # And Drizzle, on top of it, finds nothing to do.
    before = asked(postgres, "select * from drizzle.__drizzle_migrations")
    done = drizzle.migrate(version, files)
    assert done.exit_code == 0, done.stderr.decode()
    assert asked(postgres, "select * from drizzle.__drizzle_migrations") == before
    assert left(postgres, version) == theirs


def test_one_by_one_and_in_turns(postgres: Near, drizzle: Drizzle) -> None:
    """Ours, then theirs, then ours: each goes on where the other has stopped."""
    for version, make in ((Format.V0, v0), (Format.V1, v1)):
        for count in range(1, len(MANY) + 1):
            files = make(**dict(list(MANY.items())[:count]))
            if count % 2:
                headway(postgres, files)
            else:
                assert drizzle.migrate(version, files).exit_code == 0
        assert len(recorded(postgres).rows) == len(MANY)
        assert len(compare(read_folder(make(**MANY)), recorded(postgres)).judged) == len(MANY)
        empty(postgres)


@pytest.mark.parametrize("version", list(Format))
def test_a_table_of_another_name(postgres: Near, drizzle: Drizzle, version: Format) -> None:
    table = Table("public", 'my "migrations"')
    files = (v0 if version is Format.V0 else v1)(_a="create table a ()")
    headway(postgres, files, table)
    before = recorded(postgres, table)
    assert drizzle.migrate(version, files, table).exit_code == 0
    assert recorded(postgres, table) == before
    assert len(before.rows) == 1


def converted(times: list[int], **files: str) -> dict[str, bytes]:
    """A v0 folder with these times, as `drizzle-kit up` makes it a v1 folder."""
    found = {}
    for when, (name, text) in zip(times, files.items(), strict=True):
        stamp = datetime.fromtimestamp(when / 1000, UTC).strftime("%Y%m%d%H%M%S")
        found[f"{stamp}{name}/migration.sql"] = text.encode()
    return found


def journal(times: list[int], **files: str) -> dict[str, bytes]:
    entries = [
        {"tag": tag, "when": when, "idx": number, "version": "7", "breakpoints": True}
        for number, (when, tag) in enumerate(zip(times, files, strict=True))
    ]
    contents = {f"{tag}.sql": text.encode() for tag, text in files.items()}
    return {"meta/_journal.json": json.dumps({"entries": entries}).encode(), **contents}


THREE = {"_a": "create table a ()", "_b": "create table b ()", "_c": "create table c ()"}
TIMES = [1767323045123, 1767323046456, 1767323099789]


def test_a_table_of_drizzle_0_is_lifted_as_drizzle_1_does(postgres: Near, drizzle: Drizzle) -> None:
    first = dict(list(THREE.items())[:2])

    def begin() -> None:
        assert drizzle.migrate(Format.V0, journal(TIMES[:2], **first)).exit_code == 0

    begin()
    files = converted(TIMES, **THREE)
    done = drizzle.migrate(Format.V1, files)
    assert done.exit_code == 0, done.stderr.decode()
    theirs = left(postgres, Format.V1)
    assert [line.rpartition("|")[2] for line in theirs[0]] == ["t", "t", "f"]
    empty(postgres)
    begin()
    headway(postgres, files)
    assert left(postgres, Format.V1) == theirs
    assert drizzle.migrate(Format.V1, files).exit_code == 0
    assert left(postgres, Format.V1) == theirs


def states(postgres: Near, files: dict[str, bytes]) -> list[State]:
    return [one.state for one in compare(read_folder(files), recorded(postgres)).judged]


def test_what_drizzle_does_silently_is_told(postgres: Near, drizzle: Drizzle) -> None:
    """It reports success each time, and the file's table is not there."""
    headway(postgres, journal([TIMES[0], TIMES[2]], _a=THREE["_a"], _c=THREE["_c"]))
    late = journal(TIMES, **THREE)
    assert states(postgres, late) == [State.APPLIED, State.SKIPPED, State.APPLIED]
    assert drizzle.migrate(Format.V0, late).exit_code == 0
    assert asked(postgres, "select to_regclass('b') is null") == ["t"]
    edited = journal([TIMES[0]], _a="create table a (); create table edited ()")
    assert states(postgres, edited) == [State.EDITED, State.ORPHAN]
    assert drizzle.migrate(Format.V0, edited).exit_code == 0
    assert asked(postgres, "select to_regclass('edited') is null") == ["t"]
    moved = journal([TIMES[0], TIMES[2] + 1], _a=THREE["_a"], _c=THREE["_c"])
    assert states(postgres, moved) == [State.APPLIED, State.AGAIN]
    done = drizzle.migrate(Format.V0, moved)
    assert b'relation "c" already exists' in done.stderr


def test_the_old_image_on_a_table_of_drizzle_1(postgres: Near, drizzle: Drizzle) -> None:
    """Why it is refused: what Drizzle 0.x writes there, Drizzle 1 runs again."""
    first = dict(list(THREE.items())[:2])
    headway(postgres, converted(TIMES[:2], **first))
    old = journal(TIMES, **THREE)
    assert State.FORMAT in states(postgres, old)
    # The two rows have whole seconds, so that even the second would be run again.
    asked(postgres, "update drizzle.__drizzle_migrations set created_at = created_at + 999")
    assert drizzle.migrate(Format.V0, old).exit_code == 0
    new = converted(TIMES, **THREE)
    assert states(postgres, new) == [State.APPLIED, State.APPLIED, State.AGAIN]
    assert b'relation "c" already exists' in drizzle.migrate(Format.V1, new).stderr
    # As the mend says.
    (wrong,) = compare(read_folder(new), recorded(postgres)).wrong
    asked(postgres, wrong.mend.partition("writes it: ")[2])
    assert states(postgres, new) == [State.APPLIED] * 3
    assert drizzle.migrate(Format.V1, new).exit_code == 0


def test_a_table_with_a_row_that_has_no_file_is_not_lifted(
    postgres: Near, drizzle: Drizzle
) -> None:
    assert drizzle.migrate(Format.V0, journal(TIMES, **THREE)).exit_code == 0
    files = converted([TIMES[0], TIMES[1], TIMES[2] + 9000], **{**THREE, "_c": "create table d ()"})
    assert states(postgres, files) == [State.APPLIED, State.APPLIED, State.PENDING, State.ORPHAN]
    assert b"do not match any local migration" in drizzle.migrate(Format.V1, files).stderr
    # Nor by ours, if somebody comes to it past what `judge` says.
    standing = compare(read_folder(files), recorded(postgres))
    before = left(postgres, Format.V0)
    with pytest.raises(MigrationFailed, match="a row belongs to no migration of the image"):
        Applier(postgres, Limits(5, 60)).apply(
            standing.pending, form=Format.V1, names=standing.names
        )
    assert left(postgres, Format.V0) == before


def test_nothing_of_drizzle_0_is_written_into_a_table_of_drizzle_1(postgres: Near) -> None:
    headway(postgres, v1(**THREE))
    before = left(postgres, Format.V1)
    with pytest.raises(MigrationFailed, match="the table of migrations is Drizzle 1's") as caught:
        Applier(postgres, Limits(5, 60)).apply(
            read_folder(v0(d="create table d ()")).migrations, form=Format.V0
        )
    assert caught.value.now.as_before is True
    assert left(postgres, Format.V1) == before

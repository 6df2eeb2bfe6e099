"""Migrations applied by drizzle-kit and by others, against a real PostgreSQL: the rows decide."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from deploy.database.command.failure import CommandNotBelieved
from deploy.database.migrations.compare import compare
from deploy.database.migrations.folder import read_folder
from deploy.database.migrations.recorded import recorded
from deploy.errors import NeedsPerson, Refused
from deploy.steps.command import Commanded
from tests.database.conftest import asked
from tests.database.migrations import v0

from .conftest import URL, Application
from .project import Heard, Project

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.database.migrations.folder import Migration
    from tests.database.shells import Near

pytestmark = pytest.mark.fleet

MIGRATE = "cd /app && npx drizzle-kit migrate"
FILES = {
    "0000_a": "create table users (id serial primary key, name text);",
    "0001_b": "alter table users add column mail text;",
}
RESTORE = "inv restore.production shop-20261124-201155"


def folder(**more: str) -> dict[str, bytes]:
    """An application's folder, as drizzle-kit reads it."""
    files = v0(**{**FILES, **more})
    journal = json.loads(files["meta/_journal.json"])
    for number, entry in enumerate(journal["entries"]):
        entry |= {"idx": number, "version": "7", "breakpoints": True}
    journal |= {"version": "7", "dialect": "postgresql"}
    return files | {"meta/_journal.json": json.dumps(journal).encode()}


def step(
    project: Project,
    postgres: Access,
    files: dict[str, bytes],
    text: str = MIGRATE,
    *,
    timeout: float = 60,
    fresh: bool = False,
) -> Commanded:
    found = read_folder(files)
    names = [one.name for one in compare(found, recorded(postgres)).pending]
    command = project.command(text, timeout)
    return Commanded(
        found, names, postgres, command, "d-1.migrate", way_back=lambda: RESTORE, fresh=fresh
    )


def by_node(sql: str) -> str:
    """A command that runs SQL by the driver, as an application's own migrator does."""
    code = "const pg = require('pg'); (async () => { const c = new pg.Client({connectionString: "
    code += f"process.env.DATABASE_URL}}); await c.connect(); await c.query({json.dumps(sql)}); "
    code += "await c.end(); })().catch((e) => { console.error(e.message); process.exit(1); })"
    run = "NODE_PATH=/app/node_modules node /tmp/run.cjs"
    return f"cat >/tmp/run.cjs <<'END'\n{code}\nEND\n{run}"


def test_drizzle_kit_migrates(application: Application, postgres: Near, service: Access) -> None:
    files, heard = folder(), Heard()
    one = step(application(files), service, files, fresh=True)
    assert one.do(heard) == "0000_a, 0001_b"
    assert heard == [(f"applying 0000_a, 0001_b by {MIGRATE}", False)]
    assert compare(read_folder(files), recorded(postgres)).pending == []
    assert asked(postgres, "select count(mail) from users") == ["0"]
    assert one.undo(heard) == "left as it is: the version before can live with it"
    # Once more there is nothing to run, not even the command.
    again = step(application(files), postgres, files, "exit 9")
    assert again.do(heard) == "applied already"
    assert len(heard) == 1


def row(one: Migration) -> str:
    """The SQL for what Drizzle writes when it has applied a file."""
    values = f"values ('{one.hash}', {one.when})"
    return f"insert into drizzle.__drizzle_migrations (hash, created_at) {values}"


FAILING = "insert into users (id, nothing) values (1, 2);"
NOT_DONE = {
    "exit 0 and nothing done": ("true", "ended with exit code 0", ""),
    "no command": ("no-such-thing", "ended with exit code 127", "no-such-thing"),
    # drizzle-kit 0.31 says nothing at all of what went wrong.
    "drizzle-kit": (MIGRATE, "ended with exit code 1", "drizzle.config.js"),
    "too slow": (by_node("begin; create table t (); select pg_sleep(60)"), "did not end", ""),
}


@pytest.mark.parametrize(("text", "how", "said"), NOT_DONE.values(), ids=NOT_DONE)
def test_what_leaves_everything_as_it_was(
    application: Application, postgres: Near, text: str, how: str, said: str
) -> None:
    files = folder(z=FAILING)
    timeout = 3 if how == "did not end" else 60
    one = step(application(files), postgres, files, text, timeout=timeout)
    with pytest.raises(CommandNotBelieved) as caught:
        one.do(Heard())
    assert f"the command {how}" in caught.value.message
    assert "the database says not applied: 0000_a, 0001_b, z" in caught.value.message
    assert said in caught.value.state
    assert "Applied: none. Not applied: 0000_a, 0001_b, z.\nThe schema is as before." in (
        caught.value.state
    )
    assert one.undo(Heard()) == "", "exit 4: nothing is to be put back"
    assert asked(postgres, "select to_regclass('t') is null, to_regclass('users') is null") == [
        "t|t"
    ]


def test_one_that_says_no_and_has_done_it_all_passes_with_a_warning(
    application: Application, postgres: Near
) -> None:
    files, heard = folder(), Heard()
    one = step(application(files), postgres, files, f"{MIGRATE}; exit 3")
    assert one.do(heard) == "0000_a, 0001_b"
    assert heard[-1] == (
        "the command ended with exit code 3, and has applied everything",
        True,
    )


def test_a_table_that_no_migration_has_made_is_told(
    application: Application, postgres: Near
) -> None:
    files = folder()
    text = by_node("create table half (id int)")
    one = step(application(files), postgres, files, text)
    with pytest.raises(CommandNotBelieved, match="ended with exit code 0, and the database says"):
        one.do(Heard())
    with pytest.raises(NeedsPerson, match="the schema is not as it was before") as stuck:
        one.undo(Heard())
    assert "Applied: none. Not applied: 0000_a, 0001_b." in stuck.value.state
    assert "+ table half:" in stuck.value.state
    assert stuck.value.mend == RESTORE
    asked(postgres, "drop table half")


def test_the_first_file_alone_is_told(application: Application, postgres: Near) -> None:
    files = folder()
    (first, _) = read_folder(files).migrations
    text = by_node(
        f"{first.sql} create schema drizzle; create table drizzle.__drizzle_migrations "
        f"(id serial primary key, hash text not null, created_at bigint); {row(first)}"
    )
    one = step(application(files), postgres, files, f"{text}; exit 1")
    with pytest.raises(CommandNotBelieved, match="the database says not applied: 0001_b"):
        one.do(Heard())
    with pytest.raises(NeedsPerson) as stuck:
        one.undo(Heard())
    assert "Applied: 0000_a. Not applied: 0001_b." in stuck.value.state
    assert stuck.value.mend == RESTORE


def test_rows_that_are_wrong_are_found(application: Application, postgres: Near) -> None:
    """Two migrators at once write a row twice, and drizzle-kit says that all is well."""
    files = folder()
    (first, _) = read_folder(files).migrations
    text = f"({MIGRATE}) && {by_node(row(first))}"
    one = step(application(files), postgres, files, text)
    with pytest.raises(CommandNotBelieved, match=r"says 0000_a\.sql: applied twice"):
        one.do(Heard())
    with pytest.raises(NeedsPerson):
        one.undo(Heard())


def test_it_waits_for_no_lock_longer_than_the_settings_say(
    application: Application, postgres: Near
) -> None:
    """drizzle-kit sets no lock_timeout, and the site would stand behind it."""
    files = folder()
    project = application(files)
    asked(postgres, FILES["0000_a"])
    held = threading.Thread(
        target=asked,
        args=(postgres, "begin; select from users; select pg_sleep(20); rollback"),
    )
    held.start()
    time.sleep(1)
    one = step(project, postgres, folder(), by_node(FILES["0001_b"]))
    began = time.monotonic()
    with pytest.raises(CommandNotBelieved) as caught:
        one.do(Heard())
    assert "canceling statement due to lock timeout" in caught.value.state
    assert time.monotonic() - began < 18
    held.join()
    assert one.undo(Heard()) == ""


def test_a_database_that_is_gone_afterwards_leaves_it_unknown(
    application: Application, postgres: Near
) -> None:
    files = folder()
    one = step(application(files), postgres, files, "exit 1")

    class Gone:
        """The same server, until the command has run."""

        host = postgres.host
        asked = 0

        def psql(self, sql: str, *, timeout: float, doing: str, changes: bool = False) -> str:
            self.asked += 1
            if self.asked > 2:
                return postgres.psql("no sql", timeout=timeout, doing=doing)
            return postgres.psql(sql, timeout=timeout, doing=doing)

    pauses: list[float] = []
    lost = Commanded(
        *(one.folder, one.names, Gone(), one.command, one.token),
        way_back=lambda: RESTORE,
        sleep=pauses.append,
    )
    with pytest.raises(CommandNotBelieved, match="ended with exit code 1") as caught:
        lost.do(Heard())
    assert "What is applied is not known: the database cannot be asked." in caught.value.state
    assert pauses == [0, 1, 2, 4, 8]
    with pytest.raises(NeedsPerson, match="nobody knows") as stuck:
        lost.undo(Heard())
    assert stuck.value.mend == RESTORE


def test_what_nobody_has_judged_is_not_applied_along(
    application: Application, postgres: Near
) -> None:
    files = folder()
    one = step(application(files), postgres, files)
    less = Commanded(one.folder, ["0000_a"], postgres, one.command, one.token)
    with pytest.raises(Refused, match="would apply 0001_b too"):
        less.do(Heard())
    assert recorded(postgres).rows == ()
    # And where there was nothing to look at, there may be nothing.
    step(application(files), postgres, files).do(Heard())
    fresh = Commanded(one.folder, one.names, postgres, one.command, one.token, fresh=True)
    with pytest.raises(Refused, match="is not new"):
        fresh.do(Heard())


def test_the_url_is_not_shown(application: Application, postgres: Near) -> None:
    files = folder()
    project = application(files)
    project.url("postgres://shop:hunter2@nowhere/shop")
    one = step(project, postgres, files, 'echo "at $DATABASE_URL"; exit 1')
    with pytest.raises(CommandNotBelieved) as caught:
        one.do(Heard())
    assert "at ********" in caught.value.state
    assert "hunter2" not in str(caught.value)
    assert URL not in str(caught.value)

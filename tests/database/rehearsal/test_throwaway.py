"""A throw-away server is like the real one, bounded, and leaves the real one alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.database.access import Access, by_url
from deploy.database.backup.backups import Backups
from deploy.database.migrations.recorded import recorded
from deploy.database.rehearsal.bounds import Bounds
from deploy.database.rehearsal.source import Data, SchemaOnly, Source
from deploy.database.rehearsal.throwaway import throwaway
from deploy.errors import CommandFailed, Refused
from deploy.settings.secret import Secret
from tests.backup.conftest import CLIENT, NAMES, PASSWORD, VERSIONS, Heard, Server, asked
from tests.backup.test_access import Watch
from tests.database.conftest import docker
from tests.localhost import LocalHost

from .conftest import BOUNDS, everything, servers

if TYPE_CHECKING:
    from deploy.database.backup.manifest import Manifest
    from tests.database.shells import Near

pytestmark = pytest.mark.fleet


def dumped(access: Access, *options: str) -> str:
    """What pg_dump says of a database, as its superuser, without the key of this dump."""
    container, database = access.settings["container"], access.settings["database"]
    words = ["exec", container, "pg_dump", "-U", "shop", "-d", database, "-C", *options]
    lines = docker(*words).splitlines()
    return "\n".join(one for one in lines if not one.startswith(("\\restrict", "\\unrestrict")))


@pytest.mark.parametrize("rich", VERSIONS, indirect=True, ids=NAMES)
@pytest.mark.parametrize("way", ["backups", "by_url"])
def test_a_backup_comes_back_whole(
    way: str, request: pytest.FixtureRequest, rich: Server, database: str
) -> None:
    real = rich.access(database)
    everything(real, database)
    backups: Backups = request.getfixturevalue(way)
    made: Manifest = request.getfixturevalue("made")
    before = dumped(real)
    heard = Heard()
    with throwaway(backups, Data(made), BOUNDS, say=heard) as server:
        assert dumped(server.superuser) == before
        assert [(row.hash, row.when) for row in recorded(server).rows] == [("one", 1), ("two", 2)]
        sql = "select current_database(), current_user, current_setting('statement_timeout')"
        assert server.psql(sql, timeout=30, doing="asked").split() == [f"{database}|shop|123s"]
        # No statistics, no plan that is like the real one's.
        rows = "select reltuples::int from pg_class where relname = 'big'"
        assert asked(server.superuser, rows) == ["200000"]
        # Whatever is done there is done there alone.
        asked(server.superuser, "set default_transaction_read_only = off; drop table big cascade")
    assert dumped(real) == before
    assert servers() == set()
    assert [one for one in heard.lines if one.startswith("!")] == []
    # The backup's manifest says so, on the disk too.
    assert server.manifest is not None
    assert server.manifest.proof == "restored"
    assert backups.find(made.name).body == server.manifest.body
    restored = server.manifest.body["restored"]
    assert (restored["ok"], restored["seconds"]) == (True, server.seconds)
    assert made.proof == "decoded"


@pytest.mark.parametrize("way", ["backups", "by_url"])
def test_the_schema_alone(
    way: str, request: pytest.FixtureRequest, rich: Server, database: str
) -> None:
    real = rich.access(database)
    everything(real, database)
    backups: Backups = request.getfixturevalue(way)
    before = dumped(real)
    with throwaway(backups, SchemaOnly(), BOUNDS, say=Heard()) as server:
        assert dumped(server.superuser, "--schema-only") == dumped(real, "--schema-only")
        counts = "select count(*) from big; select count(*) from small; select rows from sums"
        assert asked(server.superuser, counts) == ["0", "0", "0"]
        assert [(row.hash, row.when) for row in recorded(server).rows] == [("one", 1), ("two", 2)]
        # The next row gets the next number.
        insert = "insert into drizzle.__drizzle_migrations (hash, created_at) values ('x', 3)"
        last = "select max(id) from drizzle.__drizzle_migrations"
        asked(server.superuser, f"set default_transaction_read_only = off; {insert}")
        assert asked(server.superuser, last) == ["3"]
        assert server.manifest is None
    assert dumped(real) == before


def test_without_drizzle_there_are_no_rows(backups: Backups) -> None:
    asked(backups.access, "drop schema drizzle cascade")
    with throwaway(backups, SchemaOnly(), BOUNDS, say=Heard()) as server:
        assert recorded(server).rows == ()
        assert asked(server.access, "select count(*) from big") == ["0"]


def test_of_a_service(postgres: Near, service: Access, tmp_path: Path) -> None:
    asked(postgres, "create table one (id int)")
    backups = Backups(service, str(tmp_path), timeout=60)
    with throwaway(backups, SchemaOnly(), BOUNDS, say=Heard()) as server:
        assert asked(server.access, "select count(*) from one") == ["0"]
        assert server.image.startswith("sha256:")


def inspected(container: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(docker("inspect", container))[0]
    return found


def test_its_bounds_are_kept_by_docker(backups: Backups) -> None:
    bounds = Bounds(memory=300_000_000, seconds=60, linger=1)
    with throwaway(backups, SchemaOnly(), bounds, say=Heard()) as server:
        found = inspected(server.container)
        links = docker("exec", server.container, "sh", "-c", "cat /proc/net/dev")
        shared = asked(server.superuser, "show shared_buffers; show fsync; show listen_addresses")
    host = found["HostConfig"]
    assert isinstance(host, dict)
    expected = {
        "NetworkMode": "none",
        "AutoRemove": True,
        "Memory": 300_000_000 // 1024 * 1024,
        "MemorySwap": 300_000_000 // 1024 * 1024,
        "OomScoreAdj": 900,
        "CapDrop": ["ALL"],
        "Binds": None,
        "PortBindings": {},
        "PublishAllPorts": False,
        "Privileged": False,
        "LogConfig": {"Type": "none", "Config": {}},
    }
    assert {key: host[key] for key in expected} == expected
    assert [line.split(":")[0].strip() for line in links.splitlines()[2:]] == ["lo"]
    assert shared[1:] == ["off", "127.0.0.1"]
    image = docker("inspect", "-f", "{{.Image}}", backups.access.settings["container"])
    assert found["Image"] == image


def test_roles_come_without_passwords(rich: Server, backups: Backups, database: str) -> None:
    everything(backups.access, database)
    roles = """select rolname, rolsuper, rolinherit, rolcreatedb, rolconfig from pg_roles
               where rolname !~ '^pg_' order by 1;
               select roleid::regrole, member::regrole, to_jsonb(m) - 'oid' - 'roleid' - 'member'
                      - 'grantor' from pg_auth_members m order by 1, 2"""
    with throwaway(backups, SchemaOnly(), BOUNDS, say=Heard()) as server:
        assert asked(server.superuser, roles) == asked(rich.access("postgres"), roles)
        login = "select rolname from pg_authid where rolcanlogin order by 1"
        assert asked(server.superuser, login) == ["shop"]
        passwords = "select count(*) from pg_authid where rolpassword is not null"
        assert asked(server.superuser, passwords) == ["0"]


def test_a_role_that_only_the_dump_still_names(
    rich: Server, backups: Backups, request: pytest.FixtureRequest
) -> None:
    asked(
        backups.access,
        'create role "Gone by now"; create role gone_too; grant select on big to gone_too; '
        'alter table small owner to "Gone by now"',
    )
    made = request.getfixturevalue("made")
    asked(
        backups.access,
        'reassign owned by "Gone by now" to shop; drop owned by gone_too; '
        'drop role "Gone by now"; drop role gone_too',
    )
    with throwaway(backups, Data(made), BOUNDS, say=Heard()) as server:
        owner = "select relowner::regrole from pg_class where relname = 'small'"
        assert asked(server.superuser, owner) == ['"Gone by now"']
        reads = "select has_table_privilege('gone_too', 'big', 'select')"
        assert asked(server.superuser, reads) == ["t"]


@pytest.mark.parametrize("kind", [Data, SchemaOnly])
def test_an_extension_that_the_image_lacks(
    kind: type, backups: Backups, request: pytest.FixtureRequest
) -> None:
    """As where somebody has installed one by hand in the running container."""
    folder = "/usr/share/postgresql/17/extension"
    make = f"""echo "default_version = '1'" >{folder}/homemade.control
        echo 'select 1;' >{folder}/homemade--1.sql"""
    docker("exec", backups.access.settings["container"], "sh", "-c", make)
    asked(backups.access, "create extension homemade")
    made = request.getfixturevalue("made")
    source: Source = Data(made) if kind is Data else SchemaOnly()
    with (
        pytest.raises(Refused) as caught,
        throwaway(backups, source, BOUNDS, say=Heard()),
    ):
        pass
    assert "lacks the extension homemade" in caught.value.message
    assert "Nothing has been changed." in str(caught.value)
    assert "database.rehearsal.mode: off" in caught.value.mend
    assert backups.find(made.name).proof == "decoded"


def test_an_image_without_a_server(by_url: Backups, rich: Server, database: str) -> None:
    """The client's programs alone are enough for a backup by a URL, and not for this."""
    image = f"hw-client-{database}"
    file = f"FROM {CLIENT.replace('{major}', '17')}\nRUN rm /usr/lib/postgresql/17/bin/initdb\n"
    docker("build", "-q", "-t", image, "-", stdin=file.encode())
    try:
        access = by_url.access
        settings = {**access.settings, "image": image}
        other = Access(access.host, "url", settings, access.secret)
        with (
            pytest.raises(Refused) as caught,
            # It is asked why before it is gone, on a busy machine too.
            throwaway(
                Backups(other, by_url.home), SchemaOnly(), replace(BOUNDS, linger=10), say=Heard()
            ),
        ):
            pass
        assert "did not start" in caught.value.message
        assert "there is no initdb in the image" in caught.value.state
    finally:
        docker("rmi", image)


def test_somebody_who_is_no_superuser(rich: Server, database: str, tmp_path: Path) -> None:
    asked(
        rich.access(database),
        f"create role app_{database} login password 'app-secret' createdb; "
        f"alter database {database} owner to app_{database}; "
        f"alter schema public owner to app_{database}; "
        f"alter schema drizzle owner to app_{database}; "
        f"grant all on all tables in schema public, drizzle to app_{database};"
        f"grant all on all sequences in schema drizzle to app_{database}",
    )
    try:
        text = f"postgresql://app_{database}:app-secret@127.0.0.1:{rich.port}/{database}"
        access = by_url(LocalHost("web-1"), Secret("DATABASE_URL", text), CLIENT)
        backups = Backups(access, str(tmp_path), timeout=60)
        with throwaway(backups, SchemaOnly(), BOUNDS, say=Heard()) as server:
            who = "select current_user, usesuper from pg_user where usename = current_user"
            assert asked(server.access, who) == [f"app_{database}|f"]
            assert asked(server.superuser, who) == ["shop|t"]
            with pytest.raises(CommandFailed, match="it was not done") as caught:
                server.psql("copy big to '/tmp/x'", timeout=9, doing="it was not done")
            assert "pg_write_server_files" in caught.value.stderr
    finally:
        asked(
            rich.access(database),
            f"reassign owned by app_{database} to shop; drop owned by app_{database}; "
            f"drop role app_{database}",
        )


def test_what_is_secret_is_in_no_command_line(rich: Server, by_url: Backups, database: str) -> None:
    everything(rich.access(database), database)
    with Watch() as watch, throwaway(by_url, SchemaOnly(), BOUNDS, say=Heard()) as server:
        docker("inspect", server.container)
        watch.inspected.append(json.dumps(inspected(server.container)))
    everything_seen = b"\n".join(watch.seen) + "\n".join(watch.inspected).encode()
    # It was looking at the right moments.
    assert b"pg_restore" in everything_seen
    assert b"headway.rehearsal" in everything_seen
    for hidden in (PASSWORD, "r3ads-secret", "k3y-secret"):
        assert hidden.encode() not in everything_seen

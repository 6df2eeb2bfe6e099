"""A throw-away server goes: afterwards, after a failure, at its bounds, and with nobody left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.database.backup.backups import Backups
from deploy.database.rehearsal.bounds import EMPTY, Bounds
from deploy.database.rehearsal.server import Ended, Throwaway
from deploy.database.rehearsal.source import Data, SchemaOnly
from deploy.database.rehearsal.throwaway import throwaway
from deploy.errors import Refused, Unreachable
from tests.backup.conftest import Heard, Server, asked
from tests.backup.test_backup_cut_short import LosesTheConnection
from tests.database.conftest import IMAGE, docker
from tests.localhost import LocalHost

from .conftest import BOUNDS, LABEL, servers, until

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.database.backup.manifest import Manifest
    from deploy.remote.host import Result

pytestmark = pytest.mark.fleet

SCHEMA = SchemaOnly()


def test_after_an_error_of_whoever_used_it(backups: Backups) -> None:
    there = set()

    def use() -> None:
        with throwaway(backups, SCHEMA, BOUNDS, say=Heard()):
            there.update(servers())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert len(there) == 1
    assert servers() == set()


PROCESS = """
import sys
from deploy.database.access import in_container
from deploy.database.backup.backups import Backups
from deploy.database.rehearsal.bounds import Bounds
from deploy.database.rehearsal.server import Ended, Throwaway
from deploy.database.rehearsal.source import SchemaOnly
from deploy.database.rehearsal.throwaway import throwaway
from tests.localhost import LocalHost
container, database, home = sys.argv[1:]
backups = Backups(in_container(LocalHost("db-1"), container, database=database), home)
with throwaway(backups, SchemaOnly(), Bounds(seconds=20, linger=1), say=print) as server:
    print("container", server.container, flush=True)
    server.psql("select pg_sleep(600)", timeout=600, doing="slept")
"""


def test_when_the_process_is_killed(rich: Server, database: str, tmp_path: Path) -> None:
    words = [sys.executable, "-c", PROCESS, rich.container, database, str(tmp_path)]
    root = Path(__file__).parents[3]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert process.stdout
        name = next(line.split()[1] for line in process.stdout if line.startswith("container"))
        os.kill(process.pid, signal.SIGKILL)
    assert docker("ps", "-q", "--filter", f"name={name}")
    # Nobody is there who could remove it.
    until(lambda: not docker("ps", "-aq", "--filter", f"name={name}"), 40)


class LosesTheHost(LocalHost):
    """The host cannot be reached any more when the server is to be removed."""

    def exec(self, argv, *, stdin=b"", timeout, on_line=None) -> Result:  # type: ignore[no-untyped-def]
        if any("docker rm -f -v" in word for word in argv) and len(argv) == 5:
            raise Unreachable(self.name, "no route to it")
        return super().exec(argv, stdin=stdin, timeout=timeout, on_line=on_line)


def test_when_the_host_is_gone(rich: Server, database: str, tmp_path: Path) -> None:
    backups = Backups(rich.access(database, LosesTheHost("db-1")), str(tmp_path))
    heard = Heard()
    with throwaway(backups, SCHEMA, Bounds(seconds=30, linger=1), say=heard) as server:
        pass
    said = f"! the throw-away server {server.container} was not removed (db-1: no route to it); "
    assert heard.lines[-1] == f"{said}it ends by itself 31 s after its start"
    assert servers()
    until(lambda: servers() == set())


def test_a_lost_connection_makes_no_second_one(rich: Server, database: str, tmp_path: Path) -> None:
    host = LosesTheConnection("db-1")
    backups = Backups(rich.access(database, host), str(tmp_path), timeout=60)
    with throwaway(backups, SCHEMA, BOUNDS, say=Heard()) as server:
        assert host.lost == 1
        assert len(servers()) == 1
        assert asked(server.access, "select count(*) from big") == ["0"]
    assert servers() == set()
    for thread in host.alone:
        thread.join()


def ended(backups: Backups, bounds: Bounds, sql: str) -> tuple[Ended, Throwaway]:
    """Run SQL in a server that does not live so long, and wait until that has gone by itself."""
    with throwaway(backups, SCHEMA, bounds, say=Heard()) as server:
        with pytest.raises(Ended) as caught:
            server.psql(sql, timeout=120, doing="it was done to the end")
        began = time.monotonic()
        until(lambda: servers() == set())
        assert time.monotonic() - began < bounds.linger + 10
        with pytest.raises(Ended, match="it is gone"):
            server.psql("select 1", timeout=9, doing="asked")
    return caught.value, server


@pytest.mark.thorough
def test_at_its_deadline(backups: Backups) -> None:
    error, _ = ended(backups, Bounds(seconds=30, linger=3), "select pg_sleep(100)")
    assert str(error) == (
        "db-1: the throw-away server was ended: it was given 30 s, and they are over\n"
        "Nothing has been changed.\n"
        "Its bounds are under database.rehearsal: memory, disk, timeout."
    )
    assert error.exit_code == 3


@pytest.mark.thorough
def test_when_nobody_uses_it(backups: Backups) -> None:
    bounds = Bounds(seconds=100, idle=4, linger=5)
    with throwaway(backups, SCHEMA, bounds, say=Heard()) as server:
        # It is in use as long as a statement takes.
        assert server.psql("select pg_sleep(6)", timeout=30, doing="slept") == "\n"
        time.sleep(5)
        with pytest.raises(Ended, match="nobody has used it for 4 s"):
            server.psql("select 1", timeout=9, doing="asked")
        until(lambda: servers() == set())


def test_at_its_bound_of_the_disk(backups: Backups) -> None:
    sql = "create table much as select repeat('x', 1000) from generate_series(1, 5000000)"
    error, _ = ended(backups, Bounds(disk=EMPTY, seconds=100, linger=3), sql)
    assert "it used " in error.reason
    assert "MB of disk, and may use 400 MB" in error.reason


def test_at_its_bound_of_the_memory(backups: Backups) -> None:
    sql = "select length(string_agg(repeat('x', 1000), '')) from generate_series(1, 900000)"
    error, _ = ended(backups, Bounds(memory=200_000_000, seconds=100, linger=3), sql)
    assert error.reason.endswith("it needed more than its 200 MB of memory")


def test_an_error_of_a_statement_is_no_end(backups: Backups) -> None:
    with throwaway(backups, SCHEMA, BOUNDS, say=Heard()) as server:
        with pytest.raises(Exception, match="it was not asked") as caught:
            server.psql("select nothing", timeout=9, doing="it was not asked")
        assert not isinstance(caught.value, Ended)
        assert server.psql("select 1", timeout=9, doing="asked") == "1\n"


@pytest.mark.thorough
def test_at_its_bound_while_it_is_restored(backups: Backups, made: Manifest) -> None:
    bounds = Bounds(disk=60_000_000, seconds=100, linger=3)
    with (
        pytest.raises(Refused, match=r"database\.rehearsal\.disk allows 60 MB"),
        throwaway(backups, Data(made), bounds, say=Heard()),
    ):
        pass
    # As if the database had been smaller when it was dumped.
    small = made.with_(facts={**made.facts, "database_bytes": -300_000_000})
    with pytest.raises(Ended) as caught, throwaway(backups, Data(small), bounds, say=Heard()):
        pass
    assert caught.value.reason.endswith("MB of disk, and may use 60 MB")
    # It is not the backup's fault.
    assert backups.find(made.name).body == made.body


def test_what_an_earlier_one_has_left_goes(backups: Backups) -> None:
    until_then = str(int(time.time()) + 100)
    run = ["run", "--detach", "--entrypoint", "sleep", "--label"]
    old, new = (
        docker(*run, f"headway.rehearsal={until}", IMAGE, "100") for until in ("1", until_then)
    )
    never = docker("create", "--label", "headway.rehearsal=2", IMAGE)
    try:
        heard = Heard()
        with throwaway(backups, SCHEMA, BOUNDS, say=heard):
            found = docker("ps", "-aq", "--no-trunc", "--filter", LABEL).split()
            assert new in found
            assert old not in found
            assert never not in found
        said = "removed a throw-away server that an earlier rehearsal had left"
        assert heard.lines.count(said) == 2
    finally:
        for one in (old, new, never):
            subprocess.run(["docker", "rm", "-fv", one], capture_output=True, check=False)


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        (Bounds(reserve=10**15), "db-1: no room for a rehearsal: it may need "),
        (Bounds(memory=10**15), "db-1: no memory for a rehearsal: it may use 1000 TB, and "),
    ],
)
def test_without_room_none_is_made(
    backups: Backups, made: Manifest, bounds: Bounds, said: str
) -> None:
    with pytest.raises(Refused) as caught, throwaway(backups, Data(made), bounds, say=Heard()):
        pass
    assert caught.value.message.startswith(said)
    assert caught.value.exit_code == 3
    assert backups.find(made.name).body == made.body


def test_a_database_that_is_not_there(rich: Server, tmp_path: Path) -> None:
    access: Access = rich.access("nowhere")
    with (
        pytest.raises(Refused, match="the database could not be asked") as caught,
        throwaway(Backups(access, str(tmp_path)), SCHEMA, BOUNDS, say=Heard()),
    ):
        pass
    assert 'database "nowhere" does not exist' in caught.value.state

"""A backup that is cut short, of which two are taken at once, or that has no room."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.database.backup.backups import Backups
from deploy.errors import HeadwayError, Refused, Reverted
from tests.database.conftest import docker
from tests.localhost import LocalHost

from .conftest import FEW, ORDER, Heard, Server, asked, create, folder, names

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.remote.host import Result

pytestmark = pytest.mark.fleet


def pg_dump_of(container: str) -> int:
    """The pid, as this machine has it, of the pg_dump that runs in the container."""
    whole = docker("inspect", "-f", "{{.Id}}", container)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                found = Path(f"/proc/{pid}/cgroup").read_text()
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if whole in found and words[:2] == [b"pg_dump", b"-Fc"]:
                    return int(pid)
            except OSError:
                continue
    raise AssertionError("pg_dump did not come")


class Going:
    """A backup that is being made in another thread."""

    def __init__(self, backups: Backups) -> None:
        self.error: HeadwayError | None = None
        self.heard = Heard()
        self._thread = threading.Thread(target=self._go, args=(backups,))
        self._thread.start()

    def _go(self, backups: Backups) -> None:
        try:
            backups.create(ORDER, [], self.heard)
        except HeadwayError as error:
            self.error = error

    def join(self) -> HeadwayError | None:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.error


@pytest.fixture
def locked(server: Server, database: str) -> Iterator[Access]:
    """Somebody holds a table, so that pg_dump waits before its first row."""
    access = server.access(database)
    sql = "begin; lock table small; select pg_sleep(60) /* holding */; commit;"
    holder = threading.Thread(target=lambda: _quietly(access, sql))
    holder.start()
    waiting = "select count(*) from pg_stat_activity where query like '%/* holding */%'"
    deadline = time.monotonic() + 20
    while asked(access, f"{waiting} and pid <> pg_backend_pid()") == ["0"]:
        assert time.monotonic() < deadline
    yield access
    release(access)
    holder.join()


def release(access: Access) -> None:
    asked(
        access,
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where query like '%/* holding */%' and pid <> pg_backend_pid()",
    )


def _quietly(access: Access, sql: str) -> None:
    with contextlib.suppress(HeadwayError):
        asked(access, sql)


def test_pg_dump_is_killed(server: Server, backups: Backups, locked: Access) -> None:
    before = create_earlier(backups)
    going = Going(backups)
    os.kill(pg_dump_of(server.container), signal.SIGKILL)
    error = going.join()
    assert isinstance(error, Reverted)
    assert error.message == "db-1: pg_dump failed"
    assert error.state.endswith("No backup was made.")
    assert names(backups) == before
    release(locked)
    assert create(backups)


def create_earlier(backups: Backups) -> list[str]:
    """What somebody else has in the folder, which stays as it is."""
    folder(backups).mkdir(parents=True)
    (folder(backups) / "earlier.dump").write_text("x")
    return ["earlier.dump"]


def test_its_session_is_ended_in_the_middle_of_a_table(server: Server, backups: Backups) -> None:
    ending = """
do $$ begin
  loop
    perform pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'headway backup' and query like 'COPY public.big%';
    exit when found;
    perform pg_stat_clear_snapshot();
  end loop;
end $$;
"""
    ender = threading.Thread(target=asked, args=(server.access("postgres"), ending))
    ender.start()
    error = Going(backups).join()
    ender.join()
    assert isinstance(error, Reverted)
    assert error.message == "db-1: pg_dump failed"
    assert "Command was: COPY public.big" in error.state
    assert names(backups) == []


def test_the_script_is_killed_and_the_next_one_tidies_up(
    server: Server, backups: Backups, locked: Access
) -> None:
    going = Going(backups)
    pg_dump_of(server.container)
    script = next(
        int(pid)
        for pid in filter(str.isdigit, os.listdir("/proc"))
        if _script_of(int(pid), backups.folder)
    )
    os.killpg(script, signal.SIGKILL)
    assert isinstance(going.join(), Reverted)
    left = names(backups)
    assert [name.rpartition(".")[2] for name in left] == ["partial"]
    heard = Heard()
    # Its session may still wait in the server; the next one ends it before it begins.
    release(locked)
    one = backups.create(ORDER, [], heard)
    assert f"removed {left[0]}, which a backup that was cut short had left" in heard.lines
    assert names(backups) == [f"{one.name}.dump", f"{one.name}.json"]


def _script_of(pid: int, text: str) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        leads = os.getsid(pid) == pid
    except OSError:
        return False
    return leads and words[:2] == [b"sh", b"-c"] and f"backups={text}\n".encode() in words[2]


class LosesTheConnection(LocalHost):
    """Hears no end of the first long script: the host goes on with it alone."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.lost = 0
        self.alone: list[threading.Thread] = []

    def exec(self, argv, *, stdin=b"", timeout, on_line=None) -> Result:  # type: ignore[no-untyped-def]
        from deploy.errors import OutcomeUnknown

        if on_line is None or self.lost:
            return super().exec(argv, stdin=stdin, timeout=timeout, on_line=on_line)
        self.lost += 1
        run = super().exec
        thread = threading.Thread(target=lambda: run(argv, stdin=stdin, timeout=timeout))
        thread.start()
        self.alone.append(thread)
        time.sleep(0.4)
        raise OutcomeUnknown(self.name, "the connection was cut while a command ran")


def test_a_lost_connection_makes_no_second_backup(
    server: Server, database: str, tmp_path: Path
) -> None:
    host = LosesTheConnection("db-1")
    backups = Backups(server.access(database, host), str(tmp_path), timeout=60)
    heard = Heard()
    one = backups.create(ORDER, [], heard)
    assert host.lost == 1
    assert "! the connection was lost; asking the host again" in heard.lines
    assert names(backups) == [f"{one.name}.dump", f"{one.name}.json"]
    for thread in host.alone:
        thread.join()


def test_two_at_once_make_two(backups: Backups) -> None:
    going = [Going(backups), Going(backups)]
    assert [one.join() for one in going] == [None, None]
    assert len([name for name in names(backups) if name.endswith(".dump")]) == 2
    for one in backups.shelf().kept:
        assert backups.verify(one.name, Heard()).proof == "decoded"


@FEW
def test_a_roll_s_lock_is_not_in_the_way(backups: Backups) -> None:
    state = Path(backups.home) / ".headway"
    state.mkdir(parents=True)
    with subprocess.Popen(["flock", str(state / "roll.lock"), "sleep", "60"]) as holder:
        try:
            assert create(backups)
        finally:
            holder.kill()


@pytest.fixture
def small_disk(backups: Backups) -> Iterator[Backups]:
    """The folder of backups is a disk of 6 MB."""
    folder(backups).mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", backups.folder], check=True)
    try:
        yield backups
    finally:
        subprocess.run(["umount", backups.folder], check=True)


def test_no_room_is_seen_before(small_disk: Backups) -> None:
    with pytest.raises(Refused) as caught:
        create(small_disk)
    message = caught.value.message
    assert message.startswith("db-1: no room for a backup: it may need ")
    assert f"and {small_disk.folder} has 6.3 MB free, of which 67 MB stay so" in message
    assert names(small_disk) == []


def test_a_disk_that_fills_up_meanwhile(small_disk: Backups) -> None:
    """The estimate was wrong: what the last one needed is no measure."""
    old = {
        "v": 1,
        "name": "shop-20260101-000000",
        "method": "dump",
        "at": "2026-01-01T00:00:00Z",
        "bytes": 1,
        "facts": {"database_bytes": 10**9},
    }
    (folder(small_disk) / "shop-20260101-000000.json").write_text(json.dumps(old))
    (folder(small_disk) / "shop-20260101-000000.dump").write_text("x")
    before = names(small_disk)
    with pytest.raises(Reverted) as caught:
        create(replace(small_disk, reserve=0))
    assert caught.value.message == f"db-1: the disk of {small_disk.folder} is full"
    assert names(small_disk) == before


def test_a_migration_meanwhile_makes_it_worthless(server: Server, backups: Backups) -> None:
    going = Going(backups)
    pid = pg_dump_of(server.container)
    os.kill(pid, signal.SIGSTOP)
    asked(
        backups.access,
        "insert into drizzle.__drizzle_migrations (hash, created_at) values ('three', 3)",
    )
    os.kill(pid, signal.SIGCONT)
    error = going.join()
    assert isinstance(error, Reverted)
    assert "somebody applied a migration while the dump was made" in error.message
    assert names(backups) == []


def test_a_server_that_is_away(server: Server, tmp_path: Path) -> None:
    backups = Backups(server.access("nowhere"), str(tmp_path))
    with pytest.raises(Refused, match="db-1: the database could not be asked") as caught:
        create(backups)
    assert 'database "nowhere" does not exist' in str(caught.value)

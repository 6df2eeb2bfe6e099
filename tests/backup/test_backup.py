"""Backups that are taken, kept, looked at, cut short, damaged, and for which there is no room."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.database.backup.backups import Backups, Order
from deploy.errors import HeadwayError, NeedsPerson, Refused, Reverted, UsageError
from tests.database.conftest import docker
from tests.localhost import LocalHost

from .conftest import BOTH, FEW, Heard, Server, asked, folder, names

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.remote.host import Result

pytestmark = pytest.mark.fleet

ORDER = Order("v2-0a1b2c3d", "v2", "deploy", "ada@laptop")


def create(backups: Backups, order: Order = ORDER, protected: tuple[str, ...] = ()) -> str:
    return backups.create(order, protected, Heard()).name


@BOTH
def test_one_is_taken_and_all_is_known_of_it(
    server: Server, backups: Backups, database: str
) -> None:
    heard = Heard()
    one = backups.create(ORDER, [], heard)
    dump = folder(backups) / f"{one.name}.dump"
    content = dump.read_bytes()
    assert names(backups) == [f"{one.name}.dump", f"{one.name}.json"]
    assert json.loads((folder(backups) / f"{one.name}.json").read_text()) == one.body
    assert oct(folder(backups).stat().st_mode & 0o777) == "0o700"
    assert {oct(path.stat().st_mode & 0o777) for path in folder(backups).iterdir()} == {"0o600"}
    assert content.startswith(b"PGDMP")
    assert (one.bytes, one.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    body = one.body
    assert (body["release"], body["tag"], body["purpose"]) == ("v2-0a1b2c3d", "v2", "deploy")
    assert (body["by"], body["host"], body["method"]) == ("ada@laptop", "db-1", "dump")
    assert body["decoded"] is True
    assert set(body["seconds"]) == {"dump", "decode"}
    assert body["client"].startswith(f"{server.major}.")
    assert one.facts["database"] == database
    assert one.facts["major"] == server.major
    assert one.facts["database_bytes"] > 40_000_000
    assert one.head
    assert (one.head.count, one.head.hash, one.head.when) == (2, "two", 2)
    assert one.tables == {
        "public.big": 200000,
        "public.small": 5,
        "drizzle.__drizzle_migrations": 2,
    }
    assert one.proof == "decoded"
    assert abs(time.time() - one.at.timestamp()) < 60
    assert len(heard.lines) == 1
    assert heard.lines[0].startswith("dumped in ")


def test_zstd_where_both_know_it(server: Server, backups: Backups) -> None:
    name = create(backups)
    listed = subprocess.run(
        ["docker", "exec", "-i", server.container, "pg_restore", "--list"],
        stdin=(folder(backups) / f"{name}.dump").open("rb"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Compression: zstd" in listed.stdout


@BOTH
def test_by_a_url_it_is_the_same(server: Server, database: str, tmp_path: Path) -> None:
    backups = Backups(server.url(database), str(tmp_path), timeout=120)
    one = backups.create(ORDER, [], Heard())
    assert one.tables["public.big"] == 200000
    assert backups.verify(one.name, Heard()).proof == "decoded"
    assert (
        docker("ps", "-aq", "--filter", "label=headway.client", "--filter", "status=exited") == ""
    )


@FEW
def test_without_drizzle_there_is_no_head(server: Server, backups: Backups, database: str) -> None:
    asked(server.access(database), "drop schema drizzle cascade")
    one = backups.create(ORDER, [], Heard())
    assert one.head is None


@FEW
def test_the_list(backups: Backups) -> None:
    assert backups.shelf().kept == ()
    first, second = create(backups), create(backups)
    shelf = backups.shelf()
    assert [one.name for one in shelf.kept] == [first, second]
    assert all(shelf.whole(one) for one in shelf.kept)
    (folder(backups) / f"{first}.dump").unlink()
    shelf = backups.shelf()
    assert [shelf.whole(one) for one in shelf.kept] == [False, True]


@FEW
def test_what_is_too_much_goes_and_what_is_not_ours_stays(backups: Backups) -> None:
    backups = replace(backups, keep=2)
    folder(backups).mkdir(parents=True)
    foreign = {"theirs.dump": "x", "theirs.json": '{"v": 1}', "notes.txt": "x", "broken.json": "{"}
    for name, content in foreign.items():
        (folder(backups) / name).write_text(content)
    first = create(backups, Order("r1", "v1", "deploy"), ("r1",))
    rest = [create(backups, Order("r1", "v1", "hand"), ("r1",)) for _ in range(3)]
    kept = [one.name for one in backups.shelf().kept]
    assert kept == [first, *rest[1:]]
    assert set(names(backups)) == {
        *foreign,
        *(f"{one}.{suffix}" for one in kept for suffix in ("dump", "json")),
    }


def test_verify_says_yes(backups: Backups) -> None:
    name = create(backups)
    one = backups.verify(name, Heard())
    assert one.body["checked"]["ok"] is True
    assert backups.find(name).body == one.body


@FEW
def test_verify_of_nothing(backups: Backups) -> None:
    name = create(backups)
    with pytest.raises(UsageError) as caught:
        backups.verify("shop-20200101-000000", Heard())
    assert str(caught.value) == (
        "there is no backup 'shop-20200101-000000' on db-1\n"
        f"Nothing has been changed.\nThere is {name}."
    )


def damage(path: Path, how: Callable[[bytearray], bytearray]) -> None:
    path.write_bytes(how(bytearray(path.read_bytes())))


def flip_a_bit(content: bytearray) -> bytearray:
    content[len(content) // 2] ^= 0x10
    return content


def cut(content: bytearray) -> bytearray:
    return content[: len(content) * 6 // 10]


@pytest.mark.parametrize("how", [flip_a_bit, cut])
def test_damage_is_found_by_the_sum(
    backups: Backups, how: Callable[[bytearray], bytearray]
) -> None:
    name = create(backups)
    damage(folder(backups) / f"{name}.dump", how)
    with pytest.raises(NeedsPerson, match="the dump is not as it was written") as caught:
        backups.verify(name, Heard())
    assert f"{name} cannot be relied on." in str(caught.value)
    assert backups.find(name).proof == "damaged"


@pytest.mark.parametrize(("how", "compression"), [(flip_a_bit, "1"), (cut, "1"), (cut, "zstd:3")])
def test_damage_is_found_by_the_decoding_alone(
    backups: Backups, how: Callable[[bytearray], bytearray], compression: str
) -> None:
    """As if it had come before the sum was taken; zstd's frames have no checksum for one bit."""
    name = create(backups)
    dump = folder(backups) / f"{name}.dump"
    settings = backups.access.settings
    words = ["docker", "exec", settings["container"], "pg_dump", "-Fc", "-Z", compression]
    with dump.open("wb") as out:
        subprocess.run([*words, "-U", "shop", settings["database"]], stdout=out, check=True)
    damage(dump, how)
    manifest = folder(backups) / f"{name}.json"
    body = json.loads(manifest.read_text())
    body["sha256"] = hashlib.sha256(dump.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(body) + "\n")
    with pytest.raises(NeedsPerson, match="the dump cannot be decoded to its end") as caught:
        backups.verify(name, Heard())
    assert "pg_restore: error" in str(caught.value)


FLIP = """#!/bin/sh
# A disk that turns one bit of what is written to it.
for file; do
    case $file in
    *.dump.partial) printf '\\001' | dd of="$file" bs=1 seek=900000 conv=notrunc 2>/dev/null ;;
    esac
done
"""


def test_a_disk_that_turns_a_bit_is_found(server: Server, database: str, tmp_path: Path) -> None:
    shim = tmp_path / "shims" / "sync"
    shim.parent.mkdir()
    shim.write_text(FLIP)
    shim.chmod(0o755)
    host = LocalHost("db-1", {"PATH": f"{shim.parent}:{os.environ['PATH']}"})
    backups = Backups(server.access(database, host), str(tmp_path / "srv"))
    with pytest.raises(Reverted) as caught:
        create(backups)
    assert (
        "the disk has not kept what pg_dump wrote" in caught.value.message
        or "cannot be decoded" in caught.value.message
    )
    assert names(backups) == []


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


# --- the owner's own command ---------------------------------------------------------------------


@FEW
def test_a_command_of_the_owner_s(backups: Backups) -> None:
    command = 'echo "$HEADWAY_BACKUP $HEADWAY_RESTORE_POINT" >told'
    backups = replace(backups, command=command, verify_command="grep -q headway_ told")
    one = backups.create(ORDER, [], Heard())
    assert (one.method, one.bytes, one.body["decoded"]) == ("command", 0, True)
    assert one.body["point"] == f"headway_{one.name}"
    assert (Path(backups.home) / "told").read_text() == f"{one.name} headway_{one.name}\n"
    assert names(backups) == [f"{one.name}.json"]
    assert backups.shelf().whole(one)
    with pytest.raises(Refused, match=r"was made by backup\.command"):
        backups.verify(one.name, Heard())


FAILING = {
    "command": ("echo no stanza >&2; exit 37", "", "backup.command ended with exit code 37"),
    "verify": ("true", "echo no stanza; exit 4", "backup.verify ended with exit code 4"),
}


@FEW
@pytest.mark.parametrize(("command", "verify", "message"), FAILING.values(), ids=FAILING)
def test_a_command_that_fails(backups: Backups, command: str, verify: str, message: str) -> None:
    with pytest.raises(Reverted) as caught:
        create(replace(backups, command=command, verify_command=verify))
    assert caught.value.message == f"db-1: {message}"
    assert "no stanza" in caught.value.state
    assert names(backups) == []

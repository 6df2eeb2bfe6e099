"""Backups by the owner's own command, and the restore point that comes after it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.database.access import in_container
from deploy.errors import Refused, Reverted

from .conftest import BOTH, FEW, ORDER, STUCK, Heard, Server, asked, create, names

if TYPE_CHECKING:
    from deploy.database.backup.backups import Backups

pytestmark = [pytest.mark.fleet, FEW]

PLACE = "docker exec {} psql -U shop -d postgres -XqAtc 'select pg_current_wal_lsn()'"
NOWHERE = (
    "! archive_mode is off: unless something receives the WAL, nothing leads to the restore point"
)
NOBODY = "! nobody has looked whether it is good: there is no backup.verify"


@BOTH
def test_a_command_of_the_owner_s(server: Server, backups: Backups) -> None:
    command = 'echo "$HEADWAY_BACKUP $HEADWAY_RESTORE_POINT" >told'
    backups = replace(backups, command=command, verify_command="grep -q headway_ told")
    heard = Heard()
    one = backups.create(ORDER, [], heard)
    assert (one.method, one.bytes, one.body["decoded"]) == ("command", 0, True)
    assert one.body["point"] == f"headway_{one.name}"
    assert (Path(backups.home) / "told").read_text() == f"{one.name} headway_{one.name}\n"
    assert names(backups) == [f"{one.name}.json"]
    assert backups.shelf().whole(one)
    # The older server archives nothing.
    assert heard.lines == ([] if server.major == 17 else [NOWHERE])
    with pytest.raises(Refused, match=r"was made by backup\.command"):
        backups.verify(one.name, Heard())


FAILING = {
    "command": ("echo no stanza >&2; exit 37", "", "backup.command ended with exit code 37"),
    "verify": ("true", "echo no stanza; exit 4", "backup.verify ended with exit code 4"),
}


@pytest.mark.parametrize(("command", "verify", "message"), FAILING.values(), ids=FAILING)
def test_a_command_that_fails(backups: Backups, command: str, verify: str, message: str) -> None:
    with pytest.raises(Reverted) as caught:
        create(replace(backups, command=command, verify_command=verify))
    assert caught.value.message == f"db-1: {message}"
    assert "no stanza" in caught.value.state
    assert names(backups) == []


def test_the_point_comes_after_the_command_and_its_file_is_closed(
    server: Server, backups: Backups, database: str
) -> None:
    """What is copied until a command's end can only be recovered to what is written after it."""
    heard = Heard()
    one = replace(backups, command=f"{PLACE.format(server.container)} >ended").create(
        ORDER, [], heard
    )
    point, ended = one.body["point_wal"], (Path(backups.home) / "ended").read_text().strip()
    access = server.access(database)
    assert asked(access, f"select '{point}'::pg_lsn > '{ended}'::pg_lsn") == ["t"]
    assert asked(access, f"select '{one.facts['wal']}'::pg_lsn >= '{point}'::pg_lsn") == ["t"]
    newest = "pg_walfile_name(pg_current_wal_insert_lsn())"
    assert asked(access, f"select pg_walfile_name('{point}') < {newest}") == ["t"]
    assert (one.body["decoded"], heard.lines) == (None, [NOBODY])


# --- what a server does not do -------------------------------------------------------------------


@pytest.fixture
def clerk(server: Server, database: str, backups: Backups) -> Iterator[Backups]:
    """The same, by a role that may read and nothing else."""
    name = f"clerk_{database}"
    asked(server.access("postgres"), f"create role {name} login in role pg_read_all_data")
    yield replace(
        backups,
        access=in_container(backups.access.host, server.container, user=name, database=database),
        command="true",
    )
    asked(server.access(database), f"drop owned by {name}; drop role {name}")


def test_a_role_that_may_make_no_point(clerk: Backups) -> None:
    heard = Heard()
    one = clerk.create(ORDER, [], heard)
    assert (one.body["point"], one.body["point_wal"]) == ("", "")
    assert heard.lines[0].startswith("! no restore point: ")
    assert "permission denied for function pg_create_restore_point" in heard.lines[0]
    assert heard.lines[1:] == [NOBODY]


def test_a_role_that_may_make_the_point_and_not_close_its_file(
    clerk: Backups, server: Server, database: str
) -> None:
    asked(
        server.access(database),
        f"grant execute on function pg_create_restore_point(text) to clerk_{database}",
    )
    heard = Heard()
    one = clerk.create(ORDER, [], heard)
    assert one.body["point"] == f"headway_{one.name}"
    assert one.body["point_wal"]
    assert heard.lines[0].startswith("! the restore point waits for its WAL file to be full: ")
    assert "permission denied for function pg_switch_wal" in heard.lines[0]


def test_what_is_migrated_meanwhile_belongs_to_the_point_or_to_nothing(
    backups: Backups, clerk: Backups, server: Server, database: str
) -> None:
    """The state that is recovered to is that of the point; without one nobody could say which."""
    insert = "insert into drizzle.__drizzle_migrations (hash, created_at) values"
    psql = f"docker exec {server.container} psql -U shop -d {database} -XqAtc"
    one = replace(backups, command=f"{psql} \"{insert} ('three', 3)\"").create(ORDER, [], Heard())
    assert one.head is not None
    assert one.head.hash == "three"
    with pytest.raises(Reverted, match=r"applied a migration while backup\.command ran"):
        create(replace(clerk, command=f"{psql} \"{insert} ('four', 4)\""))


def test_an_archiver_that_fails_is_told(server: Server, backups: Backups, database: str) -> None:
    access = server.access(database)
    try:
        server.shells.run(f"touch {STUCK}")
        asked(access, "select pg_create_restore_point('x'), pg_switch_wal()")
        failing = "select last_failed_time is not null from pg_stat_archiver"
        deadline = time.monotonic() + 30
        while asked(access, failing) != ["t"]:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        heard = Heard()
        one = replace(backups, command="true").create(ORDER, [], heard)
        assert one.body["point"]
        assert heard.lines[0].startswith("! the archiver fails at 0000000")
        assert heard.lines[1:] == [NOBODY]
    finally:
        server.shells.run(f"rm -f {STUCK}")
        asked(access, "select pg_stat_reset_shared('archiver')")

"""The way back: into a new database, looked at, swapped; and every way in which that ends early."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from deploy.database.backup.backups import Backups, Order
from deploy.database.backup.restore import Restore
from deploy.errors import Cancelled, HeadwayError, Refused, Reverted, UsageError

from .conftest import BOTH, Heard, Server, asked, folder

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.database.backup.manifest import Manifest

pytestmark = pytest.mark.fleet

NOW = datetime.now(UTC)


@pytest.fixture
def made(backups: Backups) -> Manifest:
    return backups.create(Order(), [], Heard())


def databases(server: Server, database: str) -> list[str]:
    found = asked(server.access("postgres"), "select datname from pg_database order by 1")
    return [one.replace(database, "shop") for one in found if one.startswith(database)]


def rows(server: Server, database: str, table: str = "big") -> str:
    (count,) = asked(server.access(database), f"select count(*) from {table}")  # noqa: S608
    return count


@BOTH
@pytest.mark.parametrize("way", ["access", "url"])
def test_it_comes_back_and_the_present_one_is_kept(
    server: Server, backups: Backups, database: str, way: str
) -> None:
    inside = server.access(database)
    asked(inside, f"alter database {database} set search_path to public, drizzle")
    asked(inside, f"comment on database {database} is 'theirs: :fresh'")
    made = backups.create(Order(), [], Heard())
    asked(inside, "delete from big where id > 10; create table late (id int)")
    restore = Restore(replace(backups, access=getattr(server, way)(database)))
    prospect = restore.look(made.name)
    assert prospect.loss[0].startswith("every write since ")
    assert "of WAL, in" in prospect.loss[1]
    # Looking has changed nothing.
    assert databases(server, database) == ["shop"]
    heard = Heard()
    one = restore.carry_out(prospect, heard)
    assert rows(server, database) == "200000"
    assert asked(inside, "select to_regclass('late') is null") == ["t"]
    assert rows(server, prospect.old) == "10"
    assert databases(server, database) == ["shop", prospect.old.replace(database, "shop")]
    assert asked(inside, "show search_path") == ["public, drizzle"]
    comment = "select shobj_description(oid, 'pg_database') from pg_database where datname = "
    assert asked(inside, f"{comment}current_database()") == ["theirs: :fresh"]
    assert one.proof == "restored"
    assert restore.backups.find(one.name).proof == "restored"
    assert heard.lines == [
        f"restoring into {prospect.fresh}",
        "looked at: 3 tables, 2 migrations, the last two",
    ]


def test_asked_to_stop_it_stops_before_the_swap(
    server: Server, backups: Backups, database: str, made: Manifest
) -> None:
    asked(server.access(database), "delete from big where id > 10")
    stop = threading.Event()
    stop.set()
    restore = Restore(backups)
    with pytest.raises(Cancelled, match="before the swap") as stopped:
        restore.carry_out(restore.look(made.name), Heard(), stop)
    assert stopped.value.state == f"{database} is as it was."
    assert databases(server, database) == ["shop"]
    assert rows(server, database) == "10"


def test_sessions_are_ended_and_come_back(
    server: Server, backups: Backups, database: str, made: Manifest
) -> None:
    """Somebody connects again and again, all the while, as an application's pool does."""
    access = server.access(database)
    ended = threading.Event()
    failures: list[str] = []
    answers: list[str] = []

    def ask() -> None:
        while not ended.is_set():
            try:
                answers.append(asked(access, "select pg_sleep(0.2); select count(*) from big")[-1])
            except HeadwayError as error:
                failures.append(str(error))

    asked(access, "delete from big where id > 10")
    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    restore = Restore(backups)
    restore.carry_out(restore.look(made.name), Heard())
    time.sleep(1.5)
    ended.set()
    for thread in threads:
        thread.join()
    assert set(answers) == {"10", "200000"}
    assert answers[-1] == "200000"
    assert all(
        "terminating connection" in one or "does not exist" in one or "closed" in one
        for one in failures
    ), failures


def test_names_that_need_quotes(server: Server, backups: Backups, database: str) -> None:
    name = f'{database} "Ünï"'
    quoted = name.replace('"', '""')
    asked(
        server.access("postgres"), f'create database "{quoted}" template model strategy file_copy'
    )
    backups = replace(backups, access=server.access(name))
    try:
        made = backups.create(Order(), [], Heard())
        asked(server.access(name), "drop table big")
        restore = Restore(backups)
        restore.carry_out(restore.look(made.name), Heard())
        assert rows(server, name) == "200000"
    finally:
        for one in asked(server.access("postgres"), "select datname from pg_database"):
            if one.startswith(f"{database} "):
                again = one.replace('"', '""')
                asked(server.access("postgres"), f'drop database "{again}" with (force)')


def untouched(server: Server, database: str) -> None:
    assert databases(server, database) == ["shop"]
    assert rows(server, database, "marker") == "1"


@pytest.fixture
def marked(server: Server, database: str, made: Manifest) -> Access:
    """Something that only the present database has."""
    access = server.access(database)
    asked(access, "create table marker as select 1")
    return access


def test_a_damaged_dump_is_not_restored(
    server: Server, backups: Backups, database: str, made: Manifest, marked: Access
) -> None:
    path = folder(backups) / f"{made.name}.dump"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    restore = Restore(backups)
    with pytest.raises(Reverted, match="the dump is not as it was written"):
        restore.carry_out(restore.look(made.name), Heard())
    untouched(server, database)
    with pytest.raises(HeadwayError):
        backups.verify(made.name, Heard())
    with pytest.raises(Refused, match=f"{made.name} is damaged"):
        restore.look(made.name)


def test_one_that_cannot_be_loaded(
    server: Server, backups: Backups, database: str, made: Manifest, marked: Access
) -> None:
    """An owner that is no longer there is found half-way."""
    asked(
        marked, "create role gone; create table theirs (id int); alter table theirs owner to gone"
    )
    one = backups.create(Order(), [], Heard())
    asked(marked, "drop table theirs; drop role gone")
    restore = Restore(backups)
    with pytest.raises(Reverted, match="pg_restore failed") as caught:
        restore.carry_out(restore.look(one.name), Heard())
    assert 'role "gone" does not exist' in caught.value.state
    assert f"{database} is as it was." in caught.value.state
    untouched(server, database)


def test_one_that_holds_something_else(
    server: Server, backups: Backups, database: str, made: Manifest, marked: Access
) -> None:
    path = folder(backups) / f"{made.name}.json"
    body = json.loads(path.read_text())
    body["facts"]["tables"]["public.big"] = 500_000
    body["facts"]["tables"]["public.more"] = 1
    path.write_text(json.dumps(body))
    restore = Restore(backups)
    with pytest.raises(Reverted) as caught:
        restore.carry_out(restore.look(made.name), Heard())
    assert "public.big has about 200000 rows, and had about 500000" in caught.value.message
    assert "public.more is missing" in caught.value.message
    untouched(server, database)


def test_a_swap_that_fails_puts_the_name_back(
    server: Server, backups: Backups, database: str, made: Manifest, marked: Access
) -> None:
    """The second rename cannot be done: the first is taken back with it."""
    restore = Restore(backups)
    prospect = restore.look(made.name)
    asked(server.access("postgres"), f'create database "{prospect.old}"')
    with pytest.raises(Reverted, match="the databases could not be swapped") as caught:
        restore.carry_out(prospect, Heard())
    assert f'database "{prospect.old}" already exists' in caught.value.state
    asked(server.access("postgres"), f'drop database "{prospect.old}"')
    untouched(server, database)
    # And it can be done afterwards.
    restore.carry_out(restore.look(made.name), Heard())
    assert rows(server, database) == "200000"


def test_what_cannot_be_restored(backups: Backups, made: Manifest) -> None:
    restore = Restore(backups)
    with pytest.raises(UsageError, match="there is no backup 'nothing'"):
        restore.look("nothing")
    by_command = replace(backups, command="true").create(Order(), [], Heard())
    with pytest.raises(Refused, match="restored by its own tool") as caught:
        restore.look(by_command.name)
    assert f"the restore point headway_{by_command.name}, made when it" in caught.value.mend
    (folder(backups) / f"{made.name}.dump").unlink()
    with pytest.raises(Refused, match="is not there") as caught:
        restore.look(made.name)
    assert caught.value.mend == "Its copies: none."

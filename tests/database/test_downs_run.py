"""Downs run on a real PostgreSQL: there and back, and what is refused."""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploy.database.downs.run import Undone, run_downs
from deploy.database.migrations.apply import Applier
from deploy.database.migrations.failure import MigrationFailed
from deploy.database.migrations.folder import Folder, Format, Migration, read_folder
from deploy.database.migrations.recorded import recorded
from deploy.database.migrations.script import Limits
from deploy.errors import CommandFailed, HostError, NeedsPerson, OutcomeUnknown, Refused

from .conftest import asked
from .migrations import migration, shop_folder, v1

if TYPE_CHECKING:
    from deploy.database.access import Access

    from .shells import Near

pytestmark = pytest.mark.fleet

TAKE_NEWEST = (
    "delete from drizzle.__drizzle_migrations where created_at ="
    " (select max(created_at) from drizzle.__drizzle_migrations)"
)
RESTORE = "inv restore.production before"


def schema(postgres: Near) -> str:
    """Without Drizzle's own table; columns in their order."""
    done = postgres.shells.run("exec pg_dump -s -N drizzle --username shop shop")
    assert done.exit_code == 0, done.stderr.decode()
    return re.sub(r"^\\(un)?restrict \w+$", "", done.text, flags=re.MULTILINE)


def up(postgres: Near, *todo: Migration, form: Format = Format.V0) -> None:
    Applier(postgres, Limits(5, 60)).apply(todo, form=form)


def undo(postgres: Access, *todo: Migration, **more: Any) -> list[Undone]:
    more = {"form": Format.V0, "limits": Limits(5, 60, turn=20), **more}
    return run_downs(postgres, todo, restore=RESTORE, **more)


def pair(name: str, when: int, sql: str, down: str | None) -> Migration:
    return replace(migration(name, when, sql), down=down)


def hashes(postgres: Near) -> list[str]:
    return [row.hash for row in recorded(postgres).rows]


TABLE = pair("0000", 1, "create table t (id int, a varchar(5))", "drop table t")
COLUMN = pair("0001", 2, "alter table t add b text", "alter table t drop b")
INDEX = pair("0002", 3, "create index i on t (a)", "drop index i")


def test_the_shop_there_and_back_and_there(postgres: Near) -> None:
    """Each migration by itself: up, down, the schema as it was; and up again."""
    folder = read_folder(shop_folder())
    for one in folder.migrations:
        before, rows = schema(postgres), hashes(postgres)
        up(postgres, one)
        after = schema(postgres)
        if one.name.startswith("0004"):
            with pytest.raises(Refused, match=r"0004_demo_user.down.sql  class B"):
                undo(postgres, one)
            assert one.down
            asked(postgres, one.down)
            asked(postgres, TAKE_NEWEST)
        else:
            (done,) = undo(postgres, one)
            assert (done.migration, done.transactional) == (one, True)
        assert (schema(postgres), hashes(postgres)) == (before, rows)
        up(postgres, one)
        assert schema(postgres) == after
    assert len(hashes(postgres)) == len(folder.migrations)


def test_the_newest_goes_first_whatever_the_order_asked(postgres: Near, service: Access) -> None:
    up(postgres, TABLE)
    before = schema(postgres)
    up(postgres, COLUMN, INDEX)
    done = undo(service, COLUMN, INDEX)
    assert [one.migration.name for one in done] == ["0002", "0001"]
    assert schema(postgres) == before
    assert hashes(postgres) == [TABLE.hash]
    assert undo(postgres, COLUMN, INDEX) == []


def test_drizzle_1(postgres: Near) -> None:
    files = v1(_a="create table t (id int)", _b="alter table t add b text default 'x'")
    files["20260102030400_a/down.sql"] = b"drop table t;"
    files["20260102030401_b/down.sql"] = b"alter table t drop b;"
    folder: Folder = read_folder(files)
    up(postgres, *folder.migrations, form=Format.V1)
    asked(postgres, "insert into t values (1)")
    (done,) = undo(postgres, folder.migrations[1], form=Format.V1)
    assert done.migration.name == "20260102030401_b"
    assert [row.name for row in recorded(postgres).rows] == ["20260102030400_a"]


def refused(postgres: Near, *todo: Migration, **more: Any) -> str:
    before, rows = schema(postgres), hashes(postgres)
    with pytest.raises(Refused) as caught:
        undo(postgres, *todo, **more)
    assert (schema(postgres), hashes(postgres)) == (before, rows)
    assert caught.value.mend == RESTORE
    return str(caught.value)


def test_a_guard_says_no_and_nothing_is_done(postgres: Near) -> None:
    up(postgres, TABLE, COLUMN, INDEX)
    asked(postgres, "insert into t values (1, 'x', 'y')")
    said = refused(postgres, COLUMN, INDEX)
    assert "0001.down.sql  class A: t.b was written, and would be lost; asked: select not" in said
    asked(postgres, "update t set b = null")
    assert len(undo(postgres, COLUMN, INDEX)) == 2


WIDER = [
    ("varchar(5)", "text", "'123456'", "'12345'"),
    ("integer", "bigint", "3000000000", "7"),
    ("uuid", "text", "'no uuid'", "'01890f3e-0000-7000-8000-000000000000'"),
]


@pytest.mark.parametrize(("old", "new", "bad", "good"), WIDER)
def test_a_type_goes_back_where_all_values_fit(
    postgres: Near, old: str, new: str, bad: str, good: str
) -> None:
    asked(postgres, f"create table w (c {old})")
    back = f"alter table w alter c type {old} using c::{old}"
    one = pair("0000", 1, f"alter table w alter c type {new}", back)
    before = schema(postgres)
    up(postgres, one)
    asked(postgres, f"insert into w values ({bad})")  # noqa: S608 - ours
    assert "w.c has values that" in refused(postgres, one)
    asked(postgres, f"update w set c = {good}")  # noqa: S608 - ours
    assert len(undo(postgres, one)) == 1
    assert schema(postgres) == before
    assert asked(postgres, "select c from w") == [good.strip("'")]


def test_what_is_not_lossless_refuses_all(postgres: Near) -> None:
    gone = pair("0001", 2, "alter table t drop a", "alter table t add a varchar(5)")
    up(postgres, TABLE, gone, INDEX_ON_ID)
    said = refused(postgres, gone, INDEX_ON_ID)
    assert "0001.down.sql  class C: 0001.sql:1: the values of t.a are in a backup alone" in said


INDEX_ON_ID = pair("0002", 3, "create index i on t (id)", "drop index i")


def test_a_missing_down_and_a_newer_row_refuse(postgres: Near) -> None:
    up(postgres, TABLE, replace(COLUMN, down=None), INDEX)
    assert "0001.down.sql is missing" in refused(postgres, replace(COLUMN, down=None), INDEX)
    assert "row 3  was applied later" in refused(postgres, COLUMN)


def test_another_text_than_was_applied_refuses(postgres: Near) -> None:
    files = v1(_a="create table t (id int)")
    (one,) = read_folder(files).migrations
    up(postgres, one, form=Format.V1)
    (other,) = read_folder(v1(_a="create table t (id int);")).migrations
    edited = replace(other, down="drop table t")
    assert "another text" in refused(postgres, edited, form=Format.V1)


def test_concurrently_goes_outside_of_a_transaction(postgres: Near) -> None:
    quiet = pair(
        "0001",
        2,
        "create index concurrently q on t (a)",
        "drop index concurrently if exists q",
    )
    up(postgres, TABLE)
    before = schema(postgres)
    up(postgres, quiet)
    (done,) = undo(postgres, quiet)
    assert not done.transactional
    assert schema(postgres) == before
    assert hashes(postgres) == [TABLE.hash]


def test_a_file_that_failed_half_way_is_taken_back(postgres: Near) -> None:
    half = pair(
        "0001",
        2,
        "create unique index concurrently q on t (a);--> statement-breakpoint\n"
        "alter table t add b text",
        "drop index concurrently if exists q;--> statement-breakpoint\n"
        "alter table t drop column if exists b",
    )
    up(postgres, TABLE)
    before = schema(postgres)
    asked(postgres, "insert into t values (1, 'x'), (2, 'x')")
    with pytest.raises(MigrationFailed):
        up(postgres, half)
    # pg_dump leaves an invalid index out.
    invalid = "select indexrelid::regclass from pg_index where not indisvalid"
    assert asked(postgres, invalid) == ["q"]
    (done,) = undo(postgres, half=half)
    assert done.migration is half
    assert asked(postgres, invalid) == []
    assert schema(postgres) == before
    assert hashes(postgres) == [TABLE.hash]


def test_a_down_that_fails_leaves_the_rest(postgres: Near) -> None:
    wrong = replace(COLUMN, down="alter table t drop b;\ndrop index nowhere")
    up(postgres, TABLE, wrong, INDEX)
    with pytest.raises(NeedsPerson) as caught:
        undo(postgres, wrong, INDEX)
    assert "0001.down.sql failed" in str(caught.value)
    assert "Taken back: 0002. Still applied: 0001." in caught.value.state
    assert caught.value.mend == RESTORE
    assert hashes(postgres) == [TABLE.hash, wrong.hash]
    assert asked(postgres, "select count(b) from t") == ["0"]
    with pytest.raises(HostError, match="Nothing has been taken back"):
        undo(postgres, wrong)


class Between:
    """Does something to the database when a session that matches is about to begin."""

    def __init__(self, postgres: Near, sign: str, sql: str, *, lose: bool = False) -> None:
        self.postgres, self.sign, self.sql, self.lose = postgres, sign, sql, lose
        self.host = postgres.host

    def psql(self, sql: str, *, timeout: float, doing: str, changes: bool = False) -> str:
        mine = self.sign in sql
        if mine and self.sql:
            asked(self.postgres, self.sql)
        printed = self.postgres.psql(sql, timeout=timeout, doing=doing)
        if mine and self.lose:
            raise OutcomeUnknown("db-1", "the connection was lost")
        return printed


def test_what_is_written_after_the_look_is_seen_under_the_lock(postgres: Near) -> None:
    up(postgres, TABLE, COLUMN, INDEX)
    server: Any = Between(postgres, "begin 0", "insert into t values (1, 'x', 'y')")
    with pytest.raises(NeedsPerson) as caught:
        undo(server, COLUMN, INDEX)
    assert "0001.down.sql  class A: t.b was written" in str(caught.value)
    assert "Taken back: 0002." in caught.value.state
    assert asked(postgres, "select b from t") == ["y"]
    assert hashes(postgres) == [TABLE.hash, COLUMN.hash]


def test_another_migrators_newer_row_stops_it(postgres: Near) -> None:
    up(postgres, TABLE, COLUMN)
    newer = "insert into drizzle.__drizzle_migrations (hash, created_at) values ('x', 9)"
    server: Any = Between(postgres, "begin 0", newer)
    with pytest.raises(HostError, match="a newer migration is applied"):
        undo(server, COLUMN)
    assert hashes(postgres) == [TABLE.hash, COLUMN.hash, "x"]


def test_a_lost_connection_is_looked_after(postgres: Near) -> None:
    up(postgres, TABLE, COLUMN, INDEX)
    server: Any = Between(postgres, "begin 0", "", lose=True)
    said: list[str] = []
    done = undo(server, COLUMN, INDEX, say=said.append)
    assert [one.migration.name for one in done] == ["0002", "0001"]
    assert said == ["the connection was lost, and the database has taken it all back"]
    assert hashes(postgres) == [TABLE.hash]


def test_a_lock_is_waited_for_and_tried_again(postgres: Near) -> None:
    up(postgres, TABLE, COLUMN)
    held = "begin; select * from t; select pg_sleep(2.5); commit"
    holder = threading.Thread(target=asked, args=(postgres, held))
    holder.start()
    locked = "select count(*) from pg_locks where relation = 't'::regclass"
    while asked(postgres, locked) == ["0"]:
        pass
    said: list[str] = []
    (done,) = undo(postgres, COLUMN, limits=Limits(0.5, 60), say=said.append)
    holder.join()
    assert done.attempts > 1
    assert "0001.down.sql: " in said[0]
    assert "pid " in said[0]
    assert hashes(postgres) == [TABLE.hash]


def test_a_guard_that_cannot_be_asked_is_told(postgres: Near) -> None:
    up(postgres, TABLE, COLUMN)
    asked(postgres, "create role nobody_at_all")
    asked(postgres, "alter table t owner to nobody_at_all")
    try:
        server: Any = As(postgres)
        with pytest.raises(CommandFailed, match="permission denied"):
            undo(server, COLUMN)
    finally:
        asked(postgres, "alter table t owner to shop; drop owned by weak; drop role weak")
        asked(postgres, "drop role nobody_at_all")
    assert hashes(postgres) == [TABLE.hash, COLUMN.hash]


class As:
    """Asks as a role that may see Drizzle's table and no other."""

    def __init__(self, postgres: Near) -> None:
        self.postgres, self.host = postgres, postgres.host
        asked(postgres, "create role weak; grant usage on schema drizzle, public to weak")
        asked(postgres, "grant select on all tables in schema drizzle to weak")

    def psql(self, sql: str, *, timeout: float, doing: str, changes: bool = False) -> str:
        return self.postgres.psql(f"set role weak;\n{sql}", timeout=timeout, doing=doing)

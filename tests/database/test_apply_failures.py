"""Migrations that fail on a real PostgreSQL: what is said, and what things are like then."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from deploy.database.migrations.apply import Applier
from deploy.database.migrations.blockers import LOCK
from deploy.database.migrations.failure import MigrationFailed, Outcome
from deploy.database.migrations.folder import Format
from deploy.database.migrations.recorded import recorded
from deploy.database.migrations.script import Limits
from deploy.errors import HostError

from .conftest import BOTH, asked
from .migrations import migration
from .test_apply import names, tables

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.remote.host import Host

    from .shells import Near

from .applying import LAST, T, apply, failing, holding, until

pytestmark = pytest.mark.fleet


# --- a file that is wrong ------------------------------------------------------------------------

UNRULY = {
    "no such table": ("create table half ();\n\ninsert into nowhere values (1)", 3, "42P01"),
    "no SQL": ("create table half ();\nfrobnicate", 2, "42601"),
    "in a later piece": (
        "create table half ();--> statement-breakpoint\n\nselect 1;--> statement-breakpoint\n"
        "-- why\nselect\n\tfrob\nfrom t",
        6,
        "42703",
    ),
    "windows": ("create table half ();\r\nselect 1;\r\nfrobnicate\r\n", 3, "42601"),
    "its data": ("create table half ();\n--> statement-breakpoint\n\nselect 1 / 0", 4, "22012"),
    "its data, one of several": ("create table half (); select 1 / 0", None, "22012"),
    "within a body": (
        "create table half ();--> statement-breakpoint\ndo $$ begin\n\nexecute 'select\nfrob';"
        " end $$",
        2,
        "42703",
    ),
    "a quote is not closed": ("create table half (); select 'oops", 1, "42601"),
    "a dollar quote is not closed": ("create table half (); do $$ begin null;", 1, "42601"),
    "a bracket is not closed": ("create table half ();\nselect (1", 2, "42601"),
    "a comment is not closed": ("create table half ();\n/* oops", 2, "42601"),
    "a byte order mark": ("\ufeffcreate table half ()", 1, "42601"),
    "a command of psql's": ("create table half ();\n\\echo x", 2, "42601"),
    "a variable of psql's": ("create table half ();\nselect :DBNAME", 2, "42601"),
}


@BOTH
@pytest.mark.parametrize(("sql", "line", "state"), UNRULY.values(), ids=UNRULY)
def test_a_file_that_fails_is_rolled_back_alone_and_named(
    postgres: Near, sql: str, line: int | None, state: str
) -> None:
    bad = migration("0001_bad", 2, sql)
    error = failing(postgres, T, bad, LAST)
    now = error.now
    assert (now.file, now.line, now.state) == ("0001_bad.sql", line, state)
    assert now.rolled_back is True
    assert (now.applied, now.left) == (("0000_t",), ("0001_bad", "0009_last"))
    assert now.as_before is False
    assert [(one.migration.name, one.outcome) for one in now.results] == [
        ("0000_t", Outcome.APPLIED),
        ("0001_bad", Outcome.FAILED),
    ]
    where = f" at line {line}" if line else ""
    assert error.reason.startswith(f"0001_bad.sql failed{where} and was rolled back: ")
    assert f"({state})" in error.reason
    assert "Applied: 0000_t. Not applied: 0001_bad, 0009_last." in error.state
    assert tables(postgres) == ["t"]
    assert names(postgres) == [T.hash]


def test_the_first_file_leaves_the_schema_as_before(service: Access) -> None:
    error = failing(service, migration("0000_bad", 1, "create table half (); frob"))
    assert error.now.as_before is True
    assert "Applied: none. Not applied: 0000_bad." in error.state
    assert "The schema is as before." in error.state


def test_no_right_to_begin(postgres: Near) -> None:
    """Nothing was begun, and no file is to blame."""
    asked(
        postgres,
        "drop role if exists poor; create role poor login;"
        "revoke create on database shop from public; create schema drizzle",
    )

    @dataclass
    class Poor:
        """The same server, asked as somebody who may do little."""

        host: Host

        def psql(self, sql: str, *, timeout: float, doing: str, changes: bool = False) -> str:
            return postgres.psql(
                f"set session authorization poor;\n{_kept(sql)}", timeout=timeout, doing=doing
            )

    def _kept(sql: str) -> str:
        return sql.replace("reset session authorization;\n", "")

    error = failing(Poor(postgres.host), T)
    assert "the migrations could not be begun: permission denied" in error.reason
    assert (error.now.file, error.now.state, error.now.as_before) == ("", "42501", True)
    assert error.now.left == ("0000_t",)


# --- time ----------------------------------------------------------------------------------------


def test_a_statement_may_take_no_longer_than_it_may(postgres: Near) -> None:
    began = time.monotonic()
    slow = migration("0001_slow", 2, "select 1;\n--> statement-breakpoint\nselect pg_sleep(30)")
    error = failing(postgres, T, slow, statement=0.5, attempts=5)
    assert time.monotonic() - began < 10
    assert (error.now.file, error.now.line, error.now.state) == ("0001_slow.sql", 3, "57014")
    assert error.now.results[-1].attempts == 1
    assert "database.statement_timeout" in error.mend
    assert names(postgres) == [T.hash]


@BOTH
def test_a_lock_that_is_not_had_names_who_holds_it(postgres: Near) -> None:
    apply(postgres, T)
    pauses: list[float] = []
    said: list[str] = []
    late = migration("0001_late", 2, "select 1;\nalter table t add x int")
    with holding(postgres, "lock table t in access share mode"):
        (pid,) = asked(
            postgres, "select pid from pg_stat_activity where application_name = 'nightly'"
        )
        applier = Applier(
            postgres,
            Limits(1, 60, attempts=3),
            sleep=pauses.append,
            chance=lambda low, high: (low + high) / 2,
            say=said.append,
        )
        with pytest.raises(MigrationFailed) as caught:
            applier.apply([late, LAST], form=Format.V0)
    error = caught.value
    assert error.reason.startswith(
        "0001_late.sql failed and was rolled back, the last of 3 attempts: "
    )
    assert (error.now.state, error.now.as_before) == ("55P03", True)
    (blocker,) = error.now.blockers
    assert (blocker.pid, blocker.application) == (int(pid), "nightly")
    assert (blocker.client, blocker.user) == ("127.0.0.1", "shop")
    assert blocker.state == "active"
    assert blocker.query_start[:3] == "202"
    assert blocker.transaction_start[:3] == "202"
    assert f"It waited for pid {pid}, nightly (user shop, from 127.0.0.1" in error.state
    assert f"SELECT pg_terminate_backend({pid});" in error.mend
    assert [(one.outcome, one.attempts) for one in error.now.results] == [(Outcome.FAILED, 3)]
    assert pauses == [0.75, 1.5]
    assert len(said) == 2
    assert said[0].startswith("0001_late.sql: canceling statement due to lock timeout; pid ")
    assert said[0].endswith("; attempt 2 of 3 in 0.8 s")
    assert tables(postgres) == ["t"]


def test_a_lock_that_comes_free_is_had_at_the_next_attempt(postgres: Near) -> None:
    apply(postgres, T)
    with contextlib.ExitStack() as stack:
        stack.enter_context(holding(postgres, "lock table t in access share mode"))
        late = migration("0001_late", 2, "alter table t add x int")
        early = migration("0001_early", 2, "create table early ()")
        applier = Applier(postgres, Limits(2, 60), sleep=lambda _s: stack.close())
        results = applier.apply([early, late, LAST], form=Format.V0)
    assert [(one.migration.name, one.outcome, one.attempts) for one in results] == [
        ("0001_early", Outcome.APPLIED, 1),
        ("0001_late", Outcome.APPLIED, 2),
        ("0009_last", Outcome.APPLIED, 1),
    ]
    assert [[one.application for one in done.blockers] for done in results] == [[], ["nightly"], []]
    assert names(postgres) == [T.hash, early.hash, late.hash, LAST.hash]


def test_a_deadlock_is_tried_again(postgres: Near) -> None:
    apply(postgres, T, migration("0001_u", 2, "create table u ()"))
    # Ours takes t, then u; the other has u, and wants t as soon as ours waits for u.
    waiting = (
        "do $$ begin while not exists (select from pg_stat_activity where wait_event_type = 'Lock'"
        " and application_name = 'headway-migrate') loop perform pg_sleep(0.05);"
        " perform pg_stat_clear_snapshot(); end loop; end $$"
    )
    other = f"begin; set deadlock_timeout = '1min'; lock table u; {waiting}; lock table t; commit"
    mine = migration(
        "0002",
        3,
        "set deadlock_timeout = '100ms';lock table t;--> statement-breakpoint\n"
        "alter table u add x int",
    )
    with ThreadPoolExecutor(1) as pool:
        session = pool.submit(asked, postgres, other)
        until(
            postgres,
            "select count(*) from pg_locks where relation = 'u'::regclass"
            " and mode = 'AccessExclusiveLock'",
        )
        done = apply(postgres, mine, lock=20, attempts=3)
        session.result(30)
    assert [(one.outcome, one.attempts) for one in done] == [(Outcome.APPLIED, 2)]


def test_another_migrator_is_waited_for_only_so_long(postgres: Near) -> None:
    with holding(postgres, f"select pg_advisory_lock({LOCK})", "headway-migrate"):
        began = time.monotonic()
        error = failing(postgres, T, turn=0.5, attempts=5)
        assert time.monotonic() - began < 10
    assert error.reason == "another migrator is at work, and was waited for 0.5 s"
    (holder,) = error.now.blockers
    assert (holder.application, holder.client) == ("headway-migrate", "127.0.0.1")
    assert error.now.as_before is True
    assert error.now.results == ()
    assert f"It waited for pid {holder.pid}, headway-migrate" in error.state
    assert recorded(postgres).rows == ()


# --- outside of a transaction --------------------------------------------------------------------


@BOTH
def test_an_index_that_a_failure_leaves_is_named(postgres: Near) -> None:
    apply(postgres, T)
    index = migration("0001_index", 2, 'CREATE UNIQUE INDEX CONCURRENTLY "t_A" ON "t" ("a")')
    error = failing(postgres, index, LAST)
    now = error.now
    assert (now.file, now.line, now.state) == ("0001_index.sql", 1, "23505")
    assert now.rolled_back is False
    assert now.invalid == ('public."t_A"',)
    assert now.drops == ['DROP INDEX CONCURRENTLY public."t_A";']
    assert "0001_index.sql failed at line 1 outside of a transaction: " in error.reason
    assert 'It left an index that is not valid: public."t_A".' in error.state
    assert 'Type: DROP INDEX CONCURRENTLY public."t_A";' in error.mend
    assert names(postgres) == [T.hash]
    # IF NOT EXISTS would pass it over, and the rows would say that there is an index.
    again = migration("0001_index", 2, f"{index.sql.replace('LY ', 'LY IF NOT EXISTS ')}")
    error = failing(postgres, again)
    assert error.now.invalid == ('public."t_A"',)
    assert 'names an index that is not valid: public."t_A" (55000)' in error.reason
    assert names(postgres) == [T.hash]
    # As it says.
    asked(postgres, "delete from t where id = 2")
    asked(postgres, error.now.drops[0])
    apply(postgres, again, LAST)
    assert asked(
        postgres, "select indisvalid from pg_index where indisunique and indrelid = 't'::regclass"
    ) == ["t"]
    assert names(postgres) == [T.hash, again.hash, LAST.hash]


def test_an_invalid_index_of_others_is_not_ours(postgres: Near) -> None:
    apply(postgres, T)
    with pytest.raises(HostError):
        asked(postgres, "create unique index concurrently theirs on t (a)")
    other = migration("0001", 2, "create index concurrently ours on t (id);vacuum nowhere")
    error = failing(postgres, other)
    assert error.now.invalid == ()
    assert (error.now.rolled_back, error.now.line) == (False, 1)
    assert "a part of it may be applied" in error.state
    assert "take back what 0001.sql has done" in error.mend


def test_nothing_is_left_by_what_failed_before_anything_was_done(postgres: Near) -> None:
    error = failing(postgres, migration("0000", 1, "create index concurrently i on nowhere (a)"))
    assert (error.now.state, error.now.rolled_back, error.now.as_before) == ("42P01", True, True)


OWN = {
    "before its commit": ("begin;{0}create table half ();{0}frob;{0}commit", True, []),
    "behind its commit": ("begin;{0}create table half ();{0}commit;{0}frob", False, ["half"]),
}


@pytest.mark.parametrize(("sql", "rolled_back", "left"), OWN.values(), ids=OWN)
def test_a_file_with_its_own_transaction(
    postgres: Near, sql: str, rolled_back: bool, left: list[str]
) -> None:
    one = migration("0000", 1, sql.format("--> statement-breakpoint\n"))
    error = failing(postgres, one, LAST)
    assert (error.now.rolled_back, error.now.as_before) == (rolled_back, rolled_back)
    assert not error.now.results[0].transactional
    assert tables(postgres) == left
    assert names(postgres) == []


def test_what_is_not_transactional_is_not_tried_again(postgres: Near) -> None:
    apply(postgres, T)
    with holding(postgres, "lock table t"):
        one = migration("0001", 2, "set lock_timeout = '4s'; vacuum t")
        error = failing(postgres, one, attempts=5)
    assert error.now.state == "55P03"
    assert error.now.results[0].attempts == 1
    assert [one.application for one in error.now.blockers] == ["nightly"]


def test_concurrently_waits_as_long_as_it_may_take(postgres: Near) -> None:
    """Nobody queues behind it; were it to give up, it would leave an invalid index."""
    apply(postgres, T)
    index = migration("0001", 2, "create index concurrently i on t (a)")
    with ThreadPoolExecutor(1) as pool, contextlib.ExitStack() as stack:
        stack.enter_context(holding(postgres, "insert into t values (3, 3)"))
        run = pool.submit(apply, postgres, index, lock=0.5)
        time.sleep(2)
        assert not run.done()
        stack.close()
        (done,) = run.result(30)
    assert done.outcome is Outcome.APPLIED

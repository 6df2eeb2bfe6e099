"""A rehearsal on a real server."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from deploy.database.catalogue.catalogue import read
from deploy.database.catalogue.shape import differences, shape
from deploy.database.contract.snapshot import Field, Snapshot, Table
from deploy.database.lint.lint import File, allowances, lint
from deploy.database.lint.verdict import refused, verdict
from deploy.database.migrations.folder import Format, read_folder
from deploy.database.migrations.recorded import recorded
from deploy.database.migrations.script import Limits
from deploy.database.rehearsal.course import Pending, rehearse
from deploy.database.rehearsal.merge import merge
from deploy.database.rehearsal.rehearsed import Way
from tests.database.conftest import asked
from tests.database.migrations import hidden, migration, rows, shop_folder, v1

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from deploy.database.lint.rules import Finding
    from deploy.database.migrations.folder import Migration
    from deploy.database.rehearsal.rehearsed import Rehearsed
    from deploy.database.server import Server
    from deploy.remote.host import Host
    from tests.database.shells import Near

pytestmark = pytest.mark.fleet

LIMITS = Limits(5, 60, turn=20)
BASE = """
create type mood as enum ('sad', 'ok');
create table users (id integer primary key, name text not null, note text, mood mood);
insert into users select n, 'ada', 'x', 'ok' from generate_series(1, 20000) n;
create table orders (id integer primary key, total integer not null);
insert into orders select n, n from generate_series(1, 100) n;
analyze;
"""
USERS = Table(
    "public",
    "users",
    (
        Field("id", "integer", not_null=True, optional=False),
        Field("name", "text", not_null=True, optional=False),
        Field("note", "text", not_null=False, optional=False),
    ),
    (("id",),),
)
RUNNING = Snapshot((USERS,), ())


def files(*texts: str) -> list[Migration]:
    return [migration(f"{n:04}_m", n + 1, text) for n, text in enumerate(texts)]


def pending(
    *texts: str, downs: Mapping[str, str | None] | None = None, later: Collection[str] = ()
) -> Pending:
    """With `downs`, by the names of the files, their ways back are tried."""
    found = [replace(one, down=(downs or {}).get(one.name)) for one in files(*texts)]
    return Pending(found, Format.V0, LIMITS, later=later, downs=downs is not None)


def judged(found: Rehearsed, what: Pending) -> list[Finding]:
    """What is refused in the end, after the text and the catalogue."""
    texts = [File(one.path, one.sql) for one in what.migrations]
    allowed = {one.path: allowances(one) for one in texts}
    merged = merge(lint(texts), found.findings, decided=found.decided, allowed=allowed)
    return refused(verdict(merged, sizes={"users": 1000, "orders": 1000}))


def test_harmless_files(postgres: Near) -> None:
    asked(postgres, BASE)
    what = pending(
        "alter table users add column phone text;",
        "create index concurrently users_name on users (name);",
    )
    found = rehearse(postgres, what, running=RUNNING, real={"users": 1})
    column, index = found.trials
    assert column.measured
    assert column.measured.transaction
    assert column.measured.finished
    assert column.measured.strongest
    assert column.measured.strongest.name == "users"
    assert column.measured.strongest.lock == "AccessExclusiveLock"
    assert 0 < column.measured.seconds < 30
    assert index.measured
    assert not index.measured.transaction
    assert [table.name for table in index.measured.tables] == ["users"]
    assert index.measured.tables[0].lock in {"", "ShareUpdateExclusiveLock"}
    assert index.estimate
    assert index.estimate.seconds == index.measured.seconds
    assert found.findings == ()
    assert found.contract == ()
    assert (found.failed, found.untried) == (None, ())
    assert judged(found, what) == []
    assert recorded(postgres).rows == rows(*what.migrations)
    assert json.loads(json.dumps(found.body()))["trials"][1]["file"] == "0001_m.sql"
    assert found.lines()[0].startswith("0000_m.sql: 0.")


@dataclass(frozen=True)
class Listening:
    """A server that remembers what it was asked."""

    real: Server
    asked: list[str] = field(default_factory=list)

    @property
    def host(self) -> Host:
        return self.real.host

    def psql(self, sql: str, *, timeout: float, doing: str, changes: bool = False) -> str:
        self.asked.append(sql)
        return self.real.psql(sql, timeout=timeout, doing=doing)


def test_nobody_is_looked_for_who_may_hold_a_lock(postgres: Near) -> None:
    """On a copy there is nobody else; a second session would only make it slower."""
    asked(postgres, BASE)
    what = pending("alter table users add slow text; select pg_sleep(1.5);")
    copy = Listening(postgres)
    assert rehearse(copy, what).failed is None
    assert [sql for sql in copy.asked if "headway-migrate-watch" in sql] == []


HIDDEN = {
    "a column": ("alter table users drop column note", "drop-column", "users.note"),
    "an enum's value": (
        "alter type mood rename value 'sad' to 'blue'",
        "rename-enum-value",
        "mood",
    ),
    "rows": ("delete from orders where id > 90", "delete", "orders"),
    "all rows": ("update orders set total = 0", "update-all", "orders"),
}


@pytest.mark.parametrize(("sql", "rule", "subject"), HIDDEN.values(), ids=HIDDEN.keys())
def test_what_is_hidden_is_found(postgres: Near, sql: str, rule: str, subject: str) -> None:
    asked(postgres, BASE)
    what = pending("select 1;\n\n" + hidden(sql))
    found = rehearse(postgres, what)
    assert [(one.rule, one.subject) for one in found.findings] == [(rule, subject)]
    # The block's own line is known, as it can only have come from there.
    assert [(one.file, one.line, one.rule) for one in judged(found, what)] == [
        ("0000_m.sql", 3, rule)
    ]


@pytest.mark.parametrize(("sql", "rule", "subject"), HIDDEN.values(), ids=HIDDEN.keys())
def test_what_is_in_the_open_is_said_once(
    postgres: Near, sql: str, rule: str, subject: str
) -> None:
    asked(postgres, BASE)
    what = pending(f"select 1;\n{sql};")
    found = rehearse(postgres, what)
    assert [(one.line, one.rule, one.subject) for one in judged(found, what)] == [
        (2, rule, subject)
    ]


def test_a_harmless_block_passes_only_after_its_rehearsal(postgres: Near) -> None:
    asked(postgres, BASE)
    what = pending(hidden("alter table users add column phone text"))
    assert judged(rehearse(postgres, what), what) == []
    asked(postgres, "drop schema drizzle cascade; alter table users drop column phone")
    (opaque,) = judged(rehearse(postgres, what, rows=False), what)
    assert opaque.rule == "opaque"


def test_the_running_version(postgres: Near) -> None:
    """It has to live with what comes before the contract files, and not with those."""
    asked(postgres, BASE)
    texts = (
        "alter table users add column phone text;",
        "alter table users drop column note;",
    )
    found = rehearse(postgres, pending(*texts, later={"0001_m"}), running=RUNNING)
    assert found.contract == ()
    assert [one.later for one in found.trials] == [False, True]
    asked(postgres, "drop schema drizzle cascade; drop table users, orders; drop type mood")
    asked(postgres, BASE)
    found = rehearse(postgres, pending(*texts), running=RUNNING)
    assert found.contract
    assert {one.table for one in found.contract} == {"users"}
    assert found.contract[0].message.startswith("42703")


def test_a_file_that_fails_is_a_result(postgres: Near) -> None:
    asked(postgres, BASE)
    what = pending(
        "alter table users add column phone text;",
        "create table t (id int);--> statement-breakpoint\nalter table nobody add column x int;",
        "select 1",
        downs={"0000_m": "alter table users drop column phone"},
    )
    found = rehearse(postgres, what, running=RUNNING)
    failed = found.failed
    assert failed is found.trials[1]
    assert failed
    assert failed.failure
    assert (failed.failure.line, failed.failure.state) == (2, "42P01")
    assert failed.failure.as_before
    assert found.untried == ("0002_m",)
    assert found.contract is None
    assert found.trials[0].back is None
    assert found.decided == {"0000_m.sql"}
    assert "0001_m.sql: failed at line 2:" in found.lines()[1]


def test_a_file_that_fails_outside_a_transaction(postgres: Near) -> None:
    asked(postgres, BASE)
    what = pending(
        "create index concurrently a on users (name);\n"
        "create unique index concurrently b on users (note);"
    )
    (trial,) = rehearse(postgres, what).trials
    assert trial.failure
    assert (trial.failure.state, trial.failure.as_before) == ("23505", False)


def test_a_file_that_cannot_be_run_at_all(postgres: Near) -> None:
    (trial,) = rehearse(postgres, pending("copy t from stdin;")).trials
    assert trial.failure
    assert "COPY … FROM STDIN" in trial.failure.message


def test_there_and_back_and_there_again(postgres: Near) -> None:
    asked(postgres, BASE)
    downs = {
        "0000_m": "drop table notes;--> statement-breakpoint\nalter table users drop phone;",
        "0001_m": "drop index concurrently users_name;",
        "0002_m": "-- nothing is to be taken back",
    }
    what = pending(
        "alter table users add phone text; create table notes (id serial primary key);",
        "create index concurrently users_name on users (name);",
        "update users set phone = '1' where phone is null;",
        downs=downs,
    )
    found = rehearse(postgres, what)
    assert all(one.back and one.back.proven for one in found.trials)
    assert recorded(postgres).rows[-1].hash == what.migrations[-1].hash
    assert len(recorded(postgres).rows) == 3
    assert asked(postgres, "select count(*) from users where phone = '1'") == ["20000"]
    # A backfill of every row is what the text says that it is.
    assert judged(found, what) == []


def test_ways_back_that_lead_elsewhere(postgres: Near) -> None:
    asked(postgres, BASE)
    what = pending(
        "alter table users add a int;",
        "alter table users add b int;",
        "alter type mood add value 'new';",
        "alter table users add c int not null default 0;",
        downs={
            "0000_m": "alter table users drop a",
            "0001_m": "select 1;--> statement-breakpoint\nalter table users drop nothing",
            "0002_m": "select 1",
            "0003_m": "alter table users drop c",
        },
    )
    first, second, third, last = rehearse(postgres, what).trials
    assert last.back
    assert last.back.proven
    # SQL takes no value out of an enum: there is nothing to be tried, and nothing wrong with it.
    assert third.back
    assert third.back.way is Way.NONE
    assert second.back
    assert second.back.way is Way.FAILED
    assert second.back.failure
    assert (second.back.failure.line, second.back.failure.state) == (2, "42703")
    assert second.back.failure.as_before
    assert first.back
    assert first.back.way is Way.UNTRIED


def test_no_way_back(postgres: Near) -> None:
    asked(postgres, BASE)
    what = pending(
        "alter table users add a int;",
        "alter table users add b int;",
        downs={"0000_m": "alter table users drop a", "0001_m": None},
    )
    found = rehearse(postgres, what)
    assert [one.back and one.back.way for one in found.trials] == [Way.UNTRIED, Way.MISSING]


def test_the_shop(postgres: Near) -> None:
    folder = read_folder(shop_folder())
    found = rehearse(postgres, Pending(folder.migrations, folder.format, LIMITS, downs=True))
    assert not found.failed
    assert [one.back and one.back.proven for one in found.trials] == [True] * 5
    assert len(recorded(postgres).rows) == len(folder.migrations)


def test_drizzle_kit_1(postgres: Near) -> None:
    folder = read_folder(v1(_a="create table t (id int);", _b="alter table t add x int;"))
    made, changed = folder.migrations
    files = (
        replace(made, down="drop table t;"),
        replace(changed, down="alter table t drop x;"),
    )
    found = rehearse(postgres, Pending(files, folder.format, LIMITS, downs=True))
    assert all(one.back and one.back.proven for one in found.trials)
    assert [row.name for row in recorded(postgres).rows] == [one.name for one in folder.migrations]


def test_a_shape_is_without_oids_and_order(postgres: Near) -> None:
    asked(postgres, BASE)
    before = shape(read(postgres))
    asked(postgres, "alter table users drop note; alter table users add note text")
    assert shape(read(postgres)) == before
    asked(postgres, "alter table users alter note set default 'x'; drop table orders")
    told = differences(before, shape(read(postgres)))
    assert "+ column users.note: text not_null=False default='x'::text" in told[-1]
    assert {line.partition(":")[0] for line in told} >= {"- table orders", "- index orders_pkey"}

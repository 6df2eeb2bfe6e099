"""What a migration did to a real server: seconds, locks, rewritten tables, rows."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from deploy.database.catalogue.catalogue import parse as catalogue
from deploy.database.catalogue.hazards import hazards
from deploy.database.catalogue.query import QUERY
from deploy.database.measure import watch
from deploy.database.measure.samples import add_samples, sample_sql
from deploy.database.measure.scale import Estimate, scale
from deploy.database.measure.watch import Measured, Touched
from deploy.errors import CommandFailed
from tests.database.conftest import BOTH, asked
from tests.database.migrations import hidden

if TYPE_CHECKING:
    from tests.database.shells import Near

BASE = """
drop schema public cascade; create schema public;
create table users (id integer primary key, age integer, name varchar(50), mail text);
insert into users select n, n, 'ada', 'm' from generate_series(1, 5000) n;
create table orders (id integer primary key, user_id integer, total integer);
insert into orders select n, n, n from generate_series(1, 100) n;
create table posts (id integer references orders (id) on delete cascade);
insert into posts values (1), (2);
create table idle (id integer);
"""

# What it is → the file, and "rule subject" of each finding.
FILES: dict[str, tuple[str, set[str]]] = {
    "nothing": ("select 1", set()),
    "rows are read": ("select count(*) from users", set()),
    "a column": ("alter table users add phone text", set()),
    "a table": ("create table t as select * from users; create index on t (age)", set()),
    "rows go": (
        "delete from orders where id > 90 or id = 1",
        {"delete orders", "delete posts"},
    ),
    "rows change": ("update users set age = 0 where id < 10", {"update users"}),
    "all rows change": ("update users set age = 0", {"update-all users"}),
    "rows come": ("insert into idle values (1), (2)", {"insert idle"}),
    "rows come and go": (
        "insert into idle values (1); delete from idle",
        {
            "insert idle",
            "delete idle",
        },
    ),
    "truncate": (
        "truncate idle, users",
        {
            "truncate idle",
            "truncate users",
            "many-locks idle",
        },
    ),
    "truncate, and another row": (
        "truncate users; insert into users values (1)",
        {"truncate users", "insert users"},
    ),
    "cluster": ("cluster users using users_pkey", {"lock-table users"}),
    "another type": ("alter table users alter age type bigint", {"rewrite users"}),
    "a wider type": ("alter table users alter name type text", set()),
    "a volatile default": (
        "alter table users add u uuid default gen_random_uuid()",
        {"rewrite users"},
    ),
    "a constant default": ("alter table users add n int not null default 1", set()),
    "no nulls": ("alter table users alter mail set not null", {"set-not-null-scan users.mail"}),
    "no nulls, as a check has shown": (
        """alter table users add constraint c check (mail is not null) not valid;
        alter table users validate constraint c;
        alter table users alter mail set not null; alter table users drop constraint c""",
        # In one transaction the check's own scan is under the strong lock all the same.
        {"set-not-null-scan users.mail"},
    ),
    "an index": ("create index on users (age)", {"index-blocks-writes users"}),
    "a unique": ("alter table users add unique (age)", {"unique-builds-index users"}),
    "a check": ("alter table users add check (age > 0)", {"constraint-scan users"}),
    "a check that is not valid": ("alter table users add check (age > 0) not valid", set()),
    "a foreign key": (
        "alter table orders add foreign key (user_id) references users (id)",
        {"constraint-scan orders"},
    ),
    "two tables": (
        "alter table users add x int; alter table orders add x int",
        {"many-locks orders"},
    ),
}


def transaction(file: str, sql: str) -> str:
    return "\n".join(
        [
            *("begin;", watch.begin_sql(file, transaction=True), sql, ";"),
            *(watch.before_commit_sql(), "commit;", watch.after_sql()),
        ]
    )


@pytest.mark.fleet
@BOTH
@pytest.mark.parametrize(("sql", "expected"), FILES.values(), ids=FILES.keys())
def test_hazards(postgres: Near, sql: str, expected: set[str]) -> None:
    for disguised in (sql, hidden(sql)):
        # Another session, as what one has done is kept back in it for a while.
        asked(postgres, BASE)
        text = postgres.psql(
            QUERY + transaction("f.sql", disguised) + QUERY, timeout=60, doing="it failed"
        )
        before, after = (catalogue(line) for line in text.splitlines() if line.startswith("{"))
        (measured,) = watch.parse(text)
        assert measured.finished
        assert 0 < measured.seconds < 30
        found = hazards(measured, before, after)
        assert {f"{one.rule} {one.subject}" for one in found} == expected
        assert all(one.detail and one.file == "f.sql" for one in found)


@pytest.mark.fleet
def test_what_the_batch_has_made_is_nobodys_yet(postgres: Near) -> None:
    asked(postgres, BASE)
    parts = ["create table t as select 1 as a;", QUERY]
    parts += [transaction("2.sql", "update t set a = 2; alter table t add check (a > 1)"), QUERY]
    text = postgres.psql(QUERY + "\n".join(parts), timeout=60, doing="it failed")
    base, before, after = (catalogue(line) for line in text.splitlines() if line.startswith("{"))
    (one,) = watch.parse(text)
    assert hazards(one, before, after, base=base) == []
    found = {finding.rule for finding in hazards(one, before, after)}
    assert found == {"constraint-scan", "update-all"}


@pytest.mark.fleet
@BOTH
def test_a_check_that_is_added_and_validated_in_files_of_their_own(postgres: Near) -> None:
    """As docs/migrations.md has it: neither the check nor SET NOT NULL reads rows under a lock."""
    asked(postgres, BASE)
    files = (
        "alter table users add constraint c check (mail is not null) not valid",
        "alter table users validate constraint c",
        "alter table users alter mail set not null; alter table users drop constraint c",
    )
    scans = []
    for sql in files:
        text = postgres.psql(
            QUERY + transaction("f.sql", sql) + QUERY, timeout=60, doing="it failed"
        )
        before, after = (catalogue(line) for line in text.splitlines() if line.startswith("{"))
        (one,) = watch.parse(text)
        assert hazards(one, before, after) == []
        scans.append(sum(table.scans for table in one.tables))
    assert [bool(count) for count in scans] == [False, True, False]


def measured(postgres: Near, *parts: str) -> list[Measured]:
    return watch.parse(postgres.psql("\n".join(parts), timeout=60, doing="it failed"))


@pytest.mark.fleet
def test_files_are_measured_one_by_one(postgres: Near) -> None:
    asked(postgres, BASE)
    one, two, three = measured(
        postgres,
        transaction("it's.sql", "insert into idle values (1); select 'headway-mark {}' is null"),
        transaction("two.sql", "insert into idle values (2), (3); alter table users add x int"),
        transaction("three.sql", "drop table idle; create table new (id int)"),
    )
    assert [m.file for m in (one, two, three)] == ["it's.sql", "two.sql", "three.sql"]
    assert [(t.name, t.inserted) for t in one.tables] == [("idle", 1)]
    assert [(t.name, t.inserted) for t in two.tables] == [("idle", 2), ("users", 0)]
    users = two.strongest
    assert users
    assert (users.name, users.lock, users.rows) == ("users", "AccessExclusiveLock", 5000)
    assert users.bytes > 100_000
    assert [(t.name, t.made, t.lock) for t in three.tables] == [
        ("idle", False, "AccessExclusiveLock"),
        ("new", True, "AccessExclusiveLock"),
    ]
    assert three.strongest is three.tables[0]


@pytest.mark.fleet
def test_a_lock_is_timed_from_the_statement_that_took_it(postgres: Near) -> None:
    asked(postgres, BASE)
    (one,) = measured(
        postgres,
        *("begin;", watch.begin_sql("f.sql", transaction=True)),
        *("select pg_sleep(0.3);", watch.between_sql()),
        *("update users set age = 1 where id = 1;", watch.between_sql()),
        *("alter table orders add x int;", watch.between_sql()),
        *("select pg_sleep(0.2);", watch.between_sql()),
        *("alter table users add x int;", watch.before_commit_sql(), "commit;", watch.after_sql()),
    )
    held = {table.name: (table.lock, table.held) for table in one.tables}
    assert one.seconds > 0.5
    assert held["orders"][0] == held["users"][0] == "AccessExclusiveLock"
    assert 0.2 <= held["orders"][1] < 0.3 + (one.seconds - 0.5)
    # The strongest counts, and users got it last.
    assert held["users"][1] < held["orders"][1]


@pytest.mark.fleet
def test_a_file_that_fails_has_not_finished(postgres: Near) -> None:
    asked(postgres, BASE)
    with pytest.raises(CommandFailed):
        measured(postgres, transaction("f.sql", "select 1 / 0"))
    output = postgres.psql(watch.begin_sql("f.sql", transaction=True), timeout=9, doing="x")
    (one,) = watch.parse(f"noise\n{output}noise")
    assert (one.file, one.finished, one.tables) == ("f.sql", False, ())


@pytest.mark.fleet
def test_outside_a_transaction(postgres: Near) -> None:
    """Rows are counted over its statements, its locks seen from beside, a wreck is named."""
    asked(postgres, BASE)
    sql = [
        *("set application_name = 'it''s me';", watch.begin_sql("f.sql", transaction=False)),
        "create index concurrently users_age on users (age);",
        *(
            "insert into idle values (1), (2); select pg_sleep(1.5);",
            "delete from idle where id = 1;",
        ),
        "begin; lock table orders in share mode; select pg_sleep(0.3); commit;",
        *(watch.before_commit_sql(), watch.after_sql()),
    ]
    seen: list[str] = []
    other = threading.Thread(
        target=lambda: seen.append(
            postgres.psql(sample_sql("it's me", interval=0.01), timeout=60, doing="not seen")
        )
    )
    other.start()
    (one,) = measured(postgres, *sql)
    other.join()
    assert not one.transaction
    idle = next(table for table in one.tables if table.name == "idle")
    assert (idle.inserted, idle.deleted) == (2, 1)
    assert "AccessExclusiveLock" not in {table.lock for table in one.tables}
    both = {table.name: table for table in add_samples(one, seen[0]).tables}
    assert both["orders"].lock == "ShareLock"
    assert both["orders"].held > 0
    assert both["idle"].inserted == 2


@pytest.mark.fleet
def test_an_invalid_index_is_named(postgres: Near) -> None:
    asked(postgres, BASE)
    asked(postgres, "insert into idle values (1), (1)")
    with pytest.raises(CommandFailed):
        postgres.psql("create unique index concurrently wreck on idle (id)", timeout=9, doing="x")
    (one,) = measured(postgres, transaction("f.sql", "select 1"))
    assert one.invalid == ("wreck",)


@pytest.mark.fleet
def test_the_migrators_own_table_is_left_out(postgres: Near) -> None:
    sql = """create schema drizzle; create table drizzle.__drizzle_migrations (id int);
    insert into drizzle.__drizzle_migrations values (1)"""
    text = postgres.psql(transaction("f.sql", sql), timeout=9, doing="x")
    (one,) = watch.parse(text)
    assert one.tables == ()
    (one,) = watch.parse(text, ignore=())
    assert [table.name for table in one.tables] == ["drizzle.__drizzle_migrations"]


SCALES = {
    "as large": ({}, 10, 10, Estimate(2.0, True)),
    "ten times as large": ({"scans": 1}, 10, 100, Estimate(20.0, True)),
    "smaller is not quicker": ({"scans": 1}, 100, 10, Estimate(2.0, True)),
    "not gone through": ({"lock": "AccessExclusiveLock"}, 10, 1000, Estimate(2.0, True)),
    "empty there, and read": ({"scans": 1}, 0, 500, Estimate(4.0, False)),
    "empty there, and rewritten": ({"rewritten": True}, 0, 500, Estimate(22.0, False)),
    "empty in both": ({"scans": 1}, 0, 0.5, Estimate(2.0, True)),
    "new": ({"scans": 1, "made": True}, 0, 500, Estimate(2.0, True)),
}


@pytest.mark.parametrize(("did", "here", "there", "expected"), SCALES.values(), ids=SCALES.keys())
def test_scale(did: dict[str, object], here: float, there: float, expected: Estimate) -> None:
    one = Touched("t", 1, **did)  # type: ignore[arg-type]
    found = scale(Measured("f", True, 2.0, (one,)), {"t": int(here * 1e6)}, {"t": int(there * 1e6)})
    assert found == expected


def test_a_table_of_unknown_size_says_nothing() -> None:
    one = Measured("f", True, 2.0, (Touched("t", 1, scans=1),))
    assert scale(one, {}, {}) == Estimate(2.0, True)

"""Migrations applied to a real PostgreSQL: what goes well."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from deploy.database.migrations.apply import Applier
from deploy.database.migrations.compare import compare
from deploy.database.migrations.failure import Done, Outcome
from deploy.database.migrations.folder import Format, Migration, read_folder
from deploy.database.migrations.recorded import Table, recorded
from deploy.database.migrations.script import Limits
from deploy.database.migrations.states import fit
from deploy.errors import Refused

from .conftest import BOTH, asked
from .migrations import migration, rows, shop_folder

if TYPE_CHECKING:
    from deploy.database.access import Access

    from .shells import Near

pytestmark = pytest.mark.fleet


def apply(postgres: Access, *migrations: Migration, turn: float = 20) -> list[Done]:
    return Applier(postgres, Limits(5, 60, turn=turn)).apply(migrations, form=Format.V0)


def tables(postgres: Near) -> list[str]:
    return asked(
        postgres,
        "select table_name from information_schema.tables where table_schema = 'public' order by 1",
    )


def names(postgres: Access) -> list[str]:
    """The hashes of the rows, oldest first."""
    return [row.hash for row in recorded(postgres).rows]


@BOTH
def test_the_shop(postgres: Near, service: Access) -> None:
    folder = read_folder(shop_folder())
    todo = fit(compare(folder, recorded(service)))
    results = apply(service, *todo)
    assert [(one.migration, one.outcome, one.transactional, one.attempts) for one in results] == [
        (one, Outcome.APPLIED, True, 1) for one in folder.migrations
    ]
    assert all(0 <= one.seconds < 30 for one in results)
    assert recorded(postgres).rows == rows(*folder.migrations)
    assert fit(compare(folder, recorded(postgres))) == []
    assert tables(postgres) == ["jobs", "orders", "sessions", "users"]
    assert asked(postgres, "select email from users") == ["demo@shop.example"]


def test_again_is_nothing(postgres: Near) -> None:
    one = migration("0000", 1, "create table t (id int)")
    apply(postgres, one)
    before = asked(postgres, "select * from drizzle.__drizzle_migrations")
    (done,) = apply(postgres, one)
    assert (done.outcome, done.seconds) == (Outcome.ALREADY, 0.0)
    assert asked(postgres, "select * from drizzle.__drizzle_migrations") == before


def test_the_seconds_of_each_file(postgres: Near) -> None:
    slow = migration("0001", 2, "select pg_sleep(1.2)")
    quick, waited = apply(postgres, migration("0000", 1, "create table t ()"), slow)
    assert quick.seconds < 1 < waited.seconds < 10


def test_nothing_to_apply_asks_nothing(postgres: Near) -> None:
    assert apply(postgres) == []
    assert asked(postgres, "select to_regclass('drizzle.__drizzle_migrations') is null") == ["t"]


def test_another_table(postgres: Near) -> None:
    table = Table("public", "Applied $$ it's")
    one = migration("0000", 1, "create table t (id int)")
    applier = Applier(postgres, Limits(5, 60), table=table)
    applier.apply([one], form=Format.V0)
    assert recorded(postgres, table).rows == rows(one)
    assert asked(postgres, "select to_regclass('drizzle.__drizzle_migrations') is null") == ["t"]
    assert asked(postgres, f"table {table}") == [f"1|{one.hash}|1"]


# The text of `a`'s default, as it is to be in the database; its quotes are doubled in the SQL.
TEXTS = {
    "variables of psql": ":DBNAME :'DBNAME' :\"DBNAME\" :{?DBNAME}",
    "psql's commands": "\n\\q\n\\! touch /tmp/headway-was-here\n\\echo x\n\\.\n",
    "its own marks": "$hw$ $hw1$ $$ $hw",
    "a dollar at the end": "$",
    "a backslash at the end": "\\",
    "windows": "a\r\nb\r\n",
    "not ASCII": "ä€😀",
    "a quote": "it's",
    "what Headway says": "\nheadway done 0 1\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_comes_through_as_it_is(postgres: Near, text: str) -> None:
    quoted = text.replace("'", "''")
    one = migration("0000", 1, f"create table t (id int, a text default '{quoted}')")
    (done,) = apply(postgres, one)
    assert done.outcome is Outcome.APPLIED
    # psql leaves out no byte of what it prints as hexadecimal.
    (found,) = asked(
        postgres,
        "insert into t values (1) returning encode(convert_to(a, 'UTF8'), 'hex')",
    )
    assert bytes.fromhex(found).decode() == text
    assert names(postgres) == [one.hash]


FINE = {
    "no end of line": "create table t (a text)",
    "a comment at the end": "create table t (a text) -- the end",
    "many semicolons": "create table t (a text);;\n;",
    "an array's slice": "create table t (a text); select ('{1,2,3}'::int[])[1:2]",
    "a function": "create function f() returns int language sql as $f$ select 1; $f$;"
    " create table t (a text)",
    "rows that are shown": "create table t (a text); select * from generate_series(1, 100)",
    "empty pieces": "--> statement-breakpoint\n\n--> statement-breakpoint\ncreate table t ()",
    "only a comment in a piece": "create table t ();--> statement-breakpoint\n-- done",
    "a notice": "drop table if exists nowhere; create table t ()",
    "its own savepoint": "create table t (); savepoint a; drop table t; rollback to a",
    "serializable, as its first statement": "set transaction isolation level serializable;"
    "create table t ()",
    "another role": "create table t (); set role pg_monitor",
    "rows to standard output": "create table t (a int); copy t to stdout",
}


@pytest.mark.parametrize("sql", FINE.values(), ids=FINE)
def test_texts_that_are_fine(postgres: Near, sql: str) -> None:
    one, after = migration("0000", 1, sql), migration("0001", 2, "create table u ()")
    results = apply(postgres, one, after)
    assert [done.transactional for done in results] == [True, True]
    assert tables(postgres) == ["t", "u"]
    assert names(postgres) == [one.hash, after.hash]


@pytest.mark.parametrize(
    "sql",
    [
        "select pg_catalog.set_config('search_path', '', false)",
        "set lock_timeout = 1; set client_encoding = 'LATIN1'",
        "set standard_conforming_strings = off",
        "select pg_advisory_unlock_all()",
        "discard all",
        "begin; create table if not exists own ()",
        "set client_min_messages = error; set application_name = 'x'",
    ],
)
def test_a_file_leaves_nothing_to_the_next(postgres: Near, sql: str) -> None:
    one = migration("0000", 1, sql)
    says = "create table \"ä\" as select 'ä\\' as a, current_setting('application_name') as name,"
    after = migration("0001", 2, f"{says} current_setting('lock_timeout') as wait")
    apply(postgres, one, after)
    assert asked(postgres, 'select * from "ä"') == ["ä\\|headway-migrate|5s"]
    assert names(postgres) == [one.hash, after.hash]


def test_a_piece_is_one_query_as_with_drizzle(postgres: Near) -> None:
    """The text that the server is sent is the piece itself."""
    piece = "\ncreate table t as select query from pg_stat_activity where pid = pg_backend_pid();\n"
    apply(postgres, migration("0000", 1, f"select 1;--> statement-breakpoint{piece}"))
    assert asked(postgres, "select encode(convert_to(query, 'UTF8'), 'hex') from t") == [
        piece.encode().hex()
    ]


OUTSIDE = {
    "concurrently": 'CREATE INDEX CONCURRENTLY "i" ON "t" ("a")',
    "several in one piece": "create index concurrently i on t (a); create index concurrently j on "
    "t (a); drop index concurrently j",
    "Drizzle's way out of its transaction": "COMMIT;--> statement-breakpoint\n"
    "CREATE INDEX CONCURRENTLY i ON t (a);--> statement-breakpoint\nBEGIN;",
    "its own transaction": "begin; create index i on t (a); commit;",
    "it stays in its own": "create index i on t (a);--> statement-breakpoint\nbegin;select 1",
    "with bodies": "do $$ begin null; end $$;create index concurrently i on t (a);"
    "do $hw$ begin null; end $hw$",
    "vacuum": "vacuum t;--> statement-breakpoint\ncreate index i on t (a)",
    "an enum's value, used at once": "alter type e add value 'y'; create index i on t (a);"
    "insert into t (e) values ('y')",
}


@BOTH
@pytest.mark.parametrize("sql", OUTSIDE.values(), ids=OUTSIDE)
def test_outside_of_a_transaction(postgres: Near, sql: str) -> None:
    first = migration("0000", 1, "create type e as enum ('x'); create table t (a int, e e)")
    one = migration("0001", 2, sql)
    after = migration("0002", 3, "create table u ()")
    results = apply(postgres, first, one, after)
    assert [done.transactional for done in results] == [True, False, True]
    assert asked(postgres, "select indexname from pg_indexes where schemaname = 'public'") == ["i"]
    assert names(postgres) == [first.hash, one.hash, after.hash]


@pytest.mark.parametrize("attempt", range(3))
def test_several_at_once_apply_once(postgres: Near, attempt: int) -> None:
    """On an empty database, where even the making of the table can collide."""
    del attempt
    migrations = read_folder(shop_folder()).migrations
    together = threading.Barrier(4)

    def go(_number: int) -> list[Done]:
        together.wait(10)
        return apply(postgres, *migrations)

    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(go, range(4)))
    assert recorded(postgres).rows == rows(*migrations)
    assert asked(postgres, "select count(*) from users") == ["1"]
    for number in range(len(migrations)):
        outcomes = sorted(run[number].outcome for run in runs)
        assert outcomes == [Outcome.ALREADY] * 3 + [Outcome.APPLIED]


def test_what_cannot_be_run_is_refused_before_anything_is(postgres: Near) -> None:
    good = migration("0000", 1, "create table t (a int)")
    with pytest.raises(Refused, match="standard input"):
        apply(postgres, good, migration("0001", 2, "copy t from stdin;\n1\n\\.\n"))
    assert tables(postgres) == []

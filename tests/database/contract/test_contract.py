"""The running version's queries on a migrated schema, on a real server."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.database.contract.contract import Outcome, breakages, probe, probes_of
from deploy.database.contract.snapshot import Enum, Field, Snapshot, Table, read_snapshot
from deploy.database.migrations.folder import read_folder
from tests.database.conftest import asked
from tests.database.migrations import SHOP, shop_folder

if TYPE_CHECKING:
    from tests.database.shells import Near

pytestmark = pytest.mark.fleet

SNAPSHOTS = Path(__file__).parent / "snapshots"
SQL = (SNAPSHOTS / "init.sql").read_text() + "; create view existing_view as select 1 as x;"
ROW = """
insert into people (name, code, mood, moods, price, big, small, real, dbl, flag, born, at, ts, len,
  raw, ip, net, mac, "where", bits, runtime)
values ('ada', 'ab', 'ok', '{sad}', 7, 1, 1, 1, 1, true, '2020-01-01', '10:00', now(), '1 day',
  '{}', '192.0.2.1', '192.0.2.0/24', '08:00:2b:01:02:03', '(1,2)', '1010', 'x');
insert into billing."In voices" (person) values (1);
"""
EMPTY = "drop schema if exists billing, public cascade; create schema public;"

# What it is → the migration, and the start of each breakage.
BROKEN: dict[str, tuple[str, set[str]]] = {
    "a column goes": (
        "alter table people drop column tags",
        {"people: select: 42703", "people: insert of what must be given: 42703"},
    ),
    "a column has another name": (
        "alter table people rename runtime to r",
        {"people: select: 42703", "people: insert of what must be given: 42703"},
    ),
    "a table has another name": (
        'alter table billing."In voices" rename to invoices',
        {"billing.In voices: select: 42P01"},
    ),
    "a table in another schema": (
        'alter table billing."In voices" set schema public',
        {"billing.In voices: select: 42P01"},
    ),
    "a view goes": ("drop view happy", {"happy: select: 42P01"}),
    "a view that Drizzle did not make": (
        "drop view existing_view",
        {"existing_view: select: 42P01"},
    ),
    "a required column": (
        """alter table people add x int; update people set x = 1;
        alter table people alter x set not null""",
        {"people: insert of what must be given: 23502"},
    ),
    "a default goes": (
        "alter table people alter doc drop default",
        {"people: insert of what must be given: 23502"},
    ),
    "no nulls any more": (
        "update people set grid = '{}'; alter table people alter grid set not null",
        {"people: insert of what must be given: 23502"},
    ),
    "a shorter char": (
        "alter table people alter code type char(1) using 'a'",
        {"people: insert of every column, filled: 22001"},
    ),
    "fewer digits": (
        """alter table people drop constraint price_ok;
        alter table people alter price type numeric(4,4) using 0.5""",
        {"people: insert of what must be given: 22003"},
    ),
    "a smaller integer": (
        "alter table people alter big type integer",
        {"people: insert of every column, filled: 22003"},
    ),
    "another type": (
        "alter table people alter born type integer using 1",
        {
            "people: insert of what must be given: 22P02",
            "people: insert of every column, filled: 22P02",
        },
    ),
    "an enum's value has another name": (
        "alter type mood rename value 'it''s fine' to 'fine'",
        {
            "people: insert of every column, filled: 22P02",
            """mood: the value "it's fine": 22P02""",
        },
    ),
    "an enum lacks a value": (
        """alter table billing."In voices" alter plan drop default;
        alter type billing."Plan" rename to old; create type billing."Plan" as enum ('free');
        alter table billing."In voices" alter plan type billing."Plan"
          using plan::text::billing."Plan", alter plan set default 'free'""",
        {
            "billing.In voices: insert of every column, filled: 22P02",
            "billing.Plan: the value 'pro': 22P02",
        },
    ),
    "a check": (
        "alter table people add constraint small_ok check (small < 100)",
        {"people: insert of every column, filled: 23514"},
    ),
    "a unique that an upsert names": (
        "alter table people drop constraint people_code_unique",
        {"people: on conflict (code): 42P10"},
    ),
    "generated always": (
        'alter table billing."In voices" alter a set generated always',
        {"billing.In voices: insert of every column: 428C9"},
    ),
    "a trigger that refuses": (
        """create function no() returns trigger language plpgsql as
          'begin raise exception ''no''; end';
        create trigger no before insert on billing."In voices"
          for each row execute function no()""",
        {"billing.In voices: insert of what must be given: P0001"},
    ),
    # What it can live with.
    "nothing": ("select 1", set()),
    "a nullable column": ("alter table people add x int", set()),
    "a column with a default": ("alter table people add x int not null default 1", set()),
    "a longer varchar": (
        """drop view happy; alter table people alter name type varchar(9);
        create view happy as select id, name from people""",
        set(),
    ),
    "a type that takes the same": ("alter table people alter real type double precision", set()),
    "an enum's new value": ("alter type mood add value 'great'", set()),
    "a table": ("create table x (a int not null)", set()),
    "a foreign key, which a dummy does not meet": (
        "alter table people add foreign key (big) references people (id) not valid",
        set(),
    ),
    "a unique, which dummies meet twice": ("alter table people add unique (name)", set()),
    "a required column that a trigger fills": (
        """alter table people add x int; update people set x = 1;
        create function fill() returns trigger language plpgsql as
          'begin new.x = coalesce(new.x, 1); return new; end';
        create trigger fill before insert on people for each row execute function fill();
        alter table people alter x set not null""",
        set(),
    ),
}


def start(breakage: object) -> str:
    """A breakage without PostgreSQL's words: `table: what: SQLSTATE`."""
    table, what, message = str(breakage).split(": ", 2)
    if what.startswith("the value"):
        return f"{table}: {what}: {message.partition(' ')[0]}"
    return f"{table}: {what}: {message.partition(' ')[0]}"


def broken(postgres: Near, snapshot: Snapshot, base: str, migration: str) -> list[str]:
    asked(postgres, EMPTY + base)
    before = probe(postgres, snapshot)
    asked(postgres, migration)
    return [start(one) for one in breakages(before, probe(postgres, snapshot))]


@pytest.mark.parametrize(("migration", "expected"), BROKEN.values(), ids=BROKEN.keys())
def test_both_formats(postgres: Near, migration: str, expected: set[str]) -> None:
    v0 = read_snapshot((SNAPSHOTS / "v0.json").read_bytes())
    assert set(broken(postgres, v0, SQL + ROW, migration)) >= expected
    assert bool(broken(postgres, v0, SQL + ROW, migration)) is bool(expected)
    v1 = read_snapshot((SNAPSHOTS / "v1.json").read_bytes())
    # drizzle-kit 1 keeps no views that it has not made.
    there = {one for one in expected if not one.startswith("existing_view")}
    assert set(broken(postgres, v1, SQL + ROW, migration)) >= there


def test_without_rows_a_check_hides_nothing_that_comes_before_it(postgres: Near) -> None:
    snapshot = Snapshot(
        (Table("public", "t", (Field("a", "integer", not_null=True, optional=False),)),), ()
    )
    base = "create table t (a int not null check (a = 4711));"
    assert broken(postgres, snapshot, base, "alter table t add b int") == []
    assert broken(postgres, snapshot, base, "alter table t add b int not null") == [
        "t: insert of what must be given: 23502"
    ]
    assert broken(postgres, snapshot, base, "alter table t drop a") != []


def test_what_never_worked_is_no_breakage() -> None:
    never, fine = Outcome("P0001 no", "P0001 no"), Outcome("", "")
    bare = Outcome("P0001 no tenant", "")
    missing = Outcome("23502 no", "23502 no")
    key = ("t", "insert")
    assert breakages({key: never}, {key: missing}) == []
    assert breakages({key: never}, {key: fine}) == []
    assert breakages({key: fine}, {key: fine}) == []
    # A trigger refuses the dummy row, before and after: without it, it is the column that counts.
    assert breakages({key: bare}, {key: bare}) == []
    (one,) = breakages({key: bare}, {key: missing})
    assert (one.table, one.what, one.message) == ("t", "insert", "23502 no")


def test_one_reason_is_said_once() -> None:
    before = {("t", what): Outcome("", "") for what in ("select", "insert", "update")}
    after = {key: Outcome("42P01 no t", "42P01 no t") for key in before}
    (one,) = breakages(before, after)
    assert str(one) == "t: select: 42P01 no t (and 2 more like it)"


def test_the_shop(postgres: Near) -> None:
    """Each version of the shop on the schemas of those before, of its own, and of those after."""
    migrations = read_folder(shop_folder()).migrations
    for number, one in enumerate(migrations):
        raw = (SHOP / "meta" / f"{one.name.partition('_')[0]}_snapshot.json").read_bytes()
        snapshot = read_snapshot(raw)
        upto = ";".join(m.sql for m in migrations[: number + 1])
        after = ";".join(m.sql for m in migrations[number + 1 :]) or "select 1"
        assert broken(postgres, snapshot, upto, after) == []
    downs = (SHOP / "0003_order_notes.down.sql").read_text()
    assert "orders: select: 42703" in broken(postgres, snapshot, upto, downs)


def test_nothing_is_left(postgres: Near) -> None:
    snapshot = read_snapshot((SNAPSHOTS / "v0.json").read_bytes())
    asked(postgres, EMPTY + SQL + ROW)
    whole = 'select p::text from people p union all select i::text from billing."In voices" i'
    before = asked(postgres, whole)
    found = probe(postgres, snapshot)
    assert asked(postgres, whole) == before
    assert len(before) == 2
    assert len(found) == len(list(probes_of(snapshot))) > 100
    # With a row there, everything but what the check refuses has worked.
    assert {one.plain[:5] for one in found.values()} == {"", "23514"}


def test_hostile_names_are_names(postgres: Near) -> None:
    table = "a\"b'c\\d"
    field = Field("x'; drop table y; --", "mood", True, False, values=("it's", "a\\b", 'q"'))
    snapshot = Snapshot(
        (Table("public", table, (field,), keys=((field.name,),)),),
        (Enum("public", "mood", field.values),),
    )
    base = (
        "create type mood as enum ('it''s', 'a\\b', 'q\"');"
        'create table "a""b\'c\\d" ("x\'; drop table y; --" mood not null unique);'
        "create table y (a int)"
    )
    asked(postgres, EMPTY + base)
    found = probe(postgres, snapshot)
    assert {one.plain for one in found.values()} == {""}
    assert asked(postgres, "select count(*) from y") == ["0"]


def test_two_hundred_tables_take_seconds(postgres: Near) -> None:
    names = [f"t{number}" for number in range(200)]
    fields = tuple(Field(f"c{n}", "text", n % 2 == 0, False) for n in range(12))
    columns = ", ".join(f"{one.name} text{' not null' * one.not_null}" for one in fields)
    asked(postgres, EMPTY + "".join(f"create table {one} ({columns});" for one in names))
    snapshot = Snapshot(tuple(Table("public", one, fields) for one in names), ())
    began = time.monotonic()
    found = probe(postgres, snapshot)
    assert time.monotonic() - began < 30
    assert len(found) > 200 * 40
    assert {one.plain for one in found.values()} == {""}


def test_snapshot_files_are_what_the_kits_write() -> None:
    v0, v1 = (json.loads((SNAPSHOTS / f"{one}.json").read_bytes()) for one in ("v0", "v1"))
    assert v0["version"] == "7"
    assert "ddl" in v1

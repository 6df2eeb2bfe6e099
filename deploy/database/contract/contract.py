"""Can the version that is running live with another schema? Its own queries are tried on it.

What Drizzle would send is made from the running image's snapshot: every column is read, rows are
written that give every column, only what must be given, or a null where one may stand, every
column is changed, every enum value is written, and ON CONFLICT finds its index. Each is tried on
the schema before the migrations and on the one after them; what counts is what worked and no
longer does, so a value that the application would never write gives no false alarm.

Everything runs in one transaction that is rolled back, each try in a subtransaction of its own
that is undone at once, whatever came of it. Sequences alone move on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.contract.dummies import dummies

if TYPE_CHECKING:
    from deploy.database.contract.snapshot import Field, Snapshot, Table
    from deploy.database.server import Server

_MARK = "headway-contract "

# A row that breaks a foreign key or meets another row has passed all that is asked here: whether
# its columns are there, and what they take. The first argument holds ways to the row that an update
# needs, and the first that leads to one is taken; with no row at all the statement is planned.
_FUNCTIONS = """
create function pg_temp.headway_once(row_of text, tried text) returns text language plpgsql as $do$
declare
  spot tid;
  filler text;
begin
  if row_of is null then
    execute tried;
  else
    foreach filler in array string_to_array(row_of, E'\\x01') loop
      begin
        execute filler into spot;
        exit when spot is not null;
      exception when others then
        null;
      end;
    end loop;
    if spot is null then
      execute 'explain ' || tried using spot;
    else
      execute tried using spot;
    end if;
  end if;
  raise exception using errcode = 'HW000';
exception
  when sqlstate 'HW000' or foreign_key_violation or unique_violation or exclusion_violation then
    return '';
  when others then
    return sqlstate || ' ' || sqlerrm;
end $do$;
create function pg_temp.headway_try(row_of text, tried text) returns jsonb language plpgsql as $do$
declare
  plain text := pg_temp.headway_once(row_of, tried);
  replica text := plain;
begin
  if plain <> '' then
    set local session_replication_role = replica;
    replica := pg_temp.headway_once(row_of, tried);
    set local session_replication_role = origin;
  end if;
  return jsonb_build_array(plain, replica);
end $do$;
"""


@dataclass(frozen=True)
class Probe:
    """One statement as the running version would send it: on which table, and what it is for.

    `fillers` are ways to the row that it changes, which it finds by `ctid = $1`; () if it needs
    none.
    """

    table: str
    what: str
    sql: str
    fillers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What PostgreSQL said, "" if nothing; `replica` without triggers and foreign keys."""

    plain: str
    replica: str


@dataclass(frozen=True, order=True)
class Breakage:
    """What the running version did on a table and can't any longer, and PostgreSQL's message.

    `message` begins with the SQLSTATE. `also` counts what fails there for the same reason.
    """

    table: str
    what: str
    message: str
    also: int = 0

    def __str__(self) -> str:
        more = f" (and {self.also} more like it)" if self.also else ""
        return f"{self.table}: {self.what}: {self.message}{more}"


Outcomes = dict[tuple[str, str], Outcome]
"""By table and what was tried."""


def probe(server: Server, snapshot: Snapshot, *, timeout: float = 300) -> Outcomes:
    """Try everything that a snapshot's version would send. Changes nothing but sequences.

    The role must be a superuser, as it is on a throw-away server: rights and row security are not
    what is tried.

    Args:
        server: the rehearsal's; never the real one, as rows are written, if only for a moment.
        snapshot: of the image now running.
        timeout: seconds.

    Raises:
        HostError: the database cannot be asked.
    """
    probes = list(probes_of(snapshot))
    text = server.psql(_script(probes), timeout=timeout, doing="the contract could not be tried")
    found: Outcomes = {}
    for line in text.splitlines():
        if line.startswith(_MARK):
            for number, (plain, replica) in json.loads(line[len(_MARK) :]):
                one = probes[number]
                found[one.table, one.what] = Outcome(plain, replica)
    return found


def breakages(before: Mapping[tuple[str, str], Outcome], after: Outcomes) -> list[Breakage]:
    """Return what worked before and fails now, once for each table and message, sorted."""
    found: dict[tuple[str, str], Breakage] = {}
    for key, was in before.items():
        message = _broken(was, after[key])
        if message:
            table, what = key
            same = found.get((table, message))
            also = same.also + 1 if same else 0
            found[table, message] = Breakage(table, same.what if same else what, message, also)
    return sorted(found.values())


_CHECK = "23514 "


def _broken(was: Outcome, now: Outcome) -> str:
    if not was.plain:
        return now.plain
    # A check comes after all else that is asked of a row: what is refused before it is new.
    if was.plain.startswith(_CHECK):
        return "" if now.plain.startswith(_CHECK) else now.plain
    return now.replica if not was.replica else ""  # Else it never worked: nothing can be said.


def _script(probes: list[Probe]) -> str:
    parts = ["begin;\nset local statement_timeout = '60s';\n", _FUNCTIONS]
    for start in range(0, len(probes), 500):
        rows = []
        for number, one in enumerate(probes[start : start + 500], start=start):
            row_of = _literal("\x01".join(one.fillers)) if one.fillers else "null"
            rows.append(f"({number}, {row_of}, {_literal(one.sql)})")
        # Every text in it is quoted as one.
        parts.append(
            f"select '{_MARK}' || jsonb_agg(jsonb_build_array(n, pg_temp.headway_try(r, s)))::text"  # noqa: S608
            f" from (values {', '.join(rows)}) as v (n, r, s);\n"
        )
    return "".join([*parts, "rollback;\n"])


def _literal(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{quoted}'"


def _name(*parts: str) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)


def probes_of(snapshot: Snapshot) -> Iterator[Probe]:
    """Yield what is to be tried: first, for each table, what all else depends on."""
    for table in snapshot.tables:
        target = _name(table.schema, table.name)
        columns = ", ".join(_name(one.name) for one in table.fields) or "*"
        yield Probe(table.subject, "select", f"explain select {columns} from {target}")  # noqa: S608
        if not table.view:
            yield from _writes(table, target)
    for enum in snapshot.enums:
        type_ = _name(enum.schema, enum.name)
        for value in enum.values:
            subject = enum.name if enum.schema == "public" else f"{enum.schema}.{enum.name}"
            yield Probe(subject, f"the value {value!r}", f"select {_literal(value)}::{type_}")


def _writes(table: Table, target: str) -> Iterator[Probe]:
    fields = [one for one in table.fields if one.given]
    full = {one.name: _value(one, 0) for one in fields}
    filled = {one.name: _value(one, -1) for one in fields}
    least = {one.name: "default" if one.optional else _value(one, 0) for one in fields}
    least |= {one.name: "default" for one in fields if not one.not_null}

    def insert(values: Mapping[str, str]) -> str:
        if not values:
            return f"insert into {target} default values"
        names = ", ".join(_name(name) for name in values)
        return f"insert into {target} ({names}) values ({', '.join(values.values())})"  # noqa: S608

    yield Probe(table.subject, "insert of what must be given", insert(least))
    yield Probe(table.subject, "insert of every column", insert(full))
    yield Probe(table.subject, "insert of every column, filled", insert(filled))
    names = ", ".join(_name(one.name) for one in fields if not one.always)
    if names:
        sql = f"insert into {target} ({names}) select {names} from {target} limit 1"  # noqa: S608
        yield Probe(table.subject, "insert of a row like one that is there", sql)
    for key in table.keys:
        on = ", ".join(_name(name) for name in key)
        sql = f"explain {insert(least)} on conflict ({on}) do nothing"
        yield Probe(table.subject, f"on conflict ({', '.join(key)})", sql)
    fillers = (
        f"{insert(least)} returning ctid",
        f"{insert(filled)} returning ctid",
        f"select ctid from {target} limit 1",  # noqa: S608
    )
    for one in fields:
        if one.always:
            continue
        if not one.not_null:
            sql = insert({**full, one.name: "null"})
            yield Probe(table.subject, f"insert with {one.name} null", sql)
        column = _name(one.name)
        # What it holds is put back too: of some types no other value is known.
        tried = {"itself": column}
        for text in dummies(one):
            short = one.values or len(text) <= 40
            tried[repr(text) if short else f"{len(text)} characters"] = _literal(text)
        for shown, value in tried.items():
            sql = f"update {target} set {column} = {value} where ctid = $1"  # noqa: S608
            yield Probe(table.subject, f"update of {one.name} to {shown}", sql, fillers)


def _value(field: Field, which: int) -> str:
    """A value for an insert: typed, or left to the server where none is known."""
    known = dummies(field)
    return "default" if field.always or not known else _literal(known[which])

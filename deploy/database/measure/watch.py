"""What one migration did to the server: seconds, locks, rewritten tables, rows.

The SQL here goes into the session that runs the file, around it and, if wanted, between its
statements; each piece prints one line that `parse` finds among all that the session printed. It
changes nothing and takes no lock that outlasts it.

What is exact: the rows, as the server's own counters are read in the session itself (on
PostgreSQL 14 only for files in a transaction: its statistics come late); which tables were
rewritten; the strongest lock on each table, as a transaction keeps its locks to its end. What is
not: how long a lock was held is an upper bound, from the last mark at which it was not there. The
locks of a file outside a transaction are gone when its statement ends: `samples` looks
for those from another session.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from deploy.database.migrations.recorded import literal

_MARK = "headway-mark "
MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
"""From the weakest to the strongest, as `pg_locks.mode` has them."""

_NOW = "extract(epoch from pg_catalog.clock_timestamp())"
_TABLES = """(
  select json_agg(json_build_array(
    c.oid::int8,
    case n.nspname when 'public' then c.relname else n.nspname || '.' || c.relname end,
    c.relfilenode::int8, pg_catalog.pg_relation_size(c.oid),
    case when c.reltuples >= 0 then c.reltuples::int8
      else pg_catalog.pg_stat_get_live_tuples(c.oid)
        + pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid)
        - pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) end,
    pg_catalog.pg_stat_get_tuples_inserted(c.oid)
      + pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid),
    pg_catalog.pg_stat_get_tuples_updated(c.oid)
      + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid),
    pg_catalog.pg_stat_get_tuples_deleted(c.oid)
      + pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid),
    pg_catalog.pg_stat_get_numscans(c.oid) + pg_catalog.pg_stat_get_xact_numscans(c.oid)))
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
)"""
_LOCKS = """(
  select json_agg(distinct jsonb_build_array(l.relation::int8, l.mode))
  from pg_catalog.pg_locks l
  where l.pid = pg_catalog.pg_backend_pid() and l.locktype = 'relation' and l.granted
    and l.relation >= 16384
)"""
_INVALID = """(
  select json_agg(case n.nspname when 'public' then c.relname else n.nspname || '.' || c.relname end
                  order by n.nspname, c.relname)
  from pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indexrelid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace where not i.indisvalid
    and c.relkind = 'i'
)"""


def begin_sql(file: str, *, transaction: bool) -> str:
    """Return what comes before the file's first statement: behind BEGIN, if it has a transaction.

    Args:
        file: its name, by which `parse` gives back what was measured.
        transaction: whether the whole file runs in one.
    """
    kind = "'transaction'" if transaction else "'none'"
    return _mark(
        "begin",
        f"'file', {literal(file)}::text, 'in', {kind}, 'tables', {_TABLES}, 'locks', {_LOCKS}",
    )


def between_sql() -> str:
    """Return what may come after each statement of a file that runs in a transaction."""
    return _mark("between", f"'locks', {_LOCKS}")


def before_commit_sql() -> str:
    """Return what comes after the file's last statement: before COMMIT, if it has a transaction."""
    return _mark("end", f"'tables', {_TABLES}, 'locks', {_LOCKS}")


def after_sql() -> str:
    """Return what comes after COMMIT, in the same session."""
    return _mark("after", f"'invalid', {_INVALID}")


def _mark(kind: str, more: str) -> str:
    # Not a user's text but this module's own, and a quoted name.
    return (
        f"select '{_MARK}' || json_build_object('kind', '{kind}', 'at', {_NOW}, {more})"
        "::jsonb::text;\n"
    )


@dataclass(frozen=True)
class Touched:
    """A table, and what a file did to it.

    `bytes` (of the table alone) and `rows` (an estimate) are from before it. `lock` is the
    strongest mode of `MODES`, "" if none was seen; `held` is the most seconds for which it was
    held. `rewritten`: its rows are in another file now, or it was emptied (`emptied`). `scans`
    counts how often it was read as a whole. `made`: the file has made it.
    """

    name: str
    oid: int
    bytes: int = 0
    rows: int = 0
    lock: str = ""
    held: float = 0.0
    rewritten: bool = False
    emptied: bool = False
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
    scans: int = 0
    made: bool = False


@dataclass(frozen=True)
class Measured:
    """What one file did. `seconds` are its own and its commit's; `finished`: it came to its end.

    `tables` are those that it touched, by name; `invalid` are all invalid indexes after it.
    """

    file: str
    transaction: bool
    seconds: float
    tables: tuple[Touched, ...]
    invalid: tuple[str, ...] = ()
    finished: bool = True

    @property
    def strongest(self) -> Touched | None:
        """The table under the strongest lock, of those under the same the longest held."""
        there = [one for one in self.tables if one.lock and not one.made]
        return max(there, key=lambda one: (MODES.index(one.lock), one.held), default=None)


def parse(
    output: str, *, ignore: Iterable[str] = ("drizzle.__drizzle_migrations",)
) -> list[Measured]:
    """Return what was measured of each file, in the order in which they ran.

    Args:
        output: all that the session printed; lines that are no marks are passed over.
        ignore: tables, named as in `Touched.name`, that are the migrator's own.
    """
    files: list[list[dict[str, Any]]] = []
    for line in output.splitlines():
        if line.startswith(_MARK):
            mark: dict[str, Any] = json.loads(line[len(_MARK) :])
            if mark["kind"] == "begin":
                files.append([])
            if files:
                files[-1].append(mark)
    return [_measured(marks, frozenset(ignore)) for marks in files]


def _measured(marks: list[dict[str, Any]], ignore: frozenset[str]) -> Measured:
    begin = marks[0]
    last = marks[-1]
    end = next((one for one in marks if one["kind"] == "end"), begin)
    before = {row[0]: row for row in begin["tables"] or []}
    after = {row[0]: row for row in end["tables"] or []}
    locks = _locks(marks, last["at"])
    found = []
    for oid in sorted(before.keys() | after.keys()):
        one = _touched(oid, before.get(oid), after.get(oid), locks.get(oid, ("", 0.0)))
        if one and one.name not in ignore:
            found.append(one)
    return Measured(
        begin["file"],
        begin["in"] == "transaction",
        last["at"] - begin["at"],
        tuple(sorted(found, key=lambda one: one.name)),
        tuple(last.get("invalid") or ()),
        end is not begin,
    )


def _locks(marks: list[dict[str, Any]], until: float) -> dict[int, tuple[str, float]]:
    """The strongest lock on each table, with the most seconds for which it was held."""
    found: dict[int, tuple[str, float]] = {}
    since = marks[0]["at"]
    for mark in marks:
        for oid, mode in mark.get("locks") or []:
            held = found.get(oid)
            if held is None or MODES.index(mode) > MODES.index(held[0]):
                found[oid] = (mode, until - since)
        since = mark["at"]
    return found


def _touched(
    oid: int, before: list[Any] | None, after: list[Any] | None, lock: tuple[str, float]
) -> Touched | None:
    was = before or [oid, (after or [oid, ""])[1], 0, 0, 0, 0, 0, 0, 0]
    now = after or was  # It is gone: its counters went with it.
    rewritten = before is not None and was[2] != now[2]
    one = Touched(
        name=was[1],
        oid=oid,
        bytes=was[3],
        rows=max(0, was[4]),
        lock=lock[0],
        held=lock[1],
        rewritten=rewritten,
        emptied=rewritten and was[3] > 0 and now[3] == 0,
        inserted=max(0, now[5] - was[5]),
        updated=max(0, now[6] - was[6]),
        deleted=max(0, now[7] - was[7]),
        scans=max(0, now[8] - was[8]),
        made=before is None,
    )
    done = one.rewritten or one.inserted or one.updated or one.deleted or one.made
    # To have read a row of it is not to have touched it.
    return one if done or one.scans or lock[0] not in {"", MODES[0], MODES[1]} else None

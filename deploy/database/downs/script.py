"""What is sent to psql to run downs: one session, each with its guards and Drizzle's row. Pure.

In a transaction, what a guard looks at is locked before it is asked, so that nobody writes to it
between the answer and the down. Progress is told as the applier tells it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.migrations.script import (
    MARK,
    Limits,
    dollar_quoted,
    mark,
    session,
    stop_if,
    turn,
    unit_text,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.database.downs.down import Down
    from deploy.database.downs.guards import Guard
    from deploy.database.migrations.recorded import Table
    from deploy.database.migrations.transaction import Way

_NO = re.compile(rf"^{MARK} no (\d+) (\d+)$", re.MULTILINE)
_ASKING = re.compile(rf"^{MARK} guard (\d+) (\d+)$", re.MULTILINE)
_BEGUN = re.compile(rf"^{MARK} (?:unit|begin) \d+", re.MULTILINE)
NEWER = "a newer migration is applied"
"""How the message begins when another migrator was faster."""


@dataclass(frozen=True)
class Job:
    """A down and how it is run; `row` is the id of Drizzle's row, None where there is none."""

    down: Down
    way: Way
    row: int | None


def look(downs: Sequence[Down]) -> str:
    """Return what asks all guards whose relation is there, and changes nothing."""
    asked = "".join(
        _ask(number, at, guard)
        for number, down in enumerate(downs)
        for at, guard in enumerate(down.guards)
    )
    return f"\\set VERBOSITY verbose\n\\o /dev/null\n{asked}"


def script(jobs: Sequence[Job], *, table: Table, limits: Limits, token: int) -> str:
    """Return the text that runs the downs in their order, each if its guards say yes.

    Args:
        jobs: what to run, the newest first.
        table: Drizzle's.
        limits: how long things may take.
        token: by which the session is known to its watcher.
    """
    parts = ["\\set VERBOSITY verbose\n\\o /dev/null\n"]
    for number, job in enumerate(jobs):
        parts.append(turn(limits.turn) + session(limits, token))
        parts.append(_down(number, job, table, limits))
    return "".join(parts)


def refused(printed: str) -> tuple[int, int] | None:
    """The number of the down and of its guard that said no, from what psql printed."""
    found = _NO.search(printed)
    return (int(found[1]), int(found[2])) if found else None


def asking(printed: str) -> tuple[int, int] | None:
    """The number of the down and of the guard that was being asked when the session ended."""
    last = max((one.start() for one in _BEGUN.finditer(printed)), default=-1)
    found = [one for one in _ASKING.finditer(printed) if one.start() > last]
    return (int(found[-1][1]), int(found[-1][2])) if found else None


def _down(number: int, job: Job, table: Table, limits: Limits) -> str:
    way, guards = job.way, job.down.guards
    newer = f"select from {table} where id > {job.row}"
    checked = stop_if(newer, NEWER) if job.row is not None else ""
    asked = "".join(_ask(number, at, guard) for at, guard in enumerate(guards))
    units = "".join(unit_text(number, at, way, limits) for at in range(len(way.units)))
    if way.transactional:
        # The transaction is begun here, before the guards.
        units = units.replace("select 'begin', ", "select ", 1)
        asked = "begin;\n" + "".join(_lock(guard) for guard in guards) + asked
    return f"""{mark(f"begin {number}")}select extract(epoch from clock_timestamp()) as began \\gset
{checked}{asked}{units}
\\warn {MARK} unit {number} {len(way.units)}
reset role;
{_gone(job.row, table)}commit;
select round((extract(epoch from clock_timestamp()) - :began)::numeric, 3) as seconds \\gset
{mark(f"done {number} :seconds")}"""  # noqa: S608 - as the table is


def _gone(row: int | None, table: Table) -> str:
    """Take Drizzle's row away: exactly that one, and none is newer."""
    if row is None:
        return ""
    body = f"""declare gone int; begin
  if exists (select from {table} where id > {row}) then
    raise exception using message = '{NEWER}';
  end if;
  delete from {table} where id = {row};
  get diagnostics gone = row_count;
  if gone <> 1 then raise exception using message = 'its row is gone already'; end if;
end"""  # noqa: S608 - the table's name is quoted
    return f"do {dollar_quoted(body)};\n"


def _ask(number: int, at: int, guard: Guard) -> str:
    """A guard of what is not there says yes: a file that failed half-way has not made it."""
    return f"""select {guard.there} as there \\gset
\\if :there
\\warn {MARK} guard {number} {at}
{guard.query} as yes \\gset
\\if :yes
\\else
{mark(f"no {number} {at}")}rollback;
\\q
\\endif
\\endif
"""


def _lock(guard: Guard) -> str:
    if guard.sequence:
        return ""
    there = dollar_quoted(f"lock table {guard.table} in access exclusive mode")
    return f"select {there} where {guard.there} \\gexec\n"

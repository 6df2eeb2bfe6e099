"""Which downs are to be run, in which order; and that none of them would lose anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.downs import script as scripts
from deploy.database.downs.down import Down, down_of, down_path
from deploy.database.downs.effects import Class
from deploy.database.downs.script import Job
from deploy.database.migrations import report as reports
from deploy.database.migrations.recorded import key
from deploy.database.migrations.transaction import way
from deploy.errors import CommandFailed, Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.database.migrations.folder import Format, Migration
    from deploy.database.migrations.recorded import Row
    from deploy.database.server import Server

SAID_NO = "the database cannot be taken back without a loss: a guard says no"
DATA = "22"
"""The class of SQLSTATEs of a value that its type does not take: for a guard, a no."""
_LOOK = 300.0
"""Seconds for all guards: each may read a table to its end."""


def jobs_for(
    todo: Sequence[Migration],
    half: Migration | None,
    rows: Sequence[Row],
    form: Format,
    restore: str,
) -> list[Job]:
    """What there is to do, in its order; all of it, or none.

    Raises:
        Refused: something of it can't be taken back.
    """
    faults: list[Fault] = []
    found: list[tuple[Migration, int | None]] = [(half, None)] if half else []
    own: set[int] = set()
    for one in todo:
        for row in rows:
            if key(row, form) == key(one, form):
                own.add(row.id)
                found.append((one, row.id))
                if row.hash != one.hash:
                    text = "what was applied is another text: its down is for this one"
                    faults.append(Fault(one.path, "", text))
    oldest = min(own, default=None)
    newer = [row for row in rows if oldest is not None and row.id > oldest and row.id not in own]
    faults += [
        Fault(row.name or f"row {row.id}", "", "was applied later, and stays") for row in newer
    ]
    found.sort(key=lambda one: (one[1] is not None, -(one[1] or 0)))
    jobs: list[Job] = []
    for one, number in found:
        down = down_of(one)
        if down is None:
            faults.append(Fault(one.path, "", f"it has no down: {down_path(one.path)} is missing"))
        elif down.klass is not Class.A:
            faults += [Fault(down.path, f"class {down.klass}", str(why)) for why in down.reasons]
        else:
            jobs.append(Job(down, way(down.script), number))
    if faults:
        raise Refused(
            "the database cannot be taken back without a loss", faults=tuple(faults), mend=restore
        )
    return jobs


def look(server: Server, downs: Sequence[Down], restore: str) -> None:
    """Ask all guards that can be asked, before anything is changed.

    Raises:
        Refused: one says no.
    """
    doing = "the guards of the downs could not be asked"
    try:
        printed = server.psql(scripts.look(downs), timeout=_LOOK, doing=doing)
    except CommandFailed as error:
        found, said = scripts.asking(error.stderr), reports.read(error.stderr).error
        if found is None or not said.state.startswith(DATA):
            raise
        raise Refused(SAID_NO, faults=(no_of(downs, found, said.message),), mend=restore) from None
    no = scripts.refused(printed)
    if no:
        raise Refused(SAID_NO, faults=(no_of(downs, no),), mend=restore)


def no_of(downs: Sequence[Down], at: tuple[int, int], said: str = "") -> Fault:
    """The fault that a guard has found: number of the down, and of its guard."""
    down = downs[at[0]]
    guard = down.guards[at[1]]
    detail = f" ({said})" if said else ""
    return Fault(down.path, f"class {down.klass}", f"{guard}{detail}; asked: {guard.query}")

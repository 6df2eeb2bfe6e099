"""What is asked of a database after a session that applied migrations has failed, or was lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from deploy.database.migrations import report
from deploy.database.migrations.recorded import Recorded, Table, parse, question
from deploy.database.migrations.script import INVALID, turn
from deploy.errors import HostError

if TYPE_CHECKING:
    from deploy.database.migrations.blockers import Blocker
    from deploy.database.server import Server

_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each time that a database which went away is asked."""
_CONNECTING = 60.0
"""Seconds for all that is not the waiting for the lock."""


def recorded_at_rest(
    server: Server, table: Table, seconds: float, sleep: Callable[[float], None]
) -> tuple[Recorded | None, Blocker | None]:
    """Ask what is applied, once no session that migrates is at it any more.

    A session whose connection was lost may still be going on, and holds the advisory lock.

    Args:
        server: the database.
        table: Drizzle's.
        seconds: how long such a session is waited for.
        sleep: waits seconds.

    Returns:
        What is applied; or None, and who still is at it, if anybody could be asked.
    """
    text = f"\\o /dev/null\n{turn(seconds)}\\o\n{question(table)}"
    for pause in _PAUSES:
        sleep(pause)
        try:
            doing = "the database could not be asked which migrations it has"
            printed = server.psql(text, timeout=_CONNECTING + seconds, doing=doing)
        except HostError:
            continue
        holder = report.read(printed).holder
        if holder:
            return None, holder
        return parse(server.host.name, printed.splitlines()), None
    return None, None


def invalid_indexes(server: Server) -> list[str]:
    """Return the invalid indexes that nobody is making, quoted; none if they cannot be asked for.

    What failed is told all the same.
    """
    try:
        doing = "the indexes could not be looked at"
        found = json.loads(server.psql(f"{INVALID};\n", timeout=30, doing=doing))
    except (HostError, ValueError):
        return []
    return [str(name) for name in found]

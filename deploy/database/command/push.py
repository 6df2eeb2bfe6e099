"""What drizzle-kit push has said of itself. Pure.

Its exit code is 0 when it would have asked and there was no terminal, and when PostgreSQL refused
a statement; the statements before that one stay (drizzle-kit 0.31). What it prints when it has come
to its end is the only sign that it has, in 0.31 and in 1.0.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.database.command.oneoff import Ran


class Pushed(Enum):
    """How far it came."""

    SETTLED = "it found nothing to change"
    CHANGED = "it has changed something, and came to its end"
    FAILED = "it did not come to its end"


def pushed(ran: Ran) -> Pushed:
    """Read what a run printed."""
    if not ran.good:
        return Pushed.FAILED
    if "Changes applied" in ran.said:
        return Pushed.CHANGED
    return Pushed.SETTLED if "No changes detected" in ran.said else Pushed.FAILED

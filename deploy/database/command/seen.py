"""A database before and after a command that is not believed: Drizzle's rows, and the schema."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.catalogue.catalogue import read
from deploy.database.catalogue.shape import Shape, differences, shape
from deploy.database.migrations.recorded import Recorded, Table, literal, recorded
from deploy.errors import HostError

if TYPE_CHECKING:
    from deploy.database.server import Server

_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each time that a database which went away is asked."""
_SHOWN = 20
"""Differences that are shown: more would push the command's own words out of sight."""


@dataclass(frozen=True)
class Seen:
    """What Drizzle's table says, and everything in the schema but that table."""

    recorded: Recorded
    shape: Shape

    def changed(self, before: Seen) -> tuple[str, ...]:
        """What is in one and not in the other: `- LINE` is gone, `+ LINE` has come."""
        return differences(before.shape, self.shape)

    @property
    def tables(self) -> bool:
        """Is there any table?"""
        return any(line.startswith("table ") for line in self.shape)


def look(server: Server) -> Seen:
    """Ask a database what it is; nothing is changed.

    Raises:
        HostError: it cannot be asked.
    """
    table = Table()
    return Seen(recorded(server), shape(read(server), schema=table.schema, table=table.name))


def look_at_rest(
    server: Server, session: str, sleep: Callable[[float], None] = time.sleep
) -> Seen | None:
    """Ask once no session of that name is left: one whose client was killed may still be at work.

    Args:
        server: the database.
        session: the application's name; its sessions are ended.
        sleep: waits seconds.

    Returns:
        None if the database cannot be asked.
    """
    for pause in _PAUSES:
        sleep(pause)
        try:
            doing = "the sessions could not be ended"
            server.psql(_ending(session), timeout=60, doing=doing, changes=True)
            return look(server)
        except HostError:
            continue
    return None


def _ending(session: str) -> str:
    return f"""
select pg_terminate_backend(pid, 10000) from pg_stat_activity
 where application_name = {literal(session)} and datname = current_database()
   and pid <> pg_backend_pid() \\g /dev/null
"""  # noqa: S608 - the name is quoted


def listed(changed: tuple[str, ...]) -> str:
    """Return differences as lines, not all of them where they are many."""
    more = [f"… and {len(changed) - _SHOWN} more"] if len(changed) > _SHOWN else []
    return "\n".join([*changed[:_SHOWN], *more])

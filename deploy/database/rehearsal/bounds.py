"""What a throw-away server may use up, and whether there is so much. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import Refused
from deploy.views.text import size

if TYPE_CHECKING:
    from deploy.database.rehearsal.source import Source
    from deploy.settings import Rehearsal

GROWTH = 1.3
"""What a restored database is taken to need of the size of its original, which may be packed more
tightly than a restore packs it."""
EMPTY = 400_000_000
"""Bytes of a server without a table: 40 MB, and 256 MB of WAL before it is used again; and some."""
ROOM_TO_CHANGE = 2.5
"""Times the database that is allowed where nothing is written: a migration that rewrites every
table has both of each for a while."""


@dataclass(frozen=True)
class Bounds:
    """The bounds of one server.

    Attributes:
        memory: bytes; what caches files is among them, and given back when it is needed.
        disk: bytes of all that the server writes; 0 for 2.5 times the database, and what an empty
            server has.
        seconds: from its start; then it ends by itself, and nothing is left of it.
        idle: seconds without a session or another command in it; then it ends, too: whoever made it
            is gone.
        reserve: bytes of the host's disk that it leaves alone; the real one may write there.
        linger: seconds for which a server that its bounds have ended tells why. It holds nothing
            meanwhile.
    """

    memory: int = 1_000_000_000
    disk: int = 0
    seconds: float = 1800.0
    idle: float = 300.0
    reserve: int = 1_000_000_000
    linger: float = 20.0


@dataclass(frozen=True)
class Room:
    """What a host has: bytes of memory that can be had, and of the disk `mount` of Docker's."""

    memory: int
    disk: int
    mount: str


def bounds_of(written: Rehearsal) -> Bounds:
    """Return the bounds that the settings say."""
    return Bounds(memory=written.memory, disk=written.disk or 0, seconds=written.timeout)


def disk_of(bounds: Bounds, source: Source) -> int:
    """Return how many bytes a server that is filled with this may write."""
    return bounds.disk or EMPTY + source.dump + int(source.bytes * ROOM_TO_CHANGE)


def fit(host: str, bounds: Bounds, source: Source, room: Room) -> None:
    """Do nothing if the server has room on the host.

    Args:
        host: its name, for messages.
        bounds: the bounds.
        source: what is restored.
        room: what the host has.

    Raises:
        Refused: it has none.
    """
    needed = EMPTY + source.dump + int(source.bytes * GROWTH)
    smaller = "write database.rehearsal.mode: schema, which needs less" if source.bytes else ""
    if bounds.disk and needed > bounds.disk:
        raise Refused(
            f"database.rehearsal.disk allows {size(bounds.disk)}, and a rehearsal may need "
            f"{size(needed)}",
            mend=_either("Allow more", smaller),
        )
    if needed + bounds.reserve > room.disk:
        raise Refused(
            f"{host}: no room for a rehearsal: it may need {size(needed)}, and {room.mount} has "
            f"{size(room.disk)} free, of which {size(bounds.reserve)} stay so",
            mend=_either(f"Make room on {host}", smaller),
        )
    if bounds.memory > room.memory:
        raise Refused(
            f"{host}: no memory for a rehearsal: it may use {size(bounds.memory)}, and "
            f"{size(room.memory)} can be had",
            mend="Allow less under database.rehearsal.memory; it only takes longer.",
        )


def _either(first: str, second: str) -> str:
    return f"{first}, or {second}." if second else f"{first}."

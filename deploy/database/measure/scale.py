"""What a rehearsal's seconds mean for the real tables. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.database.measure.watch import Measured, Touched

_ENOUGH = 1 << 20
"""Bytes from which a table's share of the measured time is more than noise."""
_REWRITE = 25e6
_READ = 250e6
"""Bytes per second, where nothing was measured. 7 million rows (about 900 MB) on two cores took
25 to 38 s to be rewritten, 3.8 s to be indexed, 3.0 s to be checked by a foreign key."""


@dataclass(frozen=True)
class Estimate:
    """What a file will take on the real tables: seconds, and whether they were measured.

    Not measured means that a table was (next to) empty in the rehearsal, and the seconds are from
    its real size and the speed of some other machine.
    """

    seconds: float
    measured: bool


def scale(measured: Measured, rehearsed: Mapping[str, int], real: Mapping[str, int]) -> Estimate:
    """Say what a file will take, if its time grows with the tables that it went through.

    Args:
        measured: what it did in the rehearsal.
        rehearsed: `deploy.database.sizes.sizes` there, before the first file.
        real: likewise, of where it is going to run.
    """
    factor, more = 1.0, 0.0
    for one in measured.tables:
        if one.made or not _went_through(one):
            continue
        here, there = rehearsed.get(one.name, 0), real.get(one.name, 0)
        if here >= _ENOUGH:
            factor = max(factor, there / here)
        elif there >= _ENOUGH:
            more += there / (_REWRITE if one.rewritten or one.updated else _READ)
    return Estimate(measured.seconds * factor + more, more == 0.0)


def _went_through(one: Touched) -> bool:
    return bool(one.rewritten or one.scans or one.updated or one.deleted)

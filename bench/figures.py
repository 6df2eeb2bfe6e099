"""What was measured, and what follows from it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

_SESSION = re.compile(r"^Starting session: (command|subsystem|shell)\b", re.MULTILINE)


def sessions(log: str) -> int:
    """How many executions a host's sshd wrote down (LogLevel VERBOSE), SFTP and shells included."""
    return len(_SESSION.findall(log))


@dataclass(frozen=True)
class Usage:
    """What a process took: wall and CPU time in seconds, peak resident memory in bytes."""

    seconds: float
    cpu: float
    peak: int


@dataclass(frozen=True)
class Roll:
    """One version rolled over the fleet; `execs` is host → SSH executions."""

    usage: Usage
    execs: Mapping[str, int]


@dataclass(frozen=True)
class Round:
    """Two rolls, one after the other."""

    headway: Roll
    floor: Roll

    @property
    def ratio(self) -> float:
        """Headway's wall time over the floor's."""
        return self.headway.usage.seconds / self.floor.usage.seconds


@dataclass(frozen=True)
class Pair:
    """The same two things timed in turn, in seconds: `this` against `that`."""

    this: tuple[float, ...]
    that: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median of the ratios of each turn."""
        return median(a / b for a, b in zip(self.this, self.that, strict=True))


@dataclass(frozen=True)
class Figures:
    """All of one run.

    `ordered` is the seconds that the settings make both rolls wait; `listing` is `inv --list` here
    and over an empty tasks.py; `facts` is reading all `hosts` hosts and connecting to one;
    `keeper` is the host that keeps the lease.
    """

    rounds: Sequence[Round]
    ordered: float
    listing: Pair
    facts: Pair
    keeper: str
    hosts: int
    cores: int

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return median(one.ratio for one in self.rounds)

    @property
    def ratio_of_work(self) -> float:
        """The same without the waits that are the same for both by order of the settings."""
        return median(
            (one.headway.usage.seconds - self.ordered) / (one.floor.usage.seconds - self.ordered)
            for one in self.rounds
        )

    @property
    def facts_ratio(self) -> float:
        """Facts of all hosts over as many connects shared out to the cores.

        The budget is "2× of one host's connect, per core": N hosts may take twice as long as N
        connects take that are shared out to this machine's cores.
        """
        return self.facts.ratio * self.cores / self.hosts


def execs(rolls: Sequence[Roll]) -> dict[str, int]:
    """Host → the most executions that one of these rolls made there: the worst is what counts."""
    names = dict.fromkeys(host for roll in rolls for host in roll.execs)
    return {host: max(roll.execs.get(host, 0) for roll in rolls) for host in names}

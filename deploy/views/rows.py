"""One row of the table for each phase and each host, whatever it is drawn on. Pure; no I/O."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from deploy.events import Outcome
from deploy.views.lines import undone
from deploy.views.text import duration, elapsed

if TYPE_CHECKING:
    from deploy.events import StepUndone

# The steps of a roll, and what each is called in a host's row once it is done.
ROLL = {"stage": "staged", "switch": "switched", "bake": "baked", "settle": "settled"}


class Mark(StrEnum):
    """The sign at the beginning of a row."""

    WAITING = " "
    ACTIVE = "›"
    DONE = "✓"
    FAILED = "✗"
    UNDONE = "↩"
    STOPPED = "·"


@dataclass(frozen=True)
class Row:
    """One row of the table: `took` and `note` may be empty."""

    mark: Mark
    name: str
    took: str = ""
    note: str = ""


@dataclass
class Phase:
    """A step outside the roll; `began` and `seconds` are on the clock of the events."""

    name: str
    began: float
    after_roll: bool
    running: set[str] = field(default_factory=set)
    done: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    failed: list[str] = field(default_factory=list)
    undone: list[StepUndone] = field(default_factory=list)

    def row(self, now: float, *, ended: bool) -> Row:
        """The phase as a row, at the time `now`."""
        took = duration(self.seconds) if self.seconds or self.done else ""
        if self.undone:
            return Row(_undone_mark(self.undone), self.name, took, _undone_note(self.undone))
        if self.failed:
            named = ", ".join(host for host in self.failed if host)
            return Row(Mark.FAILED, self.name, took, f"failed on {named}" if named else "failed")
        if self.running:
            note = f"{len(self.done)} of {len(self.done) + len(self.running)} hosts"
            return Row(
                Mark.STOPPED if ended else Mark.ACTIVE,
                self.name,
                "" if ended else elapsed(now - self.began),
                "stopped" if ended else note if self.running != {""} else "",
            )
        return Row(Mark.DONE, self.name, took, self._note())

    def _note(self) -> str:
        """What was done, said once for all hosts where they all say the same."""
        if "" in self.done:  # the whole of it says more than one of its hosts
            return self.done[""]
        details = sorted(set(self.done.values()))
        if len(self.done) == 1:
            host, detail = next(iter(self.done.items()))
            return f"{host}, {detail}" if detail else host
        said = f", {details[0]} each" if len(details) == 1 and details[0] else ""
        return f"{len(self.done)} hosts{said}"


@dataclass
class HostRow:
    """One host: the step it is in (empty: none) since when, and the seconds of those done."""

    name: str
    step: str = ""
    since: float = 0.0
    spent: dict[str, float] = field(default_factory=dict)
    settled: bool = False
    failed: str = ""
    undone: list[StepUndone] = field(default_factory=list)

    @property
    def mark(self) -> Mark:
        """Where the host stands."""
        if self.undone:
            return _undone_mark(self.undone)
        if self.failed:
            return Mark.FAILED
        if self.step:
            return Mark.ACTIVE
        return Mark.DONE if self.settled else Mark.WAITING

    @property
    def touched(self) -> bool:
        """Whether the roll came to this host."""
        return bool(self.spent or self.failed or self.undone or self.step)

    @property
    def seconds(self) -> float:
        """The seconds of all its steps of the roll."""
        return sum(self.spent.values())

    def row(self, now: float, *, outcome: Outcome | None = None) -> Row:
        """The host as a row, at the time `now`; `outcome` when the run has ended."""
        took = duration(self.seconds) if self.spent else ""
        mark = self.mark
        if mark in (Mark.UNDONE, Mark.FAILED):
            parts = [f"{self.failed} failed"] if self.failed else []
            note = "; ".join([*parts, _undone_note(self.undone)] if self.undone else parts)
            return Row(mark, self.name, took, note)
        if mark is Mark.ACTIVE and outcome is None:
            return Row(mark, self.name, elapsed(now - self.since), self.step)
        if mark is Mark.ACTIVE:
            return Row(Mark.STOPPED, self.name, took, f"stopped in {self.step}")
        if not self.touched and outcome is not None:
            return Row(Mark.STOPPED, self.name, note="not touched")
        if outcome is Outcome.DONE:
            mark = Mark.DONE
        return Row(mark, self.name, took, self._breakdown())

    def _breakdown(self) -> str:
        """`staged 3.2  switched  settled 0.9`: what took no time worth a figure has none."""
        return "  ".join(
            f"{ROLL[step]} {seconds:.1f}" if seconds >= 0.05 else ROLL[step]
            for step, seconds in self.spent.items()
        )


def fold(hosts: list[HostRow], others: bool, outcome: Outcome | None) -> Row:
    """One row for the hosts that have none of their own, as `… and 31 more settled, 5 waiting`."""
    words = {
        Mark.DONE: "settled",
        Mark.ACTIVE: "at work" if outcome is None else "stopped",
        Mark.UNDONE: "put back",
        Mark.FAILED: "failed",
        Mark.WAITING: "waiting" if outcome is None else "not touched",
    }
    counts = Counter(host.mark for host in hosts)
    parts = [f"{counts[mark]} {word}" for mark, word in words.items() if counts[mark]]
    if others:
        count, _, rest = ", ".join(parts).partition(" ")
        return Row(Mark.WAITING, "", note=f"… and {count} more {rest}")
    if set(counts) != {Mark.DONE}:
        return Row(Mark.WAITING, f"{len(hosts)} hosts", note=", ".join(parts))
    slowest = max(hosts, key=lambda host: host.seconds)
    note = f"slowest {slowest.name}, {duration(slowest.seconds)}"
    return Row(Mark.DONE, f"{len(hosts)} hosts", note=f"settled; {note}")


def _undone_mark(events: list[StepUndone]) -> Mark:
    return Mark.UNDONE if all(event.ok for event in events) else Mark.FAILED


def _undone_note(events: list[StepUndone]) -> str:
    return "; ".join(undone(event) for event in events)

"""Who is at work, and what runs that died have left: what `status` and `history` say of both."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.errors import HeadwayError, Refused
from deploy.tasks.leased import claim, described

if TYPE_CHECKING:
    from deploy.facts import Unfinished
    from deploy.journal import Dead
    from deploy.recovery import Recovery
    from deploy.situation import Situation


@dataclass(frozen=True)
class Middle:
    """As far as it can be known.

    `lines` are for people; `dead` are the runs that have come to no end, None where the host that
    keeps their records does not answer; `found` is what is done about them, and about rolls that
    were cut off, None where there is nothing or nobody can say; `at_work` is the run at work or "".
    """

    lines: Sequence[str]
    dead: Sequence[Dead] | None
    found: Recovery | None = None
    at_work: str = ""

    def of(self, host: str, unfinished: Unfinished) -> str:
        """What is to be said of a host in the middle of a roll."""
        roll = f"a roll to {unfinished.release} ({unfinished.phase})"
        if unfinished.deploy == self.at_work:
            return f"{roll} is under way"
        if self.found and host in self.found.mends:
            return f"{roll} was cut off; by the next deploy it {self.found.of(host)}"
        return f"{roll} was cut off"

    def as_json(self, host: str | None = None) -> list[dict[str, Any]] | None:
        """The runs that died, or those that a host had a part in; null where nobody can say."""
        if self.dead is None:
            return None
        return [
            {
                "run": one.run,
                "deploy": one.deploy,
                "verb": one.verb,
                "release": one.release,
                "tag": one.tag,
                "by": one.by,
                "began": one.at,
                "stopped": one.stopped,
                "hosts": [*one.before],
                "way": self.found.way if self.found else None,
            }
            for one in self.dead
            if host is None or host in one.before
        ]


def in_the_middle(one: Situation) -> Middle:
    """Ask who keeps the lease; the hosts that answer have been read."""
    from deploy.journal import dead
    from deploy.recovery import about, recovery

    name = one.environment.name
    try:
        seen = one.keeper.look(claim(one, "look"))
        runs = dead(seen.records)
    except HeadwayError as error:
        return Middle([str(error)], None)
    lines = described(seen)
    at_work = seen.holder.run if seen.holder and seen.holder.alive else ""
    runs = [run for run in runs if run.run != at_work]
    silent = _silent(one, runs)
    if silent:
        hosts = ", ".join(silent)
        lines += [*map(str, runs), f"What comes of it depends on {hosts} too: no answer."]
        return Middle(lines, runs, None, at_work)
    if not runs and lines:
        return Middle(lines, runs, None, at_work)
    try:
        read = [host for host in one.placements if host in one.facts]
        found = recovery(runs, about(runs, one.facts, read))
    except Refused as error:
        return Middle([*lines, *map(str, runs), str(error)], runs, None, at_work)
    if found:
        lines += [str(found), f"inv recover.{name} does that, and so does the next deploy."]
    return Middle(lines, runs, found, at_work)


def _silent(one: Situation, runs: Iterable[Dead]) -> list[str]:
    had = {host for run in runs for host in run.before}
    return [host for host in one.placements if host in had and host not in one.facts]

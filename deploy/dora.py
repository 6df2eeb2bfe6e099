"""The four figures of DORA, of the runs that the history has. Pure.

What they are: https://dora.dev/guides/dora-metrics-four-keys/. What of it a journal can know, and
how it is counted here: docs/history.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING

from deploy.views.text import duration

if TYPE_CHECKING:
    from deploy.history import Entry

DAYS = (30, 90)
DAY = 86400
_FAILED = {"failed", "reverted"}


@dataclass(frozen=True)
class Figures:
    """The last `days`.

    `deploys` came to a good end, `failed` of `tried` did not stay. `lead_time` is the median over
    `commits` from a commit to the end of the deploy that brought it, `recovery` the median over
    `recovered` from a failure until the site was as before: seconds, None where nothing is known.
    """

    days: int
    deploys: int
    tried: int
    failed: int
    lead_time: float | None
    commits: int
    recovery: float | None
    recovered: int

    @property
    def per_week(self) -> float:
        """Deploys in seven days."""
        return self.deploys * 7 / self.days

    @property
    def failure_rate(self) -> float | None:
        """The share of deploys that did not stay, 0 to 1; None: there was none."""
        return self.failed / self.tried if self.tried else None


@dataclass(frozen=True)
class Week:
    """Seven days that begin at `begins`: the deploys that stayed, and those that did not."""

    begins: float
    stayed: int
    failed: int


def figures(
    past: Sequence[Entry], made: Mapping[str, Sequence[float]], now: float
) -> tuple[Figures, ...]:
    """The figures of each of `DAYS`.

    Args:
        past: the history, the oldest first; longer than the days if it is.
        made: deploy → when the commits that it brought were made, as far as that is known.
        now: by the hosts' clock. All times are Unix seconds.
    """
    taken_back = taken_back_by(past)
    return tuple(_of(past, made, taken_back, now, days) for days in DAYS)


def taken_back_by(past: Iterable[Entry]) -> dict[str, Entry]:
    """Deploy → the rollback that went away from it while it ran."""
    brought: dict[str, Entry] = {}
    found = {}
    on = ""
    for entry in past:
        if entry.outcome != "done":
            continue
        if entry.verb == "deploy":
            brought[entry.release] = entry
        elif entry.verb == "rollback" and on in brought and on != entry.release:
            found[brought.pop(on).deploy] = entry
        on = entry.release
    return found


def deployed_since(past: Iterable[Entry]) -> dict[str, tuple[str, str]]:
    """Deploy → the commit that ran before and its own; the first one's is "" before.

    Only deploys that ended well and whose commit is known.
    """
    found = {}
    before = ""
    for entry in past:
        if entry.outcome != "done" or not entry.commit:
            continue
        if entry.verb == "deploy" and entry.commit != before:
            found[entry.deploy] = (before, entry.commit)
        before = entry.commit
    return found


def weeks(past: Iterable[Entry], now: float) -> list[Week]:
    """Of the longest of `DAYS`, the oldest first; the last one ends now."""
    taken_back = taken_back_by(past := list(past))
    found = []
    for ago in range(-(-DAYS[-1] // 7), 0, -1):
        begins = now - ago * 7 * DAY
        own = [
            one
            for one in past
            if one.verb == "deploy" and begins < at(one.ended) <= begins + 7 * DAY
        ]
        stayed = [one for one in own if one.outcome == "done" and one.deploy not in taken_back]
        wrong = [one for one in own if one.outcome in _FAILED or one.deploy in taken_back]
        found.append(Week(begins, len(stayed), len(wrong)))
    return found


def _of(
    past: Iterable[Entry],
    made: Mapping[str, Sequence[float]],
    taken_back: Mapping[str, Entry],
    now: float,
    days: int,
) -> Figures:
    recent = [one for one in past if one.verb == "deploy" and at(one.ended) > now - days * DAY]
    done = [one for one in recent if one.outcome == "done"]
    wrong = [one for one in recent if one.outcome in _FAILED]
    left = [one for one in done if one.deploy in taken_back]
    leads = [max(0.0, at(one.ended) - then) for one in done for then in made.get(one.deploy, ())]
    recoveries = [at(one.ended) - at(one.began) for one in wrong if one.outcome == "reverted"]
    recoveries += [at(taken_back[one.deploy].ended) - at(one.ended) for one in left]
    return Figures(
        days=days,
        deploys=len(done),
        tried=len(done) + len(wrong),
        failed=len(wrong) + len(left),
        lead_time=median(leads) if leads else None,
        commits=len(leads),
        recovery=max(0.0, median(recoveries)) if recoveries else None,
        recovered=len(recoveries),
    )


def at(moment: str) -> float:
    """A time of the history in Unix seconds; what is none was long ago."""
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return 0.0


def in_words(figures: Sequence[Figures]) -> list[tuple[str, list[str]]]:
    """A name, and in words what it is in each of the spans."""
    return [
        ("deploys", [_deploys(one) for one in figures]),
        ("lead time", [_measured(one.lead_time, one.commits, "commit") for one in figures]),
        ("failed", [_failed(one) for one in figures]),
        ("recovery", [_measured(one.recovery, one.recovered, "failure") for one in figures]),
    ]


def _deploys(one: Figures) -> str:
    return f"{one.deploys}, {one.per_week:.1f} a week" if one.deploys else "none"


def _failed(one: Figures) -> str:
    if one.failure_rate is None:
        return "none tried"
    return f"{one.failed} of {one.tried}, {100 * one.failure_rate:.0f}%"


def _measured(seconds: float | None, count: int, of: str) -> str:
    if seconds is None:
        return "not known"
    return f"{duration(seconds)}, of {count} {of}{'s' if count > 1 else ''}"

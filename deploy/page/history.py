"""The page of all runs: what its template is given. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.dora import DAYS, Figures, Week, in_words
from deploy.page.render import render
from deploy.page.svg import strip
from deploy.version import VERSION

if TYPE_CHECKING:
    from deploy.history import Entry

_MARKS = {
    "done": "✓",
    "reverted": "↩",
    "failed": "✗",
    "refused": "·",
    "rehearsed": "·",
    "unfinished": "✗",
}


@dataclass(frozen=True)
class Run:
    """A row of the table; `report` is the address of its own page, "" where there is none."""

    entry: Entry
    mark: str
    bad: bool
    began: str
    report: str


def history(
    app: str,
    environment: str,
    past: Sequence[Entry],
    *,
    figures: Sequence[Figures],
    weeks: Sequence[Week],
    reports: Mapping[str, str],
    silent: Sequence[str],
    unread: Sequence[str] = (),
    middle: Sequence[str] = (),
) -> str:
    """The page.

    Args:
        app: whose.
        environment: and where.
        past: the runs that are shown, the oldest first.
        figures: DORA's, of more runs than those.
        weeks: likewise.
        reports: deploy → the address of its own page, from this one.
        silent: the hosts that could not be asked.
        unread: those in whose journals a newer Headway has written.
        middle: who is at work, and what runs that died have left, in a line each.
    """
    stayed, failed = sum(one.stayed for one in weeks), sum(one.failed for one in weeks)
    says = f"{stayed} stayed and {failed} did not, in {len(weeks)} weeks"
    return render(
        "history.html",
        app=app,
        environment=environment,
        runs=[_run(one, reports) for one in reversed(past)],
        days=DAYS,
        figures=in_words(figures),
        weeks=weeks,
        chart=strip([(one.stayed, one.failed) for one in weeks], "Deploys in each week", says),
        says=says,
        silent=silent,
        unread=unread,
        middle=middle,
        version=VERSION,
    )


def _run(entry: Entry, reports: Mapping[str, str]) -> Run:
    return Run(
        entry,
        _MARKS[entry.outcome],
        entry.outcome in {"failed", "reverted", "unfinished"},
        entry.began.replace("T", " ").replace("Z", " UTC"),
        reports.get(entry.deploy, ""),
    )

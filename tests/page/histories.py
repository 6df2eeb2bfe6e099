"""Pages of a history: of a run a day, of which some went wrong; and of none at all."""

from __future__ import annotations

from datetime import UTC, datetime

from deploy import dora
from deploy.history import Entry
from deploy.page import history

NOW = datetime(2026, 6, 30, tzinfo=UTC).timestamp()
OUTCOMES = ("done", "done", "done", "reverted", "done", "failed", "refused", "done", "unfinished")


def entry(ago: int, outcome: str = "done", word: str = "") -> Entry:
    """`word` stands wherever somebody else's does."""
    return Entry(
        deploy=word or f"d-{ago:03}",
        verb=word or "deploy",
        release=f"v{ago}-{ago:08}",
        tag=word or f"v{ago}",
        began=word or _moment(NOW - ago * dora.DAY - 40),
        ended=_moment(NOW - ago * dora.DAY),
        by=word or "ada@laptop",
        outcome=outcome,
        hosts=("web-1",),
        reason="" if outcome == "done" else word or "web answers 500",
        commit=word or f"{ago:040}",
    )


def years(runs: int = 200) -> str:
    past = [entry(ago, OUTCOMES[ago % len(OUTCOMES)]) for ago in range(runs, 0, -1)]
    return paged(past, {past[-1].deploy: "report-production-d-001.html"} if past else {})


def paged(past: list[Entry], reports: dict[str, str], word: str = "") -> str:
    made = {one.deploy: [dora.at(one.ended) - 3 * 3600] for one in past}
    return history(
        word or "shop",
        word or "production",
        past,
        figures=dora.figures(past, made, NOW),
        weeks=dora.weeks(past, NOW),
        reports=reports,
        silent=[word or "web-2", "web-3"],
    )


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"

"""The page of one run: what its template is given. Pure."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.events import Outcome, StepSaid
from deploy.page.render import render
from deploy.page.svg import strip, timeline
from deploy.smoke.result import Outcome as Tried
from deploy.views.lines import Lines, log, saw
from deploy.views.rows import ROLL
from deploy.views.tally import Tally
from deploy.views.text import duration, tidy

if TYPE_CHECKING:
    from deploy.story.story import Image, SmokeTest, Story

_ENDS = {
    Outcome.DONE: ("✓", "done", "good"),
    Outcome.NOTHING: ("✓", "nothing to do", "good"),
    Outcome.REVERTED: ("↩", "failed, and put back", "bad"),
    Outcome.REFUSED: ("✗", "refused", "bad"),
    Outcome.NEEDS_PERSON: ("✗", "failed; a person must look", "bad"),
    Outcome.CANCELLED: ("·", "stopped", "bad"),
}
_DIED = ("✗", "died on the way", "bad")
_DATABASE = ("backup", "rehearse", "migrate", "push", "contract", "take back")
_MARKS = {Tried.PASSED: "✓", Tried.FAILED: "✗", Tried.INCONCLUSIVE: "?"}
_WEB = re.compile(r"https?://[^\s]+\Z")


@dataclass(frozen=True)
class Step:
    """A line of the table beside the timeline."""

    host: str
    step: str
    mark: str
    at: str
    took: str


def report(story: Story) -> str:
    """The page, which says everything that the story does."""
    events = [tidy(one) for one in story.events]
    tally, lines = Tally(), Lines()
    for event in events:
        tally.take(event)
    run, ended = story.started, story.ended
    mark, outcome, tone = _ENDS[ended.outcome] if ended else _DIED
    took = duration(ended.seconds) if ended else ""
    return render(
        "report.html",
        story=story,
        run=run,
        ended=ended,
        mark=mark,
        outcome=outcome,
        tone=tone,
        took=took,
        url=run.url if run and _WEB.match(run.url) else "",
        failures=[{"failure": one, "saw": saw(one), "log": log(one)} for one in tally.failures],
        warnings=tally.warnings,
        chart=timeline(
            tally.spans,
            "Hosts and steps over time",
            "The same stands in the table below.",
        ),
        steps=_steps(tally),
        database=_database(tally, [one for one in events if isinstance(one, StepSaid)]),
        traffic=_traffic(story),
        images=[
            (one.service, _image(one.before), _image(one.after))
            for one in story.changes.images
            if one.before != one.after
        ],
        tests=[_tested(one) for one in story.smoke],
        output="\n".join(line for event in events for line in lines.of(event)),
    )


def _steps(tally: Tally) -> list[Step]:
    start = min((one.began for one in tally.spans), default=0.0)
    return [
        Step(
            one.host or "all hosts",
            one.step,
            one.mark,
            duration(one.began - start),
            duration(one.ended - one.began),
        )
        for one in sorted(tally.spans, key=lambda one: (one.began, one.host))
    ]


def _database(tally: Tally, said: list[StepSaid]) -> list[dict[str, Any]]:
    """What was done to the database, with everything that it said: rehearsals have figures."""
    now = tally.ended.at if tally.ended else 0.0
    found = []
    for name in _DATABASE:
        if name in tally.phases and name not in ROLL:
            row = tally.phases[name].row(now, ended=True)
            told = [one.text for one in said if one.step == name]
            found.append({"row": row, "told": told})
    return found


def _traffic(story: Story) -> dict[str, Any] | None:
    if story.traffic is None or not story.traffic.seconds:
        return None
    seconds = story.traffic.seconds
    answered, failed = sum(one.answered for one in seconds), sum(one.failed for one in seconds)
    says = f"{answered:,} answered and {failed:,} failed in {len(seconds)} seconds"
    title = "Requests in each second"
    return {
        "drawing": strip([(one.answered, one.failed) for one in seconds], title, says),
        "answered": answered,
        "failed": failed,
    }


def _image(image: Image | None) -> str:
    if image is None:
        return "nothing"
    return f"{image.repository}:{image.tag} {image.digest[:19]}".strip()


def _tested(test: SmokeTest) -> dict[str, Any]:
    result = test.result
    return {
        "mark": _MARKS[result.outcome],
        "failed": result.outcome is not Tried.PASSED,
        "name": result.name,
        "host": result.host,
        "took": duration(result.seconds),
        "tries": result.tries,
        "reason": result.reason,
        "seen": result.seen,
        "pictures": [
            (one.name, f"data:image/png;base64,{base64.b64encode(one.png).decode()}")
            for one in test.pictures
        ],
    }

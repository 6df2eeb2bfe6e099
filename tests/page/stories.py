"""Stories for the pages: one for each way in which a run can end, and one with very much in it."""

from __future__ import annotations

from dataclasses import replace

from deploy.events import Event, Outcome, RunEnded
from deploy.story.story import Second, Story, Traffic
from tests.story import made
from tests.views.sequences import CASES, Script


def story_of(events: list[Event]) -> Story:
    return replace(
        made.story(),
        events=tuple(events),
        traffic=Traffic(1.0, (Second(400, 0),) * 60 + (Second(397, 3),) + (Second(400, 0),) * 59),
    )


def endings() -> dict[str, Story]:
    """By the name of the case; `died` has no end at all."""
    found = {name: story_of(case()) for name, case in CASES.items()}
    cut = [one for one in CASES["reverted"]() if not isinstance(one, RunEnded)]
    return found | {"died": replace(story_of(cut), whole=False)}


def many(hosts: int = 40) -> Story:
    """Over many hosts, eight steps on each."""
    names = tuple(f"web-{number}" for number in range(1, hosts + 1))
    script = Script()
    script.begin(hosts=names)
    for name in names:
        for step in ("prepare", "stage", "switch", "smoke", "settle", "verify", "purge", "record"):
            script.step(step, name, 2.5, "with a word or two on what was done there")
    script.end(Outcome.DONE, 0, f"https://shop.example serves v1.5.0 on {hosts} hosts.")
    return story_of(script.events)

"""Stories for the pages: one for each way in which a run can end, and one with very much in it."""

from __future__ import annotations

from dataclasses import replace

from deploy.database.measure.scale import Estimate
from deploy.database.measure.watch import Measured, Touched
from deploy.database.rehearsal.rehearsed import Back, Rehearsed, Trial, Way
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


def migrated() -> Story:
    """One with a backup, a rehearsal on it and a migration, as those steps tell of themselves."""
    back = Back(Way.EQUAL, 0.2, again=())
    users = Touched("users", 1, lock="AccessExclusiveLock", held=1.2, rewritten=True, updated=300)
    trial = Trial(
        "0007_loyalty",
        "0007_loyalty.sql",
        measured=Measured("0007_loyalty.sql", True, 1.5, (users,)),
        estimate=Estimate(15.0, True),
        back=back,
    )
    found = Rehearsed((trial,), contract=())
    script = Script()
    script.begin()
    script.step("backup", "db-1", 61.0, "2.1 GB → 310 MB, decoded")
    script.start("rehearse", "db-1")
    for line in found.lines():
        script.say("rehearse", "db-1", line)
    script.done("rehearse", "db-1", 92.5, found.summary)
    script.step("migrate", "", 14.2, "1 applied")
    script.end(Outcome.DONE, 0, "https://shop.example serves v1.5.0 on 4 hosts.")
    return story_of(script.events)


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

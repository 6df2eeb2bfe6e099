"""Arrows that are killed at any of their changes: the site serves, and the next roll converges."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import TimedOut
from deploy.remote.arrows import ArrowFailed

from .at_once import at_once, some
from .conftest import WEB, MakeProject
from .project import Died, Given, Project
from .visitor import Visitor

if TYPE_CHECKING:
    from deploy.remote.script import Report

pytestmark = pytest.mark.fleet

MOST = 40
"""More changes than any arrow makes; that none of them is left out is asserted."""


TWO = WEB.replace("stop_grace_period", "deploy: {replicas: 2}\n    stop_grace_period")


def cut_short(project: Project, arrow: str, replicas: int, first: int, step: int) -> int:
    """Kill an arrow at one of its changes, and a later one, …; return the first that it lacks.

    Before each, the host is settled; after each, another release is rolled over what is left.
    """
    versions = itertools.cycle(["v1", "v2", "v3"])
    settled = project.release(next(versions))
    project.roll(settled)
    with Visitor(project.port) as visitor:
        for at in range(first, MOST, step):
            cut = project.release(next(versions), N=str(at))
            before = list(itertools.takewhile(lambda one: one != arrow, ARROWS[arrow]))
            for one in before:
                send(project, one, cut)
            try:
                send(project, arrow, cut, dies_at=at)
            except Died:
                pass
            else:
                return at
            assert visitor.ask() in {settled.release.tag, cut.release.tag}
            settled = project.release(next(versions), N=str(at))
            project.roll(settled)
            project.assert_settled(settled, replicas=replicas)
            assert visitor.ask() == settled.release.tag
            assert visitor.failures == [], at
    raise AssertionError(f"{arrow} makes more than {MOST} changes")


ARROWS = {
    "prepare": ["prepare"],
    "stage": ["prepare", "stage"],
    "switch": ["prepare", "stage", "switch"],
    "settle": ["prepare", "stage", "switch", "settle"],
    "abandon": ["prepare", "stage", "switch", "abandon"],
}


def send(project: Project, arrow: str, release: Given, **how: Any) -> Report:
    if arrow == "prepare":
        return project.deliver(release, **how)
    return project.send(arrow, release, **how)


CHANGES = [
    ("settle", 10, 1),
    ("stage", 5, 1),
    ("stage", 7, 2),
    ("prepare", 1, 1),
    ("switch", 1, 1),
    ("abandon", 2, 1),
]
"""(arrow, changes that it makes at least, replicas of the service)."""


def test_whatever_kills_an_arrow_the_next_roll_converges(
    make: MakeProject, request: pytest.FixtureRequest
) -> None:
    def check(arrow: str, changes: int, replicas: int, first: int) -> None:
        project = make(TWO if replicas == 2 else WEB)
        assert cut_short(project, arrow, replicas, first, step=3) > changes

    at_once(check, some(request, [(*case, first) for case in CHANGES for first in (1, 2, 3)]))


@pytest.mark.thorough
def test_the_same_token_again_after_a_kill_finishes_it(make: MakeProject) -> None:
    """What the laptop does when the host has come back: it sends the same again."""

    def check(arrow: str, at: int, left: list[str]) -> None:
        project = make()
        v1, v2 = project.release("v1"), project.release("v2")
        project.roll(v1)
        with Visitor(project.port) as visitor:
            for one in ARROWS[arrow][:-1]:
                send(project, one, v2)
            with pytest.raises(Died):
                send(project, arrow, v2, token="again", dies_at=at)
            assert send(project, arrow, v2, token="again").last("failed") is None
            for one in left:
                send(project, one, v2)
        project.assert_settled(v1 if arrow == "abandon" else v2)
        assert visitor.failures == []
        what = "reverted" if arrow == "abandon" else "settled"
        assert project.journal()[1:] == [(v2.id, "deploy", what)]

    at_once(
        check,
        [
            ("stage", 5, ["switch", "settle"]),
            ("switch", 1, ["settle"]),
            ("settle", 5, []),
            ("abandon", 2, []),
        ],
    )


def test_the_same_token_twice_does_it_once(project: Project) -> None:
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    project.deliver(v2)
    first = project.send("stage", v2, token="once")
    staged = project.ids()
    again = project.send("stage", v2, token="once")
    assert again.events == first.events
    assert project.ids() == staged
    bad = project.release("v3", BEHAVIOUR="exit")
    project.deliver(bad)
    reasons = []
    for _ in range(2):
        with pytest.raises(ArrowFailed) as caught:
            project.send("stage", bad, token="twice")
        reasons.append((caught.value.reason, caught.value.detail))
    assert reasons[0] == reasons[1]
    assert project.journal()[1:] == [(v2.id, "deploy", "reverted"), (bad.id, "deploy", "failed")]


def test_two_scripts_at_once_go_one_after_the_other(project: Project) -> None:
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    project.deliver(v2)
    ended: list[tuple[str, float]] = []

    def run(name: str, arrow: str) -> None:
        project.send(arrow, v2)
        ended.append((name, time.monotonic()))

    first = threading.Thread(target=run, args=("first", "stage"))
    first.start()
    time.sleep(0.4)
    run("second", "switch")  # would fail if it did not wait: nothing is staged yet
    first.join()
    assert [name for name, _ in ended] == ["first", "second"]
    project.send("settle", v2)
    project.assert_settled(v2)


@pytest.mark.thorough
def test_one_that_waits_too_long_says_so(project: Project) -> None:
    v1, v2 = project.release("v1"), project.release("v2", BEHAVIOUR="sick")
    project.roll(v1)
    project.deliver(v2)

    def stage() -> None:
        with pytest.raises(ArrowFailed, match="was not healthy"):
            project.send("stage", v2, healthy_deadline="400")

    slow = threading.Thread(target=stage)
    slow.start()
    time.sleep(0.4)
    with pytest.raises(
        ArrowFailed, match="another script of Headway has been working on this host"
    ):
        project.send("abandon", v1, lock_wait="1")
    slow.join()
    project.assert_settled(v1)


@pytest.mark.thorough
def test_the_same_again_waits_for_its_own_first_run(project: Project) -> None:
    v1, v2 = project.release("v1"), project.release("v2", BEHAVIOUR="sick")
    project.roll(v1)
    project.deliver(v2)
    reasons = []

    def stage(**settings: str) -> None:
        with pytest.raises(ArrowFailed) as caught:
            project.send("stage", v2, token="own", healthy_deadline="400", **settings)
        reasons.append(caught.value.reason)

    first = threading.Thread(target=stage)
    first.start()
    time.sleep(1)
    stage(lock_wait="1")
    first.join()
    assert reasons == ["web was not healthy within 4 s"] * 2
    assert project.journal()[1:] == [(v2.id, "deploy", "failed")]


def test_an_arrow_that_is_ended_at_its_deadline_says_so(project: Project) -> None:
    v1, v2 = project.release("v1"), project.release("v2", BEHAVIOUR="sick")
    project.roll(v1)
    project.deliver(v2)
    with pytest.raises(TimedOut, match=r"here: stage did not end within 1\.5 s, and the host has"):
        project.send("stage", v2, timeout=1.5)
    assert project.next() == "staging"
    project.send("abandon", v2)
    project.assert_settled(v1)


@pytest.mark.thorough
def test_a_settle_that_was_cut_is_finished_by_a_stage_of_another_release(project: Project) -> None:
    v1, v2, v3 = (project.release(tag) for tag in ("v1", "v2", "v3"))
    project.roll(v1)
    project.deliver(v2)
    project.send("stage", v2)
    project.send("switch", v2)
    with pytest.raises(Died):
        project.send("settle", v2, dies_at=3)
    assert project.next() == "settling"
    with pytest.raises(ArrowFailed, match="the way on is to settle"):
        project.send("abandon", v2)
    project.deliver(v3)
    report = project.send("stage", v3)
    assert f"an earlier roll to {v2.id} was cut off while it settled: finishing it" in [
        one["text"] for one in report.all("said")
    ]
    assert project.facts().release == v2.id
    assert project.journal() == [
        (v1.id, "deploy", "settled"),
        (v2.id, "deploy", "settled"),
    ]
    project.send("switch", v3)
    project.send("settle", v3)
    project.assert_settled(v3)


def test_a_switch_that_never_came_to_the_flag_is_not_settled(project: Project) -> None:
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    project.deliver(v2)
    project.send("stage", v2)
    live = project.live()
    with pytest.raises(Died):
        project.send("switch", v2, dies_at=2)  # the flag goes by rm: from green to blue
    assert (project.next(), project.live()) == ("switched", live)
    with pytest.raises(ArrowFailed, match="is not switched on this host"):
        project.send("settle", v2)
    project.send("switch", v2)
    project.send("settle", v2)
    project.assert_settled(v2)


@pytest.mark.thorough
def test_a_worker_cut_while_it_is_replaced(make: MakeProject) -> None:
    project = make(
        WEB.replace("  web:", "  worker:").replace(
            'ports: ["127.0.0.1:PORT:3000"]', "command: node app.mjs"
        ),
        "worker: {}",
    )
    releases = itertools.cycle([project.release(tag) for tag in ("v1", "v2", "v3")])
    project.roll(next(releases))
    for at in range(1, MOST):
        cut = next(releases)
        project.deliver(cut)
        project.send("stage", cut)
        try:
            project.send("switch", cut, dies_at=at)
        except Died:
            following = next(releases)
            project.roll(following)
            assert [(box.status, box.version) for box in project.boxes("worker")] == [
                ("running", following.release.tag)
            ]
        else:
            assert at >= 4
            break

"""The walk over phases: their order, what is told of it, and being asked to stop."""

from __future__ import annotations

import threading

import pytest

from deploy.errors import Cancelled, HeadwayError, Refused
from deploy.events import StepFailed
from deploy.remote.arrows import ArrowFailed
from deploy.remote.script import Report
from deploy.run import AT_ONCE

from .walk import Walk, raises


def test_phases_go_one_after_the_other() -> None:
    walk = Walk()
    failure = walk.run.walk(
        [
            [walk.step("pull", "a")],
            [walk.step("migrate")],
            [walk.step("stage", "a")],
            [],
            [walk.step("switch", "a")],
        ]
    )
    assert failure is None
    assert walk.log == ["pull a", "migrate", "stage a", "switch a"]
    assert walk.seen() == [
        line for label in walk.log for line in (f"{label}: started", f"{label}: done, {label} done")
    ]


def test_what_a_step_says_is_an_event() -> None:
    walk = Walk()
    walk.run.walk([[walk.step("stage", "a", says=[("pulling", False), ("slow", True)])]])
    assert walk.seen() == [
        "stage a: started",
        "stage a: StepSaid pulling",
        "a: Warned slow",
        "stage a: done, stage a done",
    ]


def meet(others: threading.Barrier) -> None:
    others.wait(10)


def test_the_steps_of_a_phase_go_at_once() -> None:
    walk = Walk()
    together = threading.Barrier(AT_ONCE)
    hosts = [f"h-{number}" for number in range(AT_ONCE)]
    steps = [walk.step("stage", host, lambda: meet(together)) for host in hosts]
    assert walk.run.walk([steps]) is None
    assert sorted(walk.log) == sorted(f"stage {host}" for host in hosts)


def test_cancelled_between_phases() -> None:
    walk = Walk()
    with pytest.raises(Cancelled) as caught:
        walk.run.walk(
            [
                [walk.step("stage", "a", walk.cancel.set), walk.step("stage", "b")],
                [walk.step("switch", "a")],
            ]
        )
    assert caught.value.exit_code == 130
    assert sorted(walk.log) == ["stage a", "stage b"]
    assert len([line for line in walk.seen() if "done," in line]) == 2


def test_cancelled_before_the_first_phase() -> None:
    walk = Walk()
    walk.cancel.set()
    with pytest.raises(Cancelled):
        walk.run.walk([[walk.step("stage", "a")]])
    assert walk.events == []


def test_cancelled_during_the_last_phase_is_too_late() -> None:
    walk = Walk()
    assert walk.run.walk([[walk.step("settle", "a", walk.cancel.set)]]) is None


def test_the_reason_and_the_detail_that_are_shown() -> None:
    walk = Walk()
    arrow = ArrowFailed("a", "web is unhealthy", "line 1\nline 2", Report(), "500 oops")
    walk.run.walk([[walk.step("stage", "a", raises(arrow))]])
    error = HeadwayError("they do not fit", state="nothing applied", mend="mend it")
    walk.run.walk([[walk.step("migrate", do=raises(error))]])
    late = Refused("it has changed", state="nothing applied", mend="deploy again")
    walk.run.walk([[walk.step("contract", do=raises(late))]])
    failed = [event for event in walk.events if isinstance(event, StepFailed)]
    assert [(event.host, event.reason, event.detail) for event in failed] == [
        ("a", "web is unhealthy", "line 1\nline 2"),
        ("", "they do not fit", "nothing applied\nmend it"),
        ("", "it has changed", "nothing applied\ndeploy again"),
    ]
    assert [event.seen for event in failed] == ["500 oops", "", ""]


def test_a_run_that_ends_as_refused_says_once_what_to_type() -> None:
    walk = Walk()
    refused = Refused("no room", state="nothing is made", mend="make room")
    with pytest.raises(Refused, match="make room"):
        walk.run.walk([[walk.step("backup", "a", raises(refused), touches=False)]])
    (failed,) = (event for event in walk.events if isinstance(event, StepFailed))
    assert (failed.reason, failed.detail) == ("no room", "nothing is made")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_is_not_swallowed(stop: type[BaseException]) -> None:
    walk = Walk()
    with pytest.raises(stop):
        walk.run.walk([[walk.step("stage", "a", raises(stop()))]])

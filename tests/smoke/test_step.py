"""The smoke tests as a step of a run: what is told, what fails it, and what is put back then."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from deploy.errors import NeedsPerson
from deploy.events import Event, StepDone, StepFailed, StepSaid, StepUndone, Stream, Warned
from deploy.run import Run
from deploy.smoke.result import Outcome, Result, Verdict
from deploy.steps.smoke import Smoke

if TYPE_CHECKING:
    from deploy.smoke.smoke import Said
    from deploy.steps.step import Say

GOOD = Result("home", "", Outcome.PASSED)
SECOND = Result("health", "web-1", Outcome.PASSED, seconds=0.1, tries=2)
BAD = Result("login", "", Outcome.FAILED, "answered 500, expected 2xx", seen="500 oops")
DARK = Result("order", "", Outcome.INCONCLUSIVE, "no browser")


@dataclass
class Switched:
    """The step before, on its host."""

    name: str = "switch"
    host: str = "web-1"
    touches: bool = True
    reverts: bool = True
    undone: list[str] = field(default_factory=list)

    def do(self, say: Say) -> str:
        return ""

    def undo(self, say: Say) -> str:
        self.undone.append(self.host)
        return "switched back"


def step(*results: Result, strict: bool = False, after: Switched | None = None, **more: bool):
    def test(said: Said) -> Verdict:
        for one in results:
            said(one)
        return Verdict(results, strict)

    return Smoke(test, after, **more)


def walked(*steps: object) -> tuple[list[Event], object]:
    events: list[Event] = []
    stream = Stream()
    stream.listen(events.append)
    failure = Run(stream, threading.Event()).walk([[one] for one in steps])  # type: ignore[list-item]
    return events, failure


def test_what_is_told_is_what_is_worth_it() -> None:
    events, failure = walked(step(GOOD, SECOND, DARK))
    assert failure is None
    assert [one.text for one in events if isinstance(one, StepSaid)] == [
        "health on web-1: passed on try 2 in 100 ms"
    ]
    assert [one.text for one in events if isinstance(one, Warned)] == [
        "order: inconclusive, no browser"
    ]
    (done,) = (one for one in events if isinstance(one, StepDone))
    assert (done.step, done.detail) == ("smoke", "2 passed, 1 inconclusive")


def test_a_failure_has_the_first_reason_and_all_of_them_below() -> None:
    with pytest.raises(NeedsPerson) as caught:
        step(GOOD, BAD, DARK, strict=True).do(lambda _text, _warning: None)
    assert caught.value.message == "login: failed, answered 500, expected 2xx (and 1 more)"
    assert caught.value.state == (
        "login: failed, answered 500, expected 2xx\norder: inconclusive, no browser"
    )


def test_on_a_host_it_puts_back_what_the_switch_did() -> None:
    switched = Switched()
    events, failure = walked(switched, step(BAD, after=switched))
    assert failure
    assert switched.undone == ["web-1"]
    (failed,) = (one for one in events if isinstance(one, StepFailed))
    assert (failed.step, failed.host, failed.seen) == ("smoke", "web-1", "500 oops")
    assert failed.reason == "login: failed, answered 500, expected 2xx"
    (undone,) = (one for one in events if isinstance(one, StepUndone))
    assert (undone.ok, undone.text) == (True, "switched back")


def test_after_all_hosts_every_host_is_put_back() -> None:
    ones = [Switched(host="web-1"), Switched(host="web-2")]
    _, failure = walked(*ones, step(BAD))
    assert failure
    assert [one.undone for one in ones] == [["web-1"], ["web-2"]]


def test_after_a_rollback_nothing_is() -> None:
    switched = Switched()
    _, failure = walked(switched, step(BAD, reverts=False))
    assert failure
    assert switched.undone == []

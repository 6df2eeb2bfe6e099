"""What the events of a run come to, as spans."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from deploy.events import RunStarted
from deploy.telemetry.spans import DETAIL, Span, spans

from ..notify.render import A, B, known
from ..views import hostile
from ..views.sequences import CASES, START, Script

if TYPE_CHECKING:
    from deploy.events import Event


def tree(found: list[Span], parent: Span | None = None) -> dict[str, object]:
    return {one.name: tree(found, one) for one in found if one.parent is parent}


def named(found: list[Span], name: str, host: str = "") -> Span:
    (span,) = (
        one
        for one in found
        if one.name == name and (not host or one.attributes.get("host.name") == host)
    )
    return span


def test_a_run_its_hosts_and_their_steps() -> None:
    found = spans(CASES["success"]())
    steps: dict[str, object] = {"stage": {}, "switch": {}, "settle": {}}
    hosts = ("web-1", "web-2", "web-3", "worker-1")
    assert tree(found) == {
        "deploy": {
            "checks": {},
            "pull": {"pull": {}},
            "migrate": {},
            **{f"roll {host}": steps for host in hosts},
            "verify": {},
        }
    }
    run, switch = named(found, "deploy"), named(found, "switch", "web-1")
    assert (run.began, run.error) == (START, "")
    assert run.ended == max(one.ended for one in found)
    assert switch.ended - switch.began == pytest.approx(10.0)
    assert switch.attributes == {
        "headway.step": "switch",
        "host.name": "web-1",
        "headway.detail": "no failing probe in 10 s",
    }
    # What all hosts do at once is one span, from the first of them to the last.
    pulls = [one for one in found if one.name == "pull"]
    assert len(pulls) == 5
    assert pulls[0].ended == max(one.ended for one in pulls[1:])
    said = named(found, "stage", "web-1").marks
    assert [one.attributes for one in said] == [
        {"headway.text": "2 containers started, waiting for /healthz"}
    ]
    assert run.marks[0].name == "warned"
    assert run.marks[0].attributes["host.name"] == "web-3"


def test_what_the_run_says_of_itself() -> None:
    run = spans(known(CASES["reverted"]()))[0]
    assert run.attributes == {
        "deployment.environment.name": "production",
        "deployment.id": "d-20261122-1904",
        "deployment.name": "deploy shop",
        "deployment.status": "failed",
        "vcs.ref.head.revision": B,
        "vcs.ref.base.revision": A,
        "headway.app": "shop",
        "headway.verb": "deploy",
        "headway.before": "v1.4.2",
        "headway.after": "v1.5.0",
        "headway.by": "bo@github",
        "headway.approved_by": "ana@github",
        "headway.outcome": "reverted",
        "headway.exit_code": 4,
        "headway.message": run.error,
    }
    assert run.error.startswith("shop · production is on v1.4.2")


def test_what_failed_and_what_was_undone() -> None:
    found = spans(CASES["reverted"]())
    failed = named(found, "switch", "web-2")
    assert failed.error == "/healthz through the proxy answered 500 (3 times in 5 s)"
    (mark,) = failed.marks
    assert mark.name == "exception"
    assert mark.attributes["exception.message"] == failed.error
    assert str(mark.attributes["headway.seen"]).startswith('500 {"status"')
    assert "coupons.js" in str(mark.attributes["headway.detail"])
    host = named(found, "roll web-2")
    assert host.error == "switch failed"
    undone = named(found, "undo switch")
    assert undone.parent is host
    assert (undone.error, undone.marks[0].name) == ("", "undone")
    assert named(found, "undo settle").parent is named(found, "roll web-1")
    assert named(found, "roll web-1").error == ""
    assert named(found, "undo migrate").parent is found[0]


def test_what_could_not_be_undone_is_an_error() -> None:
    found = spans(CASES["needs-person"]())
    assert named(found, "undo stage").error == "no connection to 203.0.113.12"
    assert found[0].error.startswith("web-2 can't be reached")


def test_what_was_cut_short_ends_with_the_run() -> None:
    found = spans(CASES["needs-person"]())
    cut = named(found, "stage", "web-3")
    assert cut.attributes["headway.unfinished"] is True
    assert cut.ended == found[0].ended


def test_a_step_that_was_refused_before_it_began() -> None:
    script = Script()
    script.begin()
    script.fail("stage", "web-1", "not begun: the time is over", "x" * 9000)
    found = spans(script.events)
    span = named(found, "stage")
    assert (span.began, span.error) == (span.ended, "not begun: the time is over")
    assert len(str(span.marks[0].attributes["headway.detail"])) == DETAIL


def test_smoke_on_a_host_is_that_hosts() -> None:
    script = Script()
    script.begin()
    for step in ("stage", "switch", "smoke"):
        script.step(step, "web-1", 1.0)
    script.step("smoke", "", 2.0)
    assert tree(spans(script.events)) == {
        "deploy": {"roll web-1": {"stage": {}, "switch": {}, "smoke": {}}, "smoke": {}}
    }


def test_without_a_run_there_is_nothing() -> None:
    assert spans([one for one in CASES["success"]() if not isinstance(one, RunStarted)]) == []


@settings(deadline=None, max_examples=60)
@given(events=hostile.runs)
def test_every_span_is_within_its_parent(events: list[Event]) -> None:
    events = [replace(one, at=100.0 + number) for number, one in enumerate(events)]
    found = spans(events)
    places = {id(one): number for number, one in enumerate(found)}
    for number, one in enumerate(found):
        assert one.ended >= one.began
        assert (one.parent is None) == (number == 0)
        if one.parent:
            assert places[id(one.parent)] < number
            assert one.parent.ended >= one.ended

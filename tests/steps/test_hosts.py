"""The arrows of a host as steps: what is sent, with which deadline, and what undoing sends."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from deploy.compose.placement import Placement, Rolled
from deploy.errors import NeedsPerson, TimedOut
from deploy.remote.arrows import ArrowFailed, Arrows
from deploy.remote.fake import Call, FakeHost, hangs, says
from deploy.settings.sections import Rollout
from deploy.steps.hosts import Place, Prepare, Roll, Settle, Stage, Switch, Target

WEB = Rolled("web", "start-first", 3000, drain=30, replicas=2)
WORKER = Rolled("worker", "stop-first", None, drain=10, replicas=1)
NEW = Roll("v2-2", "v2", "deploy", bake=10)
OLD = Roll("v1-1", "v1", "revert", bake=1)


@dataclass
class Sent:
    """What a host was sent, in short."""

    arrow: str
    release: str
    verb: str
    token: str
    bake: str
    timeout: float
    stdin: bytes


@dataclass
class Fixture:
    """A target on a fake host that says yes to every arrow but those in `refuse`."""

    rolled: tuple[Rolled, ...] = (WEB, WORKER)
    back: Roll | None = OLD
    unfinished: bool = False
    refuse: set[str] = field(default_factory=set)
    told: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.host = FakeHost("web-1", self._answer)
        settings = {"dir": "/srv/shop", "deploy": "d-1", "verb": "", "release": "", "bake": "999"}
        self.target = Target(
            name="web-1",
            arrows=Arrows(self.host, settings, "caddy"),
            placement=Placement("web-1", self.rolled, (), (), False),
            deploy="d-1",
            deadlines=Rollout(),
            forward=NEW,
            back=self.back,
            unfinished=self.unfinished,
        )

    def _answer(self, call: Call) -> Any:
        arrow = in_short(call).arrow
        if arrow in self.refuse:
            return says(json.dumps({"event": "failed", "reason": f"no {arrow}"}) + "\n", 1)
        return says(json.dumps({"event": "said", "text": arrow}) + "\n")

    def say(self, text: str, warning: bool) -> None:
        self.told.append((text, warning))

    def sent(self) -> list[Sent]:
        return [in_short(call) for call in self.host.calls]

    def ways(self) -> list[tuple[str, str, str]]:
        return [(one.arrow, one.release, one.verb) for one in self.sent()]


def in_short(call: Call) -> Sent:
    text = call.argv[2]

    def value(name: str) -> str:
        found = re.search(rf"^{name}=(.*)$", text, re.MULTILINE)
        assert found
        return found[1]

    lines = text.splitlines()
    assert lines[-3] == "begin"
    return Sent(
        lines[-2],
        value("release"),
        value("verb"),
        value("token"),
        value("bake"),
        call.timeout,
        call.stdin,
    )


@pytest.mark.parametrize(
    ("step", "arrow"), [(Stage, "stage"), (Switch, "switch"), (Settle, "settle")]
)
def test_forward(step: Any, arrow: str) -> None:
    fixture = Fixture()
    one = step(fixture.target)
    assert (one.name, one.host) == (arrow, "web-1")
    assert one.do(fixture.say) == ""
    (sent,) = fixture.sent()
    assert (sent.arrow, sent.release, sent.verb) == (arrow, "v2-2", "deploy")
    assert sent.token == f"d-1.deploy.{arrow}"
    assert sent.bake == "1000"
    assert fixture.told == [(arrow, False)]


@pytest.mark.parametrize("arrow", ["prepare", "recall"])
def test_prepare_sends_what_it_has_by_standard_input(arrow: str) -> None:
    fixture = Fixture()
    one = Prepare(fixture.target, arrow, b"s3cr3t\ntar")
    assert one.name == "pull"
    assert "s3cr3t" not in repr(one)
    assert one.do(fixture.say) == ""
    (sent,) = fixture.sent()
    assert (sent.arrow, sent.stdin) == (arrow, b"s3cr3t\ntar")
    assert "s3cr3t" not in fixture.host.calls[0].line
    # Files and images that nobody uses do no harm.
    assert one.undo(fixture.say) == ""
    assert len(fixture.host.calls) == 1


def test_what_an_earlier_deploy_left_half_way_is_ended_with_a_deploy_that_fails_before_it() -> None:
    """Else the exit code would say that all is as it was, of a host that is on neither release."""
    fixture = Fixture(unfinished=True)
    undone = Prepare(fixture.target, "prepare", b"").undo(fixture.say)
    assert undone == "an earlier roll, cut off there, brought to its end"
    assert fixture.ways() == [("abandon", "v2-2", "deploy")]


def test_deadlines_cover_what_an_arrow_may_take() -> None:
    """Of its own parts: the script's own deadlines must come first."""
    fixture = Fixture()
    for step in (Stage, Switch, Settle):
        step(fixture.target).do(fixture.say)
    stage, switch, settle = (one.timeout for one in fixture.sent())
    # Two services, each within its healthy_deadline; the bake; the drains and the stops.
    assert stage > 60 * 2
    assert switch > 10 + 60 * 2
    assert settle > (30 + 60) + (10 + 60)
    assert all(limit < 900 for limit in (stage, switch, settle))


ENDED = "and the host has ended it (120 s of rollout.script_deadline"
LATE = {
    Stage: f"400 s, {ENDED}, and 280 s of healthy_deadline, probe_deadline and drain)",
    Settle: f"280 s, {ENDED}, and 160 s of drain and stop_deadline)",
    Place: f"120 s, {ENDED})",
}


@pytest.mark.parametrize("step", LATE, ids=lambda step: step.__name__)
def test_an_arrow_that_is_late_names_the_settings(step: Any) -> None:
    fixture = Fixture()
    fixture.host.script = hangs
    with pytest.raises(TimedOut) as late:
        step(fixture.target).do(fixture.say)
    assert late.value.reason.partition(" within ")[2] == LATE[step]


@pytest.mark.parametrize("step", [Stage, Switch])
def test_before_it_has_settled_undoing_is_abandoning(step: Any) -> None:
    fixture = Fixture()
    assert "new containers removed" in step(fixture.target).undo(fixture.say)
    assert fixture.ways() == [("abandon", "v2-2", "deploy")]


def test_after_it_has_settled_undoing_is_a_roll_to_what_was_before() -> None:
    fixture = Fixture()
    assert Settle(fixture.target).undo(fixture.say) == "rolled back to v1"
    assert fixture.ways() == [
        ("stage", "v1-1", "revert"),
        ("switch", "v1-1", "revert"),
        ("settle", "v1-1", "revert"),
    ]
    assert {one.bake for one in fixture.sent()} == {"100"}
    assert len({one.token for one in fixture.sent()}) == 3


def test_a_token_is_never_used_for_two_things() -> None:
    """The host answers a known token with what it said then, and does nothing."""
    fixture = Fixture()
    target = fixture.target
    for step in (Prepare(target, "prepare", b""), Stage(target), Switch(target), Settle(target)):
        step.do(fixture.say)
    Settle(target).undo(fixture.say)
    tokens = [one.token for one in fixture.sent()]
    assert len(tokens) == len(set(tokens)) == 7


def test_there_is_nothing_to_go_back_to() -> None:
    fixture = Fixture(back=None)
    with pytest.raises(NeedsPerson, match="web-1: there is no earlier release to go back to"):
        Settle(fixture.target).undo(fixture.say)
    assert fixture.host.calls == []


@pytest.mark.parametrize("arrow", ["stage", "switch", "settle"])
def test_the_way_back_stops_where_it_fails(arrow: str) -> None:
    fixture = Fixture(refuse={arrow})
    with pytest.raises(ArrowFailed, match=f"no {arrow}"):
        Settle(fixture.target).undo(fixture.say)
    assert fixture.ways()[-1][0] == arrow


def test_a_host_that_rolls_nothing_reads_the_files() -> None:
    fixture = Fixture(rolled=())
    step = Place(fixture.target)
    assert (step.name, step.do(fixture.say)) == ("settle", "")
    assert step.undo(fixture.say) == "reads v1 again"
    assert fixture.ways() == [("place", "v2-2", "deploy"), ("place", "v1-1", "revert")]
    assert len({one.token for one in fixture.sent()}) == 2


def test_a_host_that_had_nothing_keeps_the_files() -> None:
    fixture = Fixture(rolled=(), back=None)
    assert Place(fixture.target).undo(fixture.say) == ""
    assert fixture.host.calls == []

"""Sending arrows: what the host's answers, and its silence, are turned into."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import CommandFailed, HostError, OutcomeUnknown, TimedOut, Unreachable
from deploy.remote.arrows import ArrowFailed, Arrows
from deploy.remote.fake import Answer, Call, FakeHost, hangs, lost_after, lost_before, says
from tests.localhost import LocalHost

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from deploy.remote.host import Result
    from deploy.remote.script import Report


def events(*said: dict[str, Any]) -> str:
    return "".join(json.dumps(event) + "\n" for event in said)


DONE = events({"event": "said", "text": "starting web"}, {"event": "staged"})
FAILED = events(
    {"event": "said", "text": "starting web"},
    {"event": "failed", "reason": "web is unhealthy", "detail": "line 1\nline 2"},
)


@dataclass
class Fleet:
    """One fake host that gives one answer after the other, and a clock that sleeping moves on."""

    answers: list[Answer]
    now: float = 100.0
    slept: list[float] = field(default_factory=list)
    told: list[tuple[str, bool]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.host = FakeHost("web-1", self._answer)
        self.arrows = Arrows(
            self.host,
            {"dir": "/srv/shop", "verb": "deploy", "token": "", "release": ""},
            "caddy",
            clock=lambda: self.now,
            sleep=self._sleep,
        )

    def _answer(self, call: Call) -> Any:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(call) if callable(answer) else answer

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def send(self, **more: Any) -> Report:
        options = {"token": "d-1.deploy.stage", "timeout": 30.0, **more}
        return self.arrows.send("stage", say=lambda *said: self.told.append(said), **options)


def test_what_is_sent() -> None:
    fleet = Fleet([says(DONE)])
    report = fleet.send(stdin=b"secret", overrides={"verb": "revert", "release": "v1-1"})
    assert report.events == [{"event": "said", "text": "starting web"}, {"event": "staged"}]
    (call,) = fleet.host.calls
    assert call.argv[:2] == ("sh", "-c")
    assert call.argv[3:] == ("headway",)
    assert call.stdin == b"secret"
    assert call.timeout == 30.0
    lines = call.argv[2].splitlines()
    assert lines[:5] == [
        "dir=/srv/shop",
        "release=v1-1",
        "token=d-1.deploy.stage",
        "verb=revert",
        "set -u",
    ]
    assert lines[-3:] == ["begin", "stage", "finish $?"]
    assert fleet.told == [("starting web", False)]


def test_overrides_are_for_one_arrow() -> None:
    fleet = Fleet([says(DONE)])
    fleet.send(overrides={"verb": "revert"})
    fleet.send()
    assert "verb=revert" in fleet.host.calls[0].argv[2]
    assert "verb=deploy" in fleet.host.calls[1].argv[2]
    assert fleet.arrows.settings["verb"] == "deploy"


def test_a_warning_is_told_as_one() -> None:
    fleet = Fleet([says(events({"event": "warned", "text": "cut"}, {"event": "settled"}))])
    fleet.send()
    assert fleet.told == [("cut", True)]


def test_lines_that_are_no_events_do_no_harm() -> None:
    fleet = Fleet([says("Warning: something\n" + DONE + "{\n")])
    assert fleet.send().last("staged") == {"event": "staged"}


@pytest.mark.parametrize("code", [0, 1])
def test_a_failed_event_is_a_failure(code: int) -> None:
    with pytest.raises(ArrowFailed) as caught:
        Fleet([says(FAILED, code)]).send()
    error = caught.value
    assert (error.host, error.reason) == ("web-1", "web is unhealthy")
    assert error.detail == "line 1\nline 2"
    assert str(error) == "web-1: web is unhealthy"
    assert [event["event"] for event in error.report.events] == ["said", "failed"]


def test_a_script_that_ends_badly_and_says_nothing() -> None:
    with pytest.raises(ArrowFailed) as caught:
        Fleet([says("", 127, stderr="sh: 1: flock: not found\n")]).send()
    assert caught.value.reason == "the script ended with exit code 127"
    assert caught.value.detail == "sh: 1: flock: not found"


def test_unreachable_at_first_is_told_at_once() -> None:
    fleet = Fleet([Unreachable("web-1", "no route")])
    with pytest.raises(Unreachable, match="no route"):
        fleet.send()
    assert len(fleet.host.calls) == 1
    assert fleet.slept == []
    assert fleet.told == []


def test_a_lost_connection_asks_again_with_the_same_token() -> None:
    fleet = Fleet(
        [lost_before, Unreachable("web-1", "no route"), lost_after(says(DONE)), says(DONE)]
    )
    report = fleet.send(stdin=b"secret")
    assert report.last("staged")
    assert len(fleet.host.calls) == 4
    assert len({(call.argv, call.stdin, call.timeout) for call in fleet.host.calls}) == 1
    assert fleet.slept == [1, 1, 1]
    assert fleet.told == [
        ("the connection was lost; asking the host again", True),
        ("starting web", False),
    ]
    # What an answer that was lost had told is not counted twice.
    assert report.events == [{"event": "said", "text": "starting web"}, {"event": "staged"}]


class Cut:
    """A host that says some events before its connection goes away, and others the next time."""

    name = "web-1"

    def __init__(self, first: list[str], then: list[str]) -> None:
        self.turns = [first, then]

    def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Result:
        del argv, stdin, timeout
        assert on_line
        for text in self.turns.pop(0):
            on_line(json.dumps({"event": "said", "text": text}))
        if self.turns:
            raise OutcomeUnknown("web-1", "cut")
        return says()

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("first", "then", "told"),
    [
        # The host answers with what the run under this token said, from its beginning.
        (["pulling", "starting"], ["pulling", "starting", "ok"], ["pulling", "starting", "ok"]),
        ([], ["pulling"], ["pulling"]),
        (["pulling"], ["pulling"], ["pulling"]),
        # The first was killed on the host without an end: what is done now is something else.
        (["pulling", "starting"], ["starting", "ok"], ["pulling", "starting", "starting", "ok"]),
    ],
)
def test_what_was_told_before_the_loss_is_not_told_again(
    first: list[str], then: list[str], told: list[str]
) -> None:
    heard: list[str] = []
    arrows = Arrows(Cut(first, then), {}, "caddy", sleep=lambda _seconds: None)
    arrows.send("stage", token="t", timeout=1, say=lambda text, _warned: heard.append(text))
    heard.remove("the connection was lost; asking the host again")
    assert heard == told


@pytest.mark.parametrize("silence", [lost_before, Unreachable("web-1", "no route")])
def test_it_gives_up_after_its_time(silence: Answer) -> None:
    fleet = Fleet([lost_before, silence])
    with pytest.raises(OutcomeUnknown, match="did not come back within 60 s") as caught:
        fleet.send()
    assert isinstance(caught.value.__cause__, HostError)
    assert sum(fleet.slept) == 60
    assert len(fleet.host.calls) == 61
    assert len(fleet.told) == 1


def test_a_failure_after_a_loss_is_that_failure() -> None:
    fleet = Fleet([lost_before, says(FAILED, 1)])
    with pytest.raises(ArrowFailed, match="web is unhealthy"):
        fleet.send()


TOLD = '{"event":"failed","reason":"told to end by the host (SIGTERM)"}\n'


@pytest.mark.parametrize("answer", [hangs, says(TOLD, 124, seconds=30.01)])
def test_ended_at_its_deadline(answer: Any) -> None:
    """Whichever way it is heard of, it is said whose deadline that was."""
    fleet = Fleet([answer])
    with pytest.raises(TimedOut) as late:
        fleet.send(of="20 s of this, and 10 s of that")
    assert late.value.reason == (
        "stage did not end within 30 s, and the host has ended it (20 s of this, and 10 s of that)"
    )
    assert len(fleet.host.calls) == 1


def test_told_to_end_before_its_deadline_is_not_its_deadline() -> None:
    """The host shuts down."""
    fleet = Fleet([says(TOLD, 124, seconds=12)])
    with pytest.raises(ArrowFailed, match="told to end by the host"):
        fleet.send()


def test_a_script_that_is_told_to_end_says_so(tmp_path: Path) -> None:
    settings = dict.fromkeys(("project", "network", "release", "deploy", "verb", "by", "keep"), "")
    settings |= {"dir": str(tmp_path), "lock_wait": "5"}
    arrows = Arrows(LocalHost(), settings, "caddy")
    with pytest.raises(ArrowFailed, match=r"told to end by the host .SIGTERM.: it shuts down"):
        arrows.send("eval", ["kill -TERM $$; sleep 9"], token="t", timeout=30)


def test_reading_ended_at_its_deadline() -> None:
    fleet = Fleet([hangs])
    with pytest.raises(TimedOut, match=r"facts did not end within 7 s, .* .those 7 s."):
        fleet.arrows.read("facts", timeout=7, of="those 7 s")


def test_reading() -> None:
    fleet = Fleet([says("one\ntwo\n")])
    assert fleet.arrows.read("facts", ["data/up loads"], timeout=9) == ["one", "two"]
    (call,) = fleet.host.calls
    assert call.timeout == 9
    assert call.argv[2].splitlines()[-1] == "facts 'data/up loads'"
    assert "begin" not in call.argv[2].splitlines()


def test_reading_that_fails() -> None:
    fleet = Fleet([says("", 2, stderr="sh: no\n")])
    with pytest.raises(CommandFailed) as caught:
        fleet.arrows.read("facts", timeout=9)
    assert caught.value.reason == "facts ended with exit code 2"
    assert caught.value.remote_exit_code == 2
    assert caught.value.stderr == "sh: no\n"


def test_reading_is_not_asked_again() -> None:
    fleet = Fleet([lost_before, says("one\n")])
    with pytest.raises(OutcomeUnknown):
        fleet.arrows.read("facts", timeout=9)
    assert len(fleet.host.calls) == 1

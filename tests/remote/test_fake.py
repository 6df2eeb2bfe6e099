"""The fake host does what a test of ours relies on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from deploy.errors import OutcomeUnknown, TimedOut, Unreachable
from deploy.remote.fake import FakeHost, hangs, lost_after, lost_before, says

if TYPE_CHECKING:
    from deploy.remote.host import Host


def test_the_first_answer_that_fits_is_given_and_the_call_remembered() -> None:
    fake = FakeHost(
        "web-1",
        [
            ("docker ps", says("a\nb\n")),
            (re.compile(r"^docker pull \S+@sha256:"), says(exit_code=1, stderr="denied")),
            (lambda call: call.stdin == b"secret", says("let in")),
            ("", Unreachable("web-1", "off")),
        ],
    )
    host: Host = fake
    lines: list[str] = []
    assert host.exec(["docker", "ps"], timeout=5, on_line=lines.append).text == "a\nb\n"
    assert lines == ["a", "b"]
    pulled = host.exec(["docker", "pull", "shop@sha256:12"], timeout=60)
    assert (pulled.exit_code, pulled.stderr) == (1, b"denied")
    assert host.exec(["docker", "login"], stdin=b"secret", timeout=5).text == "let in"
    with pytest.raises(Unreachable):
        host.exec(["true"], timeout=5)
    assert [call.line for call in fake.calls] == [
        "docker ps",
        "docker pull shop@sha256:12",
        "docker login",
        "true",
    ]
    assert fake.calls[2].stdin == b"secret"
    assert fake.calls[1].timeout == 60
    host.close()
    assert fake.closed


def test_a_command_without_an_answer_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="no answer to: rm -rf '/srv/x y'"):
        FakeHost("web-1", []).exec(["rm", "-rf", "/srv/x y"], timeout=1)


def test_a_lost_connection_before_and_after() -> None:
    done: list[str] = []

    def do(call: object) -> object:
        done.append("done")
        return says()

    before = FakeHost("web-1", lost_before)
    after = FakeHost("web-1", lost_after(do))  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknown):
        before.exec(["x"], timeout=1)
    assert done == []
    with pytest.raises(OutcomeUnknown):
        after.exec(["x"], timeout=1)
    assert done == ["done"]


def test_the_clock_moves_on() -> None:
    slept: list[float] = []
    host = FakeHost("web-1", [("slow", says(seconds=3.0)), ("stuck", hangs)], sleep=slept.append)
    host.exec(["slow"], timeout=10)
    with pytest.raises(TimedOut):
        host.exec(["stuck"], timeout=10)
    assert slept == [3.0, 10]

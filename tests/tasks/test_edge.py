"""Errors become exit codes and messages; a run gets its view and its signals."""

from __future__ import annotations

import io
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from invoke.exceptions import Exit

from deploy import errors, events
from deploy.errors import (
    Cancelled,
    CommandFailed,
    Fault,
    Gated,
    HeadwayError,
    Held,
    KeyRefused,
    NeedsPerson,
    OutcomeUnknown,
    Refused,
    Reverted,
    SettingsError,
    TimedOut,
    Unreachable,
    UsageError,
)
from deploy.events import Stream
from deploy.tasks.deploy import _sure
from deploy.tasks.edge import _listen, guarded

from ..github.server import GitHubServer
from ..notify.told import environment
from ..stand_in import hangs, stand_in
from ..views.sequences import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAULT = Fault("hosts/staging.yaml:3", "app", "is 5, expected a name", "write app: shop")
CODES: list[tuple[HeadwayError, int]] = [
    (HeadwayError("what happened", state="the state", mend="the mend"), 5),
    (UsageError("what happened", state="the state", mend="the mend"), 2),
    (SettingsError([FAULT]), 2),
    (Refused("what happened", faults=(FAULT,), mend="the mend"), 3),
    (Reverted("what happened"), 4),
    (NeedsPerson("what happened", mend="the mend"), 5),
    (Held("what happened", mend="the mend"), 6),
    (Cancelled("what happened"), 130),
    (Unreachable("web-1", "what happened", mend="the mend"), 3),
    (KeyRefused("web-1", "what happened", mend="the mend"), 3),
    (Gated("web-1", "what happened", mend="the mend"), 3),
    (CommandFailed("web-1", "what happened", exit_code=77, stderr="the state"), 5),
    (TimedOut("web-1", "what happened"), 5),
    (OutcomeUnknown("web-1", "what happened", state="the state"), 5),
]


@pytest.mark.parametrize(("error", "code"), CODES, ids=[type(one).__name__ for one, _ in CODES])
def test_each_error_has_its_code_and_its_message(error: HeadwayError, code: int) -> None:
    @guarded
    def task() -> None:
        raise error

    with pytest.raises(Exit) as caught:
        task()
    assert caught.value.code == code
    message = caught.value.message
    assert message is not None
    assert message == f"{error}\nexit {code}"
    for part in (error.message, error.state, error.mend):
        assert part in message
    # Nothing of where it was raised is shown with it.
    assert caught.value.__suppress_context__


def test_the_table_above_has_every_class() -> None:
    """All but the root of what hosts do, which is only ever raised as one of its kinds."""
    every = {
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, HeadwayError)
    }
    assert every - {type(error) for error, _ in CODES} == {errors.HostError}


def test_in_actions_its_first_line_is_the_one_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for error, line in (
        (SettingsError([FAULT, FAULT]), str(FAULT)),
        (Refused("100% of it\n::error::not ours"), "100%25 of it"),
        (ValueError("a bug"), "a fault in Headway itself: the log has its traceback"),
    ):

        @guarded
        def task(error: Exception = error) -> None:
            raise error

        with pytest.raises(Exit):
            task()
        assert capsys.readouterr().out == f"::error title=headway::{line}\n"


def test_ctrl_c_while_it_looks() -> None:
    @guarded
    def task() -> None:
        raise KeyboardInterrupt

    with pytest.raises(Exit) as caught:
        task()
    assert (caught.value.code, caught.value.message) == (130, "stopped")


def test_a_fault_of_our_own_is_not_hidden() -> None:
    @guarded
    def task() -> None:
        raise ValueError("a bug")

    with pytest.raises(Exit) as caught:
        task()
    assert caught.value.code == 5
    message = caught.value.message or ""
    assert message.startswith("Traceback (most recent call last):")
    assert message.endswith("ValueError: a bug\na fault in Headway itself\nexit 5")


# --- asked before a terminal ---------------------------------------------------------------------


class Asked:
    """An intent whose plan is empty or not; nothing else of it is looked at."""

    def __init__(self, empty: bool) -> None:
        self.plan = self.order = self
        self.outlook = None
        self.empty = empty


@pytest.mark.parametrize(
    ("typed", "sure"),
    [("y\n", True), ("YES\n", True), (" y \n", True), ("\n", False), ("n\n", False), ("", False)],
)
def test_only_yes_is_yes(typed: str, sure: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.tasks.plan.rendered", lambda _plan, _outlook: "the plan")
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    intent: Any = Asked(empty=False)
    assert _sure(intent) is sure


def test_nothing_to_do_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    intent: Any = Asked(empty=True)
    assert _sure(intent) is True


# --- who is told of the end ----------------------------------------------------------------------

DEPLOYMENTS = "/repos/acme/shop/deployments"


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHubServer]:
    one = GitHubServer()
    one.answers = {
        f"POST {DEPLOYMENTS}": (201, {"id": 42}),
        f"POST {DEPLOYMENTS}/42/statuses": (201, {}),
    }
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITHUB_REPOSITORY", "acme/shop")
    monkeypatch.setenv("GITHUB_TOKEN", "t0ken")
    monkeypatch.setenv("GITHUB_API_URL", one.url)
    monkeypatch.setattr(events, "TOLD", 1.0)
    yield one
    one.close()


def told(root: Path, slack: str) -> tuple[list[str], float]:
    """Tell everybody of a deploy; the warnings beside it, and the seconds that its end took."""
    one = environment(root, f"slack: {{token: TOKEN, channel: C1, api: '{slack}'}}")
    stream, beside = Stream(), list[str]()
    closing = _listen(stream, one, beside.append)
    for event in CASES["success"]():
        began = time.monotonic()
        stream.emit(event)
    for close in closing:
        close()
    return beside, time.monotonic() - began


def test_all_who_hang_hold_the_end_up_together(tmp_path: Path, github: GitHubServer) -> None:
    github.answers[f"POST {DEPLOYMENTS}"] = "hang"
    with stand_in(hangs) as slack:
        beside, seconds = told(tmp_path, slack.url)
    assert beside == ["GitHub does not answer: it was not told how this ended"]
    assert events.TOLD <= seconds < events.TOLD + 0.8


def test_github_does_not_wait_until_slack_is_through(tmp_path: Path, github: GitHubServer) -> None:
    with stand_in(hangs) as slack:
        beside, seconds = told(tmp_path, slack.url)
    assert beside == []
    assert github.asked[-1][2]["state"] == "success"
    assert seconds < events.TOLD + 0.8

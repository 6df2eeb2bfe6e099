"""GitHub is told of a deploy that does not run in Actions, and never holds one up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from deploy import events
from deploy.events import Event, Outcome, RunEnded, RunStarted, StepDone, StepStarted, Stream
from deploy.github.deployment import Deployments, deployments

from ..views import hostile
from ..views.test_text import FORBIDDEN

if TYPE_CHECKING:
    from .server import GitHubServer

HERE = "/repos/acme/shop/deployments"
ENVIRON = {"GITHUB_TOKEN": "t0ken", "GITHUB_REPOSITORY": "acme/shop"}
STEP = StepStarted(step="pull", host="web-1")


def started(verb: str = "deploy", **more: Any) -> RunStarted:
    return RunStarted(
        id="d-1",
        verb=verb,
        app="shop",
        environment="production",
        before="v1",
        after="v2",
        hosts=("web-1",),
        url="https://shop.example",
        **more,
    )


def ended(outcome: Outcome = Outcome.DONE, message: str = "it serves v2") -> RunEnded:
    return RunEnded(outcome=outcome, exit_code=0, seconds=1, message=message)


class Told:
    def __init__(self, server: GitHubServer) -> None:
        self.server = server
        self.warned: list[str] = []
        server.answers = {
            f"POST {HERE}": (201, {"id": 42}),
            f"POST {HERE}/42/statuses": (201, {}),
        }

    def of(self, *events: Event) -> list[tuple[str, Any]]:
        environ = ENVIRON | {"GITHUB_API_URL": self.server.url}
        listener = deployments(environ, self.warned.append, sleep=lambda _: None)
        assert isinstance(listener, Deployments)
        stream = Stream()
        stream.listen(listener)
        for event in events:
            stream.emit(event)
        listener.close()
        listener.close()
        return [(key, body) for key, _, body in self.server.asked]


@pytest.fixture
def told(server: GitHubServer) -> Told:
    return Told(server)


def test_a_deploy(told: Told) -> None:
    one, *more = told.of(started(commit="c0ffee"), STEP, STEP, StepDone(step="pull", seconds=1),
                         ended(message="it serves v2\nand more"))  # fmt: skip
    assert one[0] == f"POST {HERE}"
    assert one[1] == {
        "ref": "c0ffee",
        "environment": "production",
        "description": "deploy of v2",
        "required_contexts": [],
        "auto_merge": False,
        "production_environment": True,
        "payload": {"run": "d-1"},
    }
    assert [(key, body["state"], body["description"]) for key, body in more] == [
        (f"POST {HERE}/42/statuses", "in_progress", ""),
        (f"POST {HERE}/42/statuses", "success", "it serves v2"),
    ]
    assert all(body["environment_url"] == "https://shop.example" for _, body in more)
    assert told.warned == []


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.REVERTED, "failure"),
        (Outcome.NEEDS_PERSON, "failure"),
        (Outcome.CANCELLED, "error"),
        (Outcome.REFUSED, "error"),
    ],
)
def test_how_it_ended(told: Told, outcome: Outcome, state: str) -> None:
    asked = told.of(started(verb="rollback"), STEP, ended(outcome, "x" * 500))
    assert asked[0][1]["ref"] == "v2"
    assert asked[-1][1]["state"] == state
    assert asked[-1][1]["description"] == "x" * 140


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=hostile.text)
def test_what_github_shows_is_a_line(told: Told, text: str) -> None:
    told.server.asked.clear()
    *_, (_, body) = told.of(started(), STEP, ended(Outcome.REVERTED, text))
    assert body["state"] == "failure"
    assert not FORBIDDEN.search(body["description"])
    assert len(body["description"]) <= 140


@pytest.mark.parametrize(
    "events",
    [
        (started(), ended(Outcome.NOTHING)),
        (ended(Outcome.REFUSED),),
        (started(verb="migrate"), STEP, ended()),
        (started(verb="recover"), STEP, ended()),
    ],
)
def test_what_is_no_deployment(told: Told, events: tuple[Event, ...]) -> None:
    assert told.of(*events) == []


@pytest.mark.parametrize(
    ("environ", "is_told"),
    [
        (ENVIRON, True),
        (ENVIRON | {"GITHUB_ACTIONS": "true"}, False),
        ({"GITHUB_TOKEN": "t0ken"}, False),
        ({"GITHUB_REPOSITORY": "acme/shop"}, False),
        ({}, False),
    ],
)
def test_who_is_told(environ: dict[str, str], is_told: bool) -> None:
    found = deployments(environ, lambda _: None)
    assert (found is not None) is is_told
    if found:
        found.close()


@pytest.mark.parametrize(
    ("answers", "said", "asked"),
    [
        ((422, {"message": "No ref found for: v2"}), "it says 422: No ref found for: v2", 1),
        ((500, {}), "it says 500", 2),
        ((201, []), "it names no deployment", 1),
    ],
)
def test_github_says_no(told: Told, answers: Any, said: str, asked: int) -> None:
    told.server.answers[f"POST {HERE}"] = answers
    assert len(told.of(started(), STEP, ended())) == asked
    (warning,) = told.warned
    assert warning.startswith("GitHub was not told of this deploy: ")
    assert said in warning


def test_github_hangs(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "TOLD", 0.3)
    told.server.answers[f"POST {HERE}"] = "hang"
    began = time.monotonic()
    told.of(started(), STEP, ended())
    assert time.monotonic() - began < 2
    assert told.warned[0] == "GitHub does not answer: it was not told how this ended"

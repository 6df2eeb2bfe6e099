"""Who has approved a job is written down with who ordered it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from deploy.github import approvals
from deploy.github.approvals import approver

if TYPE_CHECKING:
    from .server import GitHubServer

PATH = "GET /repos/acme/shop/actions/runs/7/approvals"


def one(login: str, name: str = "production", state: str = "approved") -> dict[str, Any]:
    return {"state": state, "user": {"login": login}, "environments": [{"name": name}]}


def asked(server: GitHubServer, **changes: str) -> str:
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_RUN_ID": "7",
        "GITHUB_TOKEN": "t0ken",
        "GITHUB_API_URL": server.url,
    }
    return approver(environ | changes, "production")


def test_the_last_who_let_it_pass(server: GitHubServer) -> None:
    server.answers[PATH] = (
        200,
        [one("ana", state="rejected"), one("cy"), one("bo"), one("di", "x")],
    )
    assert asked(server) == "bo"


@pytest.mark.parametrize(
    "answer",
    [(200, []), (200, [one("ana", "staging")]), (403, {}), (500, {}), (200, {"a": 1}), (200, [7])],
)
def test_nobody_was_asked_or_github_does_not_say(server: GitHubServer, answer: Any) -> None:
    server.answers[PATH] = answer
    assert asked(server) == ""


@pytest.mark.parametrize(
    "changes", [{"GITHUB_ACTIONS": ""}, {"GITHUB_RUN_ID": "../7"}, {"GITHUB_TOKEN": ""}]
)
def test_elsewhere_nobody_is_asked(server: GitHubServer, changes: dict[str, str]) -> None:
    assert asked(server, **changes) == ""
    assert server.asked == []


@pytest.mark.parametrize("how", ["hang", "trickle"])
def test_a_deploy_does_not_wait_for_it(
    server: GitHubServer, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked once, and all of that takes twice the timeout at most."""
    assert 2 * approvals.TIMEOUT <= 5
    monkeypatch.setattr(approvals, "TIMEOUT", 0.2)
    server.answers[PATH] = how
    began = time.monotonic()
    assert asked(server) == ""
    assert time.monotonic() - began < 1
    assert server.keys == [PATH]

"""`inv check --github`: what is asked, and what is said of the answers."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from deploy import git
from deploy.github.api import NoAnswer, Repository, repository
from deploy.github.rules import examine

from ..tasks.repository import Repository as Repo

if TYPE_CHECKING:
    from .server import GitHubServer

GOOD: dict[str, Any] = {
    "name": "production",
    "can_admins_bypass": False,
    "deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True},
    "protection_rules": [
        {"type": "branch_policy"},
        {"type": "required_reviewers", "prevent_self_review": True, "reviewers": [{}]},
    ],
}
OPEN = GOOD | {"protection_rules": [{"type": "branch_policy"}]}
SECRETS = {"secrets": [{"name": "DEPLOY_SSH_KEY"}, {"name": "DEPLOY_DOTENV"}]}
HERE = "/repos/acme/shop"


def environment(name: str = "production", *approvers: str) -> Any:
    return SimpleNamespace(name=name, approvers=list(approvers), root=Path())


def at_once(found: Any = OPEN, secrets: Any = SECRETS) -> dict[str, Any]:
    """What GitHub says of the environment of plans and rollbacks."""
    path = f"GET {HERE}/environments/production-now"
    return {path: (200, found), f"{path}/secrets": (200, secrets)}


def asked(
    server: GitHubServer, one: Any, found: Any, *, private: bool = False, secrets: Any = SECRETS
) -> list[str]:
    server.answers = at_once() | {
        f"GET {HERE}": (200, {"private": private}),
        f"GET {HERE}/environments/{one.name}": (200, found),
        f"GET {HERE}/environments/{one.name}/secrets": (200, secrets),
    }
    return [str(fault) for fault in examine(one, Repository("acme/shop", "t0ken", server.url))]


def test_nothing_is_missing(server: GitHubServer) -> None:
    assert asked(server, environment(), GOOD) == []
    assert all(headers["Authorization"] == "Bearer t0ken" for _, headers, _ in server.asked)


def test_nobody_has_to_approve(server: GitHubServer) -> None:
    assert asked(server, environment(), OPEN) == [
        "github:acme/shop  production.required_reviewers: nobody has to approve a deploy: GitHub "
        "lets every deploy through; add required reviewers, or name people under approvers: "
        "(docs/github.md#approvals)"
    ]
    (said,) = asked(server, environment(), OPEN, private=True)
    assert "GitHub has them for private repositories in its Enterprise plan alone" in said


def test_people_approve_in_their_place(server: GitHubServer) -> None:
    assert asked(server, environment("production", "ana", "bo"), OPEN, private=True) == []


def test_staging_is_approved_by_nobody(server: GitHubServer) -> None:
    assert asked(server, environment("staging"), OPEN) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"can_admins_bypass": True}, "can_admins_bypass: an administrator can leave"),
        ({"deployment_branch_policy": None}, "deployment_branch_policy: a workflow on any branch"),
        (
            {"protection_rules": [{"type": "required_reviewers", "prevent_self_review": False}]},
            "prevent_self_review: who orders a deploy can approve it",
        ),
    ],
)
def test_rules_with_a_hole(server: GitHubServer, change: dict[str, Any], said: str) -> None:
    (found,) = asked(server, environment(), GOOD | change)
    assert f"production.{said}" in found


def test_secrets_that_are_missing(server: GitHubServer) -> None:
    found = asked(server, environment(), GOOD, secrets={"secrets": [{"name": "DEPLOY_DOTENV"}]})
    assert found == [
        "github:acme/shop  production.secrets.DEPLOY_SSH_KEY: is not set; "
        "gh secret set DEPLOY_SSH_KEY --env production"
    ]


def test_secrets_that_the_token_may_not_see_are_passed_over(server: GitHubServer) -> None:
    asked(server, environment(), GOOD)
    server.answers[f"GET {HERE}/environments/production/secrets"] = (403, {"message": "no"})
    assert examine(environment(), Repository("acme/shop", "t0ken", server.url)) == []


def test_no_environment(server: GitHubServer) -> None:
    found = examine(environment(), Repository("acme/shop", "t0ken", server.url))
    assert [fault.path for fault in found] == ["production", "production-now"]
    assert all("there is no environment of this name" in fault.message for fault in found)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (at_once(), []),
        ({}, ["production-now: there is no environment of this name, or the token may not see it"]),
        (
            at_once(GOOD),
            ["production-now.required_reviewers: a plan and a rollback wait for somebody to"],
        ),
        (
            at_once(OPEN | {"deployment_branch_policy": None}),
            ["production-now.deployment_branch_policy: a workflow on any branch gets its secrets"],
        ),
        (
            at_once(OPEN, {"secrets": [{"name": "DEPLOY_SSH_KEY"}]}),
            ["production-now.secrets.DEPLOY_DOTENV: is not set; gh secret set DEPLOY_DOTENV --env "
             "production-now"],
        ),
    ],
)  # fmt: skip
def test_where_plans_and_rollbacks_run(
    server: GitHubServer, answers: dict[str, Any], said: list[str]
) -> None:
    asked(server, environment(), GOOD)
    server.answers = {
        key: answer for key, answer in server.answers.items() if "production-now" not in key
    } | answers
    found = examine(environment(), Repository("acme/shop", "t0ken", server.url))
    assert len(found) == len(said)
    for fault, words in zip(found, said, strict=True):
        assert str(fault).startswith(f"github:acme/shop  {words}")


def test_only_production_has_such_an_environment(server: GitHubServer) -> None:
    assert asked(server, environment("staging"), OPEN) == []
    assert not [key for key in server.keys if "-now" in key]


@pytest.mark.parametrize(
    ("answer", "said", "times"),
    [
        ((401, {"message": "Bad credentials"}), "it says 401: Bad credentials", 1),
        ((500, b"oops"), "it says 500", 2),
        ((200, b"<html>"), "answers, and not in JSON", 1),
        ((302, b""), "it says 302", 1),
        ("hang", "does not answer (ReadTimeout)", 2),
        ("trickle", "does not answer (Timeout)", 2),
    ],
)
def test_github_is_away_or_says_no(
    server: GitHubServer, answer: Any, said: str, times: int
) -> None:
    server.answers = {f"GET {HERE}/environments/production": answer}
    one = Repository("acme/shop", "t0ken", server.url, timeout=0.3, sleep=lambda _: None)
    (found,) = examine(environment(), one)
    assert f"can't be asked: {'' if said.startswith('it') else server.url + ' '}{said}" in str(
        found
    )
    assert len(server.asked) == times
    assert "t0ken" not in str(found)


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    one = Repository("acme/shop", "t0ken", f"http://127.0.0.1:{port}", sleep=lambda _: None)
    with pytest.raises(NoAnswer, match=r"does not answer \(ConnectionError\)"):
        one.get("")


def test_a_server_that_comes_back(server: GitHubServer) -> None:
    server.answers = {f"GET {HERE}": [(502, {}), (200, {"private": True})]}
    one = Repository("acme/shop", "t0ken", server.url, sleep=lambda _: None)
    assert one.get("") == {"private": True}


@pytest.mark.parametrize(
    ("environ", "origin", "name"),
    [
        ({"GITHUB_REPOSITORY": "acme/shop"}, "", "acme/shop"),
        ({}, "git@github.com:acme/shop.git", "acme/shop"),
        ({}, "ssh://git@github.com:22/acme/shop.git", "acme/shop"),
        ({}, "https://x:y@github.com/acme/shop", "acme/shop"),
        ({}, "https://github.com/acme/shop.js.git", "acme/shop.js"),
        ({}, "/srv/git/shop.git", None),
        ({"GITHUB_REPOSITORY": "../../user"}, "", None),
        ({"GITHUB_REPOSITORY": "acme/shop?x"}, "", None),
    ],
)
def test_which_repository(environ: dict[str, str], origin: str, name: str | None) -> None:
    found = repository({"GITHUB_TOKEN": "t0ken"} | environ, origin)
    assert (found.name if found else None) == name
    assert found is None or "t0ken" not in repr(found)
    assert repository(environ, origin) is None, "without a token there is nothing to ask with"


def test_as_it_is_typed(server: GitHubServer, tmp_path: Path) -> None:
    """For the repository that git's origin names, with whichever token there is."""
    made = Repo(tmp_path / "shop")
    made.environment("production", port=int(server.url.rpartition(":")[2]))  # its registry says 404
    subprocess.run(["git", "init", "-q", str(made.folder)], check=True)
    address = "git@github.com:acme/shop.git"
    assert git.origin(made.folder) == ""
    subprocess.run(["git", "-C", str(made.folder), "remote", "add", "origin", address], check=True)
    assert git.origin(made.folder) == address
    done = made.inv("check.production", "--github")
    assert done.returncode == 3
    assert "set GITHUB_TOKEN" in done.stdout
    server.answers = at_once() | {
        f"GET {HERE}": (200, {"private": True}),
        f"GET {HERE}/environments/production": (200, OPEN),
        f"GET {HERE}/environments/production/secrets": (200, SECRETS),
    }
    made.environ |= {"GH_TOKEN": "t0ken-of-ana", "GITHUB_API_URL": f"{server.url}/"}
    done = made.inv("check.production", "--github", "--json")
    assert done.returncode == 3
    (said,) = (one for one in json.loads(done.stdout) if one["where"] == "github:acme/shop")
    assert said["path"] == "production.required_reviewers"
    plan = "GitHub has them for private repositories in its Enterprise plan alone"
    assert plan in said["message"]
    assert "name people under approvers: (docs/github.md#approvals)" in said["mend"]
    tokens = {headers["Authorization"] for key, headers, _ in server.asked if HERE in key}
    assert tokens == {"Bearer t0ken-of-ana"}

"""Whether GitHub holds a deploy until somebody approves it, and has what the workflows need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deploy.errors import Fault
from deploy.github.api import NoAnswer

if TYPE_CHECKING:
    from deploy.github.api import Repository
    from deploy.settings import Environment

SECRETS = ("DEPLOY_SSH_KEY", "DEPLOY_DOTENV")
PAGE = "docs/github.md"
NOW = "production-now"
"""The GitHub environment of a plan and of a rollback of production, for which nobody waits."""
_NO_TOKEN = "set GITHUB_TOKEN, to one that may read the repository's environments"  # noqa: S105


def no_repository() -> Fault:
    """What to say where it is not known whom to ask, or as whom."""
    return Fault("github", "", "it is not known which repository to ask about, or as whom",
                 f"{_NO_TOKEN} (`gh auth token` prints one), and GITHUB_REPOSITORY to OWNER/NAME, "
                 "unless git's origin says it")  # fmt: skip


def examine(environment: Environment, repository: Repository) -> list[Fault]:
    """Ask GitHub about the environment of the same name, and name every fault.

    Production has to be approved, by GitHub's reviewers or by the hosts file's `approvers`; another
    environment need not be. Its plans and rollbacks have a GitHub environment of their own.
    """
    name, where = environment.name, f"github:{repository.name}"
    try:
        found = repository.get(f"/environments/{name}")
        if found is None:
            faults = [_missing(name, where)]
        else:
            private = bool((repository.get("") or {}).get("private"))
            faults = protection(environment, found, private=private, where=where)
            faults += secrets(name, _names(repository, name), where)
        if name == "production":
            faults += _at_once(repository, where)
        return faults
    except NoAnswer as error:
        return [Fault(where, "", f"can't be asked: {error}", _NO_TOKEN)]


def _at_once(repository: Repository, where: str) -> list[Fault]:
    """What is missing where a plan is made and a rollback runs."""
    found = repository.get(f"/environments/{NOW}")
    if found is None:
        return [_missing(NOW, where)]
    faults = []
    if _reviewers(found):
        faults.append(
            Fault(
                where,
                f"{NOW}.required_reviewers",
                "a plan and a rollback wait for somebody to approve them",
                f"take the required reviewers away: what is approved is production ({PAGE})",
            )
        )
    return faults + _branches(NOW, found, where) + secrets(NOW, _names(repository, NOW), where)


def _missing(name: str, where: str) -> Fault:
    return Fault(
        where,
        name,
        "there is no environment of this name, or the token may not see it",
        f"Settings, Environments ({PAGE}); or {_NO_TOKEN}",
    )


def _names(repository: Repository, name: str) -> set[str] | None:
    """The names of an environment's secrets; None where the token may not read them."""
    try:
        found = repository.get(f"/environments/{name}/secrets")
    except NoAnswer as error:
        if error.status == 403:  # a token of the job's own never may
            return None
        raise
    return {str(one.get("name")) for one in (found or {}).get("secrets", [])}


def protection(
    environment: Environment, found: Mapping[str, Any], *, private: bool, where: str
) -> list[Fault]:
    """What is missing in the rules of a GitHub environment.

    Args:
        environment: the settings.
        found: as GitHub describes it.
        private: whether the repository is.
        where: what to call it.
    """
    name = environment.name
    faults = []
    reviewers = _reviewers(found)
    if name == "production" and not environment.approvers and not reviewers:
        why = (
            "GitHub has them for private repositories in its Enterprise plan alone" if private
            else "GitHub lets every deploy through"
        )  # fmt: skip
        faults.append(
            Fault(
                where,
                f"{name}.required_reviewers",
                f"nobody has to approve a deploy: {why}",
                f"add required reviewers, or name people under approvers: ({PAGE}#approvals)",
            )
        )
    for rule in reviewers:
        if not rule.get("prevent_self_review"):
            faults.append(
                Fault(
                    where,
                    f"{name}.prevent_self_review",
                    "who orders a deploy can approve it",
                    "tick Prevent self-review",
                )
            )
    if reviewers and found.get("can_admins_bypass"):
        faults.append(
            Fault(
                where,
                f"{name}.can_admins_bypass",
                "an administrator can leave the approval out",
                "take the tick from Allow administrators to bypass",
            )
        )
    return faults + _branches(name, found, where)


def _reviewers(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rules = found.get("protection_rules") or []
    return [one for one in rules if one.get("type") == "required_reviewers"]


def _branches(name: str, found: Mapping[str, Any], where: str) -> list[Fault]:
    if found.get("deployment_branch_policy"):
        return []
    return [
        Fault(
            where,
            f"{name}.deployment_branch_policy",
            "a workflow on any branch gets its secrets",
            "limit its deployment branches and tags",
        )
    ]


def secrets(name: str, there: set[str] | None, where: str) -> list[Fault]:
    """What the called workflows ask for and the GitHub environment has not."""
    if there is None:
        return []
    return [
        Fault(
            where,
            f"{name}.secrets.{secret}",
            "is not set",
            f"gh secret set {secret} --env {name}",
        )
        for secret in SECRETS
        if secret not in there
    ]

"""Who may approve what somebody else has ordered."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from deploy.approval import Approval, approved
from deploy.errors import Refused
from deploy.situation import whoami


def environment(*people: str) -> Any:
    return SimpleNamespace(name="production", approvers=list(people))


def plan(by: str) -> Any:
    return SimpleNamespace(by=by)


def test_where_nobody_is_named_nobody_is_asked() -> None:
    assert approved(environment(), None, "ana@laptop") == Approval("ana@laptop")
    assert approved(environment(), plan("ana@github"), "ana@github") == Approval("ana@github")


def test_somebody_else_of_the_list_approves() -> None:
    found = approved(environment("ana", "bo"), plan("ana@github"), "Bo@github")
    assert found == Approval("ana@github", "Bo@github")
    assert approved(environment("bo"), plan("cy@laptop"), "bo@laptop").by == "cy@laptop"


@pytest.mark.parametrize(
    ("people", "then", "by", "said", "mend"),
    [
        (("ana", "bo"), None, "ana@github", "takes an approval, by one of ana, bo", "--plan-file"),
        (("ana", "bo"), "ana@github", "ana@github", "has ordered it", "It takes bo."),
        (("Ana", "bo"), "ana@laptop", "ANA@github", "has ordered it", "It takes bo."),
        (("ana",), "ana@github", "ana@github", "has ordered it", "one more name under approvers"),
        (("ana", "bo"), "ana@github", "cy@github", "may not approve", "It takes one of ana, bo"),
        (("ana", "bo"), "cy@github", "cy@github", "may not approve", "It takes one of ana, bo"),
    ],
)
def test_else_it_is_refused(
    people: tuple[str, ...], then: str | None, by: str, said: str, mend: str
) -> None:
    with pytest.raises(Refused) as caught:
        approved(environment(*people), plan(then) if then else None, by)
    assert said in caught.value.message
    assert mend in caught.value.mend
    assert caught.value.exit_code == 3


def test_who_runs_a_job_again_is_who_does_it() -> None:
    """Else whoever ordered a deploy could approve it by running somebody else's job again."""
    assert whoami({"GITHUB_ACTOR": "bo", "GITHUB_TRIGGERING_ACTOR": "ana"}) == "ana@github"
    assert whoami({"GITHUB_ACTOR": "bo"}) == "bo@github"

"""What was written down for somebody else to do, and who lets it be done."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.tasks.edge import refused

if TYPE_CHECKING:
    from deploy.api import Intent
    from deploy.approval import Approval, Ordered
    from deploy.planfile import PlanFile
    from deploy.situation import Situation


def approval(one: Situation, then: Ordered | None, verb: str, order: str = "inv plan") -> Approval:
    """Who has ordered what is done now, and who has approved it, by the hosts file or at GitHub.

    The arguments are those of `deploy.approval.approved`.

    Raises:
        Exit: it takes somebody else, or a plan; which has been shown.
    """
    from deploy.approval import approved
    from deploy.errors import Refused
    from deploy.github.approvals import approver
    from deploy.situation import whoami

    environment = one.environment
    try:
        found = approved(environment, then, whoami(os.environ), verb, order)
    except Refused as error:
        raise refused(error) from None
    asked = then and not environment.approvers
    if asked and (who := approver(os.environ, environment.name)):
        return replace(found, approved_by=f"{who}@github")
    return found


def as_of(intent: Intent, whose: Approval) -> Intent:
    """The same, ordered and approved by these."""
    order = replace(intent.order, by=whose.by, approved_by=whose.approved_by)
    return replace(intent, order=order)


def read(file: str, tag: str | None) -> PlanFile:
    """Read a plan.

    Raises:
        UsageError: it can't be read, or is no plan; or a tag was typed beside it.
        Refused: another Headway made it.
    """
    from deploy.errors import UsageError
    from deploy.planfile import read as parsed

    if tag is not None:
        raise UsageError(
            "--plan-file names the tag already: leave --tag out", state="Nothing has been changed."
        )
    return parsed(text_of(file))


def text_of(file: str) -> str:
    """The text of a file that somebody has named.

    Raises:
        UsageError: it can't be read.
    """
    from deploy.errors import UsageError

    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(
            f"{file} can't be read: {reason}", state="Nothing has been changed."
        ) from None

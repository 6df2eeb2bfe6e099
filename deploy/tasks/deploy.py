"""`inv deploy.ENVIRONMENT`: roll a release over the hosts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.tasks.edge import Verb, carry_out, situation, verb

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.api import Intent


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Roll a release over {name}; put everything back when something fails.",
        help={
            "tag": "the image's tag; without it, the commit that is checked out",
            "yes": "do not ask, even before a terminal",
        },
    )
    def deploy(_c: Context, tag: str | None = None, yes: bool = False) -> None:
        """Roll a release over the hosts, and put everything back when something fails."""
        from deploy.api import intend_deploy

        with situation(root, name) as one:
            carry_out(lambda: intend_deploy(one, tag, os.environ), None if yes else _sure)

    return deploy


def _sure(intent: Intent) -> bool:
    from deploy.tasks.plan import rendered

    if intent.empty:
        return True
    print(rendered(intent.plan, intent.order.outlook))
    try:
        answer = input("Go ahead? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in {"y", "yes"}

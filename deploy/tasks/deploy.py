"""`inv deploy.ENVIRONMENT`: roll a release over the hosts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke import Context, Task, task

from deploy.tasks.edge import carry_out, guarded, situation

if TYPE_CHECKING:
    from deploy.api import Intent


def make(root: Path, name: str) -> Task[Any]:
    """The task for one environment."""

    @task(
        name=name,
        auto_shortflags=False,
        help={
            "tag": "the image's tag; without it, the commit that is checked out",
            "yes": "do not ask, even before a terminal",
        },
    )
    @guarded
    def deploy(_c: Context, tag: str | None = None, yes: bool = False) -> None:
        """Roll a release over the hosts, and put everything back when something fails."""
        from deploy.api import intend_deploy

        with situation(root, name) as one:
            carry_out(lambda: intend_deploy(one, tag, os.environ), None if yes else _sure)

    deploy.__doc__ = f"Roll a release over {name}; put everything back when something fails."
    return deploy


def _sure(intent: Intent) -> bool:
    from deploy.tasks.plan import rendered

    if intent.plan.empty:
        return True
    print(rendered(intent.plan))
    return input("Go ahead? [y/N] ").strip().lower() in {"y", "yes"}

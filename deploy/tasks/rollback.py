"""`inv rollback.ENVIRONMENT`: what somebody types at three in the morning."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from invoke import Context, Task, task

from deploy.tasks.edge import carry_out, guarded, situation


def make(root: Path, name: str) -> Task[Any]:
    """The task for one environment."""

    @task(
        name=name,
        auto_shortflags=False,
        help={"to": "a tag or a release's id; without it, the last good release before this one"},
    )
    @guarded
    def rollback(_c: Context, to: str | None = None) -> None:
        """Go back to an earlier release, on all hosts at once."""
        from deploy.api import intend_rollback

        with situation(root, name) as one:
            # No question: whoever types this has thought about it already.
            carry_out(lambda: intend_rollback(one, to, os.environ))

    rollback.__doc__ = f"Take {name} back to the release before, on all hosts at once."
    return rollback

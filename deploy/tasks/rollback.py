"""`inv rollback.ENVIRONMENT`: what somebody types at three in the morning."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.tasks.edge import Verb, carry_out, situation, verb

if TYPE_CHECKING:
    from invoke.context import Context


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Take {name} back to the release before, on all hosts at once.",
        help={
            "to": "a tag or a release's id; without it, the last good release before this one",
            "with-database": "then take back what has been applied since, if nothing is lost by it",
        },
    )
    def rollback(_c: Context, to: str | None = None, with_database: bool = False) -> None:
        """Go back to an earlier release, on all hosts at once."""
        from deploy.api import intend_rollback

        with situation(root, name) as one:
            # No question: whoever types this has thought about it already.
            carry_out(lambda: intend_rollback(one, to, os.environ, with_database=with_database))

    return rollback

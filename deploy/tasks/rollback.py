"""`inv rollback.ENVIRONMENT`: what somebody types at three in the morning."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.tasks.edge import Verb, carry_out, situation, verb
from deploy.tasks.hosts import ONLY, of_all_hosts
from deploy.tasks.leased import HELP, leased, left_out, numbered, told

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.api import Intent


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Take {name} back to the release before, on all hosts at once.",
        help={
            "to": "a tag or a release's id; without it, the last good release before this one",
            "with-database": "then take back what has been applied since, if nothing is lost by it",
            "reason": "why, for whoever finds it taken",
            "preempt": "ask a run that is at work to stop at its next safe point",
            **ONLY,
            **HELP,
        },
        iterable=["only_host"],
    )
    def rollback(
        _c: Context,
        to: str | None = None,
        with_database: bool = False,
        reason: str | None = None,
        preempt: bool = False,
        only_host: list[str] | None = None,
        wait: str | None = None,
    ) -> None:
        """Go back to an earlier release, on all hosts at once."""
        from deploy.api import intend_rollback
        from deploy.journal import away_from, dead

        of_all_hosts(with_database, only_host, "--with-database")
        with situation(root, name, only_host or ()) as one:

            def look() -> Intent:
                return intend_rollback(one, to or away, os.environ, with_database=with_database)

            away = None
            why = f"rollback: {reason}" if reason else "rollback"
            with leased(one, why, wait, preempt=preempt, look=look) as lease:
                runs = dead(lease.seen.records)
                away = away_from(runs)
                # No question: whoever types this has thought about it already. What a run has left
                # in its middle is what this goes away from.
                carry_out(numbered(one, lease, look), lease=lease)
                beyond = left_out(one, runs)
                if beyond:
                    told(f"{runs[-1]}: inv recover.{name} ends it on {', '.join(beyond)} as well")
                else:
                    lease.close(run.run for run in runs)

    return rollback

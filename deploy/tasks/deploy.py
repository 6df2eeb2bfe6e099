"""`inv deploy.ENVIRONMENT`: roll a release over the hosts."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.tasks.edge import Verb, carry_out, show, situation, verb
from deploy.tasks.hosts import ONLY, of_all_hosts
from deploy.tasks.leased import HELP, after_the_dead, leased, no_dead, numbered

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.api import Intent
    from deploy.situation import Situation


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Roll a release over {name}; put everything back when something fails.",
        help={
            "tag": "the image's tag; without it, the commit that is checked out",
            "digest": "refuse it unless the tag is this image: sha256:…",
            "plan-file": "do exactly what inv plan --out wrote there, or nothing",
            "yes": "do not ask, even before a terminal",
            **ONLY,
            **HELP,
        },
        iterable=["only_host"],
    )
    def deploy(
        _c: Context,
        tag: str | None = None,
        digest: str | None = None,
        plan_file: str | None = None,
        yes: bool = False,
        only_host: list[str] | None = None,
        wait: str | None = None,
    ) -> None:
        """Roll a release over the hosts, and put everything back when something fails."""
        from deploy.api import intend_deploy
        from deploy.planfile import hold, world
        from deploy.tasks.planned import approval, as_of, read

        of_all_hosts(plan_file, only_host, "--plan-file")
        then = read(plan_file, tag) if plan_file else None
        tag = then.tag if then else tag
        with situation(root, name, only_host or ()) as one:
            whose = approval(one, then, "deploy")

            def look() -> Intent:
                intent = intend_deploy(one, tag, os.environ, digest=digest)
                can_be_tried(one)
                if then:
                    hold(then, world(one.environment, intent.order, one.facts))
                return as_of(intent, whose)

            reason = f"deploy of {tag or 'the commit'}"
            with leased(one, reason, wait, look=look) as lease, ExitStack() as stack:
                if then:
                    # A plan is of hosts as they were: what a dead run has left is not in it.
                    no_dead(one, lease, f"inv plan.{name} --out FILE")
                else:
                    stack.enter_context(after_the_dead(one, lease))
                make = numbered(one, lease, look)
                carry_out(make, None if yes or then else _sure, lease=lease)

    return deploy


def can_be_tried(one: Situation) -> None:
    """Look whether the smoke tests can be, before anything is changed.

    Where a deploy would be put back for it, it is refused; elsewhere it begins with a warning.

    Raises:
        Refused: they can't; every fault is named.
    """
    from deploy.errors import Refused
    from deploy.smoke.check import in_the_way

    faults = in_the_way(one.environment, one.compose, one.placements, one.hosts)
    if faults and one.environment.smoke_strict:
        raise Refused("the smoke tests can't be tried from here", faults=tuple(faults))
    one.untried = tuple(faults)


def _sure(intent: Intent) -> bool:
    from deploy.tasks.plan import rendered

    if intent.empty:
        return True
    show(rendered(intent.plan, intent.order.outlook))
    try:
        answer = input("Go ahead? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in {"y", "yes"}

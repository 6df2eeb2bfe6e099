"""`inv plan.ENVIRONMENT`: what a deploy would do; nothing is changed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from deploy.tasks.edge import Verb, situation, verb

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.api import Intent
    from deploy.database.outlook import Outlook
    from deploy.database.rehearsal.rehearsed import Rehearsed
    from deploy.plan import HostPlan, Plan
    from deploy.situation import Situation


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Say what a deploy of {name} would do; nothing is changed.",
        help={
            "tag": "the image's tag; without it, the commit that is checked out",
            "rehearse": "rehearse what is pending in the database, on a server thrown away",
            "json": "print the plan as JSON",
            "compose": "print what is laid over the compose file on each host, and nothing else",
            "detailed-exit-code": "exit 10 when there is something to do",
        },
    )
    def plan(
        _c: Context,
        tag: str | None = None,
        rehearse: bool = False,
        json: bool = False,
        compose: bool = False,
        detailed_exit_code: bool = False,
    ) -> None:
        """Say what a deploy would do; nothing is changed."""
        from deploy.api import intend_deploy

        with situation(root, name) as one:
            intent = intend_deploy(one, tag, os.environ)
            rehearsed = _rehearse(one, intent) if rehearse else None
        if compose:
            for host, files in (intent.order.files or {}).items():
                print(f"# --- {host}\n{files.override}")
        else:
            outlook = intent.order.outlook
            shown = as_json if json else rendered
            print(shown(intent.plan, outlook, rehearsed))
        if detailed_exit_code and not intent.empty:
            raise Exit(code=10)

    return plan


def _rehearse(one: Situation, intent: Intent) -> Rehearsed | None:
    """Rehearse what is pending; what is told meanwhile is no part of the plan."""
    import sys

    from deploy.migrating import rehearsal

    order = intent.order
    if order.outlook is None or not order.outlook.tables:
        return None
    step = rehearsal(one, order, [], final=False)
    step.do(lambda text, _warned: print(text, file=sys.stderr))
    return step.result[-1] if step.result else None


def as_json(plan: Plan, outlook: Outlook | None = None, rehearsed: Rehearsed | None = None) -> str:
    """The plan for programs."""
    from deploy.tasks.outlook import as_dict

    database = outlook and as_dict(outlook)
    if database and rehearsed:
        database["rehearsal"] = rehearsed.figures()
    return json.dumps(plan.to_dict() | {"database": database}, indent=2)


def rendered(plan: Plan, outlook: Outlook | None = None, rehearsed: Rehearsed | None = None) -> str:
    """The plan for people."""
    from deploy.tasks.outlook import lines as of_database

    before = plan.before or "nothing"
    lines = [
        f"{plan.app} · {plan.environment} · {before} → {plan.after}   {plan.commit[:7]}".rstrip()
    ]
    lines.append("")
    names = [*(["database"] if outlook else []), *(host.host for host in plan.hosts)]
    width = max(map(len, names))
    if outlook:
        lines += [
            f"  {'' if at else 'database':{width}}  {line}".rstrip()
            for at, line in enumerate(
                [*of_database(outlook), *(_of_rehearsal(rehearsed) if rehearsed else [])]
            )
        ]
    lines += [line for host in plan.hosts for line in _host(host, plan, width)]
    lines.append("")
    if plan.empty:
        lines.append(f"Nothing to do: every host is on {plan.after}.")
    else:
        order = " → ".join(", ".join(wave) for wave in plan.waves)
        lines.append(f"Order: {order} ({plan.strategy})")
        flag = "--tag" if plan.verb == "deploy" else "--to"
        lines.append(
            f"Nothing has been changed. inv {plan.verb}.{plan.environment} {flag} {plan.after}"
        )
    return "\n".join(lines)


def _of_rehearsal(rehearsed: Rehearsed) -> list[str]:
    return [f"rehearsed: {rehearsed.summary}", *(f"  {line}" for line in rehearsed.lines())]


def _host(host: HostPlan, plan: Plan, width: int) -> list[str]:
    name = f"  {host.host:{width}}  "
    if not host.roll:
        lines = [f"{name}{plan.after}   as it should be"]
    else:
        marks = [*(["canary"] if host.canary else []), ", ".join(host.rolled) or "files only"]
        lines = [f"{name}{host.before or 'nothing'} → {plan.after}   {'   '.join(marks)}"]
        lines += [f"{' ' * len(name)}{why}" for why in host.why if not why.startswith("is on ")]
    return lines + [f"{' ' * len(name)}note: {note}" for note in host.notes]

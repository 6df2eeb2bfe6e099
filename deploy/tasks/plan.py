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

    from deploy.database.outlook import Outlook
    from deploy.plan import HostPlan, Plan


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Say what a deploy of {name} would do; nothing is changed.",
        help={
            "tag": "the image's tag; without it, the commit that is checked out",
            "json": "print the plan as JSON",
            "compose": "print what is laid over the compose file on each host, and nothing else",
            "detailed-exit-code": "exit 10 when there is something to do",
        },
    )
    def plan(
        _c: Context,
        tag: str | None = None,
        json: bool = False,
        compose: bool = False,
        detailed_exit_code: bool = False,
    ) -> None:
        """Say what a deploy would do; nothing is changed."""
        from deploy.api import intend_deploy

        with situation(root, name) as one:
            intent = intend_deploy(one, tag, os.environ)
        if compose:
            for host, files in (intent.order.files or {}).items():
                print(f"# --- {host}\n{files.override}")
        else:
            outlook = intent.order.outlook
            print(as_json(intent.plan, outlook) if json else rendered(intent.plan, outlook))
        if detailed_exit_code and not intent.empty:
            raise Exit(code=10)

    return plan


def as_json(plan: Plan, outlook: Outlook | None = None) -> str:
    """The plan for programs."""
    from deploy.tasks.outlook import as_dict

    return json.dumps(plan.to_dict() | {"database": outlook and as_dict(outlook)}, indent=2)


def rendered(plan: Plan, outlook: Outlook | None = None) -> str:
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
            for at, line in enumerate(of_database(outlook))
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


def _host(host: HostPlan, plan: Plan, width: int) -> list[str]:
    name = f"  {host.host:{width}}  "
    if not host.roll:
        lines = [f"{name}{plan.after}   as it should be"]
    else:
        marks = [*(["canary"] if host.canary else []), ", ".join(host.rolled) or "files only"]
        lines = [f"{name}{host.before or 'nothing'} → {plan.after}   {'   '.join(marks)}"]
        lines += [f"{' ' * len(name)}{why}" for why in host.why if not why.startswith("is on ")]
    return lines + [f"{' ' * len(name)}note: {note}" for note in host.notes]

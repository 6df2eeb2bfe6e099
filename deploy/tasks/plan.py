"""`inv plan.ENVIRONMENT`: what a deploy would do; nothing is changed."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from deploy.tasks.edge import Verb, show, situation, verb
from deploy.tasks.hosts import ONLY, of_all_hosts

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.api import Intent
    from deploy.database.outlook import Outlook
    from deploy.database.rehearsal.rehearsed import Rehearsed
    from deploy.plan import HostPlan, Plan
    from deploy.planfile import PlanFile
    from deploy.situation import Situation


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Say what a deploy of {name} would do; nothing is changed.",
        help={
            "tag": "the image's tag; without it, the commit that is checked out",
            "digest": "refuse it unless the tag is this image: sha256:…",
            "rehearse": "rehearse what is pending in the database, on a server thrown away",
            "json": "print the plan as JSON",
            "out": "write the plan to this file as well; deploy --plan-file does exactly that",
            "compose": "print what is laid over the compose file on each host, and nothing else",
            "detailed-exit-code": "exit 10 when there is something to do",
            **ONLY,
        },
        iterable=["only_host"],
    )
    def plan(
        _c: Context,
        tag: str | None = None,
        digest: str | None = None,
        rehearse: bool = False,
        json: bool = False,
        out: str | None = None,
        compose: bool = False,
        detailed_exit_code: bool = False,
        only_host: list[str] | None = None,
    ) -> None:
        """Say what a deploy would do; nothing is changed."""
        from deploy.api import intend_deploy
        from deploy.database.outlook import Unfit
        from deploy.planfile import planned

        of_all_hosts(out, only_host, "--out")
        with situation(root, name, only_host or ()) as one:
            try:
                intent = intend_deploy(one, tag, os.environ, digest=digest)
            except Unfit as error:
                if not compose:
                    _tell_database(error.outlook, json)
                raise
            rehearsed = _rehearse(one, intent) if rehearse else None
            if out:
                _write(out, planned(one.environment, intent.order, one.facts))
        if compose:
            for host, files in (intent.order.files or {}).items():
                print(f"# --- {host}\n{files.override}")
        elif json:
            print(as_json(intent.plan, intent.order.outlook, rehearsed))
        else:
            show(rendered(intent.plan, intent.order.outlook, rehearsed, out))
        _tell_actions(intent, rendered(intent.plan, intent.order.outlook, rehearsed, out))
        if detailed_exit_code and not intent.empty:
            raise Exit(code=10)

    return plan


def _tell_database(outlook: Outlook, as_json: bool) -> None:
    """Show what is pending, although nothing comes of it: what is wrong is wrong in there."""
    from deploy.tasks.outlook import as_dict, with_sql

    if as_json:
        print(json.dumps({"database": as_dict(outlook)}, indent=2))
    else:
        show("\n".join(with_sql(outlook)))


def _tell_actions(intent: Intent, text: str) -> None:
    """In Actions, show the plan in the job's summary, and give what later jobs ask for."""
    from deploy.redaction.sink import current
    from deploy.views.actions import outputs, summarise
    from deploy.views.summary import planned

    release = intent.order.release
    summarise(os.environ, planned(current().redact(text)))
    outputs(
        os.environ,
        {
            "changes": "false" if intent.empty else "true",
            "tag": release.tag,
            "release": release.id,
        },
    )


def _write(out: str, plan: PlanFile) -> None:
    from deploy.errors import UsageError

    try:
        Path(out).write_text(plan.to_json(), encoding="utf-8")
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "no reason given"
        raise UsageError(
            f"the plan can't be written to {out}: {reason}", state="Nothing has been changed."
        ) from None


def _rehearse(one: Situation, intent: Intent) -> Rehearsed | None:
    """Rehearse what is pending; what is told meanwhile is no part of the plan."""
    import sys

    from deploy.migrating import rehearsal

    order = intent.order
    if order.outlook is None or not order.outlook.tables:
        return None
    step = rehearsal(one, order, [], final=False)
    step.do(lambda text, _warned: show(text, to=sys.stderr))
    return step.result[-1] if step.result else None


def as_json(plan: Plan, outlook: Outlook | None = None, rehearsed: Rehearsed | None = None) -> str:
    """The plan for programs."""
    from deploy.tasks.outlook import as_dict

    database = outlook and as_dict(outlook)
    if database and rehearsed:
        database["rehearsal"] = rehearsed.figures()
    return json.dumps(plan.to_dict() | {"database": database}, indent=2)


def rendered(
    plan: Plan,
    outlook: Outlook | None = None,
    rehearsed: Rehearsed | None = None,
    out: str | None = None,
) -> str:
    """The plan for people; `out` is the file that it was written to as well."""
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
        rest = f"--plan-file {shlex.quote(out)}" if out else f"{flag} {plan.after}"
        lines.append(f"Nothing has been changed. inv {plan.verb}.{plan.environment} {rest}")
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

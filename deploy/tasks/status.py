"""`inv status.ENVIRONMENT`: what runs where, since when, and what is not as it should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.tasks.edge import Verb, show, situation, verb
from deploy.tasks.middle import in_the_middle

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.errors import HeadwayError
    from deploy.facts import HostFacts
    from deploy.tasks.middle import Middle


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Say what runs where in {name}, since when, and what has drifted.",
        help={"json": "print it as JSON"},
    )
    def status(_c: Context, json: bool = False) -> None:
        """Say what runs where."""
        with situation(root, name) as one:
            silent = one.gather_what_answers()
            middle = in_the_middle(one)
        rows = {host: _row(host, silent.get(host) or one.facts[host], middle) for host in one.hosts}
        if json:
            print(_as_json(rows))
            return
        show(_rendered(one.environment.app, name, rows))
        if middle.lines:
            show("\n" + "\n".join(middle.lines))

    return status


def _row(host: str, facts: HostFacts | HeadwayError, middle: Middle) -> dict[str, Any]:
    from deploy.facts import HostFacts

    problem = ""
    if not isinstance(facts, HostFacts):
        facts, problem = HostFacts(), str(facts)
    release = facts.releases.get(facts.release)
    unfinished = facts.unfinished
    return {
        "problem": problem,
        "release": facts.release,
        "tag": release.tag if release else "",
        "unfinished": f"{unfinished.release} ({unfinished.phase})" if unfinished else "",
        "half_way": middle.of(host, unfinished) if unfinished else "",
        "dead_runs": middle.as_json(host),
        "edited": list(facts.edited),
        "containers": [
            {
                "service": one.service,
                "id": one.id[:12],
                "state": one.state,
                "health": one.health,
                "slot": one.slot,
                "image": one.image,
                "started": one.started,
                "as_deployed": one.hash == facts.hashes.get(one.service),
            }
            for one in sorted(facts.containers, key=lambda one: (one.service, one.started))
        ],
    }


def _as_json(rows: dict[str, Any]) -> str:
    return json.dumps(rows, indent=2)


def _rendered(app: str, name: str, rows: dict[str, Any]) -> str:
    from deploy.views.text import one_line

    lines = [f"{app} · {name}", ""]
    for host, row in rows.items():
        if row["problem"]:
            lines.append(f"  {host}  ! {one_line(row['problem'])}")
            continue
        lines.append(f"  {host}  {row['tag'] or 'nothing deployed'}")
        if row["half_way"]:
            lines.append(f"    ! {one_line(row['half_way'])}")
        lines += [f"    ! {file} was edited by hand" for file in row["edited"]]
        for one in row["containers"]:
            slot = f" {one['slot']}" if one["slot"] else ""
            health = f", {one['health']}" if one["health"] else ""
            drift = "" if one["as_deployed"] else "   ! not as deployed"
            since = one["started"][:19].replace("T", " ")
            lines.append(
                f"    {one['service']}{slot}  {one['state']}{health} since {since} UTC{drift}"
            )
    tags = {row["tag"] for row in rows.values() if row["containers"]}
    if len(tags) > 1:
        lines += ["", f"The hosts are not on one release: {', '.join(sorted(tags))}."]
    return "\n".join(lines)

"""`inv status.ENVIRONMENT`: what runs where, since when, and what is not as it should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.tasks.edge import Verb, situation, verb

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.facts import HostFacts


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
            facts = one.gather()
        rows = {host: _row(host_facts) for host, host_facts in facts.items()}
        print(_as_json(rows) if json else _rendered(one.environment.app, name, rows))

    return status


def _row(facts: HostFacts) -> dict[str, Any]:
    release = facts.releases.get(facts.release)
    unfinished = facts.unfinished
    return {
        "release": facts.release,
        "tag": release.tag if release else "",
        "unfinished": f"{unfinished.release} ({unfinished.phase})" if unfinished else "",
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
    lines = [f"{app} · {name}", ""]
    for host, row in rows.items():
        lines.append(f"  {host}  {row['tag'] or 'nothing deployed'}")
        if row["unfinished"]:
            lines.append(
                f"    ! a roll to {row['unfinished']} was cut off; the next deploy takes it back"
            )
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

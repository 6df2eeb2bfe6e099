"""`inv check.ENVIRONMENT`: all that a deploy needs, every fault at once, each with its mend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from invoke import Context, Exit, Task, task

from deploy.tasks.edge import guarded, situation


def make(root: Path, name: str) -> Task[Any]:
    """The task for one environment."""

    @task(
        name=name,
        auto_shortflags=False,
        help={
            "tag": "look for this image as well",
            "json": "print the faults as JSON",
        },
    )
    @guarded
    def check(_c: Context, tag: str | None = None, json: bool = False) -> None:
        """Look at everything that a deploy needs; nothing is changed."""
        from deploy.examine import examine

        with situation(root, name) as one:
            faults = examine(one, tag)
        print(_as_json(faults) if json else _rendered(faults, one.hosts))
        if faults:
            raise Exit(code=3)

    check.__doc__ = f"Look at everything that a deploy of {name} needs; nothing is changed."
    return check


def _as_json(faults: list[Any]) -> str:
    return json.dumps([vars(fault) for fault in faults], indent=2)


def _rendered(faults: list[Any], hosts: Any) -> str:
    if not faults:
        return f"{len(hosts)} hosts, the registry and the compose file are ready."
    lines = [f"  {fault}" for fault in faults]
    return "\n".join(["Not ready:", *lines, "Nothing has been changed."])

"""`inv check.ENVIRONMENT`: all that a deploy needs, every fault at once, each with its mend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit

from deploy.tasks.edge import Verb, situation, verb

if TYPE_CHECKING:
    from invoke.context import Context


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Look at everything that a deploy of {name} needs; nothing is changed.",
        help={
            "tag": "look for this image as well",
            "json": "print the faults as JSON",
        },
    )
    def check(_c: Context, tag: str | None = None, json: bool = False) -> None:
        """Look at everything that a deploy needs; nothing is changed."""
        from deploy.examine import examine

        with situation(root, name) as one:
            faults = examine(one, tag)
        print(_as_json(faults) if json else _rendered(faults, one.hosts))
        if faults:
            raise Exit(code=3)

    return check


def _as_json(faults: list[Any]) -> str:
    return json.dumps([vars(fault) for fault in faults], indent=2)


def _rendered(faults: list[Any], hosts: Any) -> str:
    if not faults:
        return f"{len(hosts)} hosts, the registry and the compose file are ready."
    lines = [f"  {fault}" for fault in faults]
    return "\n".join(["Not ready:", *lines, "Nothing has been changed."])

"""`inv history.ENVIRONMENT`: what was deployed, when, by whom, and how it ended."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke import Context, Task, task

from deploy.tasks.edge import guarded, situation

if TYPE_CHECKING:
    from deploy.history import Entry


def make(root: Path, name: str) -> Task[Any]:
    """The task for one environment."""

    @task(
        name=name,
        auto_shortflags=False,
        help={"json": "print it as JSON", "limit": "how many, the newest (20)"},
    )
    @guarded
    def history(_c: Context, json: bool = False, limit: int = 20) -> None:
        """Say what was deployed."""
        from deploy.history import entries

        with situation(root, name) as one:
            found = entries(one.gather())[-limit:]
        print(_as_json(found) if json else _rendered(found))

    history.__doc__ = f"Say what was deployed to {name}, by whom, and how it ended."
    return history


def _as_json(found: list[Entry]) -> str:
    return json.dumps([asdict(one) for one in found], indent=2)


def _rendered(found: list[Entry]) -> str:
    if not found:
        return "Nothing has been deployed yet."
    lines = []
    for one in reversed(found):
        when = one.began.replace("T", " ").replace("Z", " UTC")
        reason = f"   {one.reason}" if one.reason else ""
        lines.append(f"  {when}  {one.verb:8}  {one.tag:16}  {one.outcome:10}  {one.by}{reason}")
    return "\n".join(lines)

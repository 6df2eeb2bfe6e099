"""`inv history.ENVIRONMENT`: what was deployed, when, by whom, and how it ended."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.tasks.edge import Verb, show, situation, verb
from deploy.tasks.leased import in_the_middle

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.history import Entry


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Say what was deployed to {name}, by whom, and how it ended.",
        help={"json": "print it as JSON", "limit": "how many, the newest (20)"},
    )
    def history(_c: Context, json: bool = False, limit: int = 20) -> None:
        """Say what was deployed."""
        from deploy.history import entries

        with situation(root, name) as one:
            found = entries(one.gather())[-limit:]
            middle = [] if json else in_the_middle(one)
        if json:
            print(_as_json(found))
        else:
            show("\n".join([*middle, _rendered(found)]))

    return history


def _as_json(found: list[Entry]) -> str:
    return json.dumps([asdict(one) for one in found], indent=2)


def _rendered(found: list[Entry]) -> str:
    if not found:
        return "Nothing has been deployed yet."
    from deploy.views.text import one_line

    lines = []
    for one in reversed(found):
        when = one.began.replace("T", " ").replace("Z", " UTC")
        reason = f"   {one_line(one.reason)}" if one.reason else ""
        lines.append(
            f"  {when}  {one.verb:8}  {one.tag:16}  {one.outcome:10}  {one_line(one.by)}{reason}"
        )
    return "\n".join(lines)

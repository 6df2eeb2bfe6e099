"""`inv recover.ENVIRONMENT`: what a run that died has left comes to a defined end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import UsageError
from deploy.tasks.edge import Verb, show, situation, verb
from deploy.tasks.leased import HELP, leased, mended

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.recovery import Way


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Bring to an end what a run that died has left in {name}.",
        help={
            "finish": "go on to the release that it was about",
            "undo": "go back to what the hosts were on",
            **HELP,
        },
    )
    def recover(
        _c: Context, finish: bool = False, undo: bool = False, wait: str | None = None
    ) -> None:
        """Finish or undo what a run that died has left."""
        if finish and undo:
            raise UsageError("--finish and --undo ask for two things", mend="Leave one out.")
        way: Way | None = "finish" if finish else "undo" if undo else None
        with situation(root, name) as one, leased(one, "recover", wait, look=one.gather) as lease:
            if not mended(one, lease, way, smoke=True):
                show(f"{name}: nothing was left in its middle.")

    return recover

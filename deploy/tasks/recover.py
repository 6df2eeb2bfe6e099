"""`inv recover.ENVIRONMENT`: what a run that died has left comes to a defined end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import NeedsPerson, UsageError
from deploy.tasks.edge import Verb, show, situation, verb
from deploy.tasks.leased import HELP, leased, mended

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.recovery import Way
    from deploy.situation import Situation


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
                on_one_release(one)
                show(f"{name}: nothing was left in its middle.")

    return recover


def on_one_release(one: Situation) -> None:
    """Have it that the last run did not end with its hosts on different releases.

    Raises:
        NeedsPerson: it did, and nobody but a person knows which of them is the right one.
    """
    from deploy.history import releases
    from deploy.recovery import apart

    last = apart(one.facts)
    if last is None:
        return
    name, known = one.environment.name, releases(one.facts)
    on: dict[str, list[str]] = {}
    for host in one.placements:
        release = one.facts[host].release
        tag = known[release].tag if release in known else release or "nothing"
        on.setdefault(tag, []).append(host)
    where = "; ".join(f"{', '.join(hosts)} on {tag}" for tag, hosts in on.items())
    raise NeedsPerson(
        f"nothing was left in its middle, but the last run, {last.verb} of {last.tag}, has ended "
        f"with its hosts on different releases: {where}",
        state="Nothing has been changed.",
        mend=f"inv deploy.{name} --tag {last.tag} takes all of them there, inv rollback.{name} "
        "back to the release before.",
    )

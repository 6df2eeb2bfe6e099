"""`inv lock.ENVIRONMENT` and `inv unlock.ENVIRONMENT`: the lease, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from deploy.errors import Held, UsageError
from deploy.tasks.edge import Verb, show, situation, somebody_is_here, verb
from deploy.tasks.leased import claim, described

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.lease.words import Seen


def lock(root: Path, name: str) -> Verb:
    """The task that holds one environment."""

    @verb(
        name=name,
        doc=f"Hold {name}, so that nobody else changes it, until inv unlock.{name}.",
        help={"reason": "why, for whoever comes and finds it held"},
    )
    def lock(_c: Context, reason: str | None = None) -> None:
        """Hold the environment across deploys."""
        from deploy.lease.keeper import held_by_hand

        with situation(root, name) as one:
            if not reason:
                raise UsageError(
                    "hold it why?",
                    state="Nothing has been changed.",
                    mend=f'inv lock.{name} --reason "we move the DNS"',
                )
            mine = claim(one, reason)
            seen = one.keeper.hold(mine)
        if seen.hold is None or seen.hold.by != mine.name:
            raise held_by_hand(seen.hold)
        show(f"{name} is held by {seen.hold}")
        if seen.holder and seen.holder.alive:
            show(f"At work until its end: {seen.holder}")
        show(f"Only {mine.name} changes it until: inv unlock.{name}")

    return lock


def unlock(root: Path, name: str) -> Verb:
    """The task that gives one environment free."""

    @verb(
        name=name,
        doc=f"Say who has the lease of {name} or holds it, and after a question give it free.",
        help={
            "force": "even from a run that is at work, or what somebody else holds",
            "yes": "do not ask; needed where nobody can answer",
        },
    )
    def unlock(_c: Context, force: bool = False, yes: bool = False) -> None:
        """Give the environment free."""
        with situation(root, name) as one:
            mine = claim(one, "unlock")
            seen = one.keeper.look(mine)
            if seen.holder is None and seen.hold is None:
                show(f"{name}: nobody has the lease, and nobody holds it.")
                return
            show("\n".join(described(seen)))
            if not force:
                _theirs(seen, mine.name)
            if not yes:
                _ask(name)
            # Somebody may have come while the question stood there.
            seen = one.keeper.break_(mine, force=force)
            if seen.holder or seen.hold:
                show("\n".join(described(seen)))
                _theirs(seen, mine.name)
        show(f"{name} is free. What a run has left in its middle: inv recover.{name}")

    return unlock


def _theirs(seen: Seen, mine: str) -> None:
    if seen.holder and seen.holder.alive:
        raise Held(
            "a run that is at work is not broken off",
            state="Nothing has been changed.",
            mend="--force takes the lease away: the run then stops at its next step.",
        )
    if seen.hold and seen.hold.by != mine:
        raise Held(
            f"it is {seen.hold.by} who holds it",
            state="Nothing has been changed.",
            mend="Ask them; or --force.",
        )


def _ask(name: str) -> None:
    if not somebody_is_here():
        raise UsageError(
            "nobody is here to be asked",
            state="Nothing has been changed.",
            mend=f"inv unlock.{name} --yes",
        )
    try:
        answer = input("Give it free? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise Exit("Nothing has been changed.", code=130)

"""Who may approve what somebody else has ordered, where the hosts file names them. Pure.

It stands in for GitHub's required reviewers, which not every plan of theirs has. It is a rule
between people who trust each other with the key: who they are is what the machine says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from deploy.errors import Refused

if TYPE_CHECKING:
    from deploy.settings import Environment


class Ordered(Protocol):
    """What was written down for somebody else: a plan, or the order of a restore."""

    @property
    def by(self) -> str:
        """Who has ordered it."""
        ...


@dataclass(frozen=True)
class Approval:
    """Who has ordered what is done now, and who has approved it: "" where nobody was asked."""

    by: str
    approved_by: str = ""


def approved(
    environment: Environment,
    then: Ordered | None,
    by: str,
    verb: str = "deploy",
    order: str = "inv plan",
) -> Approval:
    """Return who orders what is done now, and who has approved it.

    Args:
        environment: its `approvers` are the names that people have at GitHub; empty: nobody is
            asked.
        then: the plan or the order that is to be done; None: none was made.
        by: who does it, as `situation.whoami` says.
        verb: what is typed to do it.
        order: what is typed to write it down, without the environment.

    Raises:
        Refused: it takes somebody else, or a plan.
    """
    name, people = environment.name, environment.approvers
    ordered = then.by if then else by
    if not people:
        return Approval(ordered)
    if then is None:
        raise Refused(
            f"{name} takes an approval, by one of {', '.join(people)}",
            mend=f"{_of(order, name)} --out FILE, and they: inv {verb}.{name} --plan-file FILE",
        )
    who = _person(by)
    if who not in {one.casefold() for one in people}:
        raise Refused(
            f"{by} may not approve a {verb} to {name}",
            mend=f"It takes one of {', '.join(people)} (approvers in hosts/{name}.yaml).",
        )
    if who == _person(then.by):
        others = [one for one in people if one.casefold() != who]
        raise Refused(
            f"{by} has ordered it, and can't approve it",
            mend=f"It takes {' or '.join(others) or 'one more name under approvers'}.",
        )
    return Approval(then.by, by)


def _of(order: str, name: str) -> str:
    """The command with the environment: `inv restore NAME` → `inv restore.production NAME`."""
    inv, verb, *words = order.split(" ")
    return " ".join([inv, f"{verb}.{name}", *words])


def _person(by: str) -> str:
    """The name, without the machine; GitHub tells no capital letter from a small one."""
    return by.partition("@")[0].casefold()

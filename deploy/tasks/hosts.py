"""Which hosts somebody means."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from deploy.errors import UsageError

if TYPE_CHECKING:
    from deploy.remote.host import Host
    from deploy.situation import Situation


ONLY = {"only-host": "leave all hosts but this one as they are; may be given more than once"}


def of_all_hosts(asked: object, only: list[str] | None, option: str) -> None:
    """Refuse what is about all hosts where some are left out.

    Raises:
        UsageError: both are asked for.
    """
    if asked and only:
        raise UsageError(
            f"{option} is about all hosts, and --only-host leaves some out",
            state="Nothing has been changed.",
        )


def chosen(situation: Situation, names: Iterable[str]) -> list[Host]:
    """The hosts of these names, in their order.

    Raises:
        UsageError: there is no such host; the near ones are named.
    """
    wanted = list(names)
    for name in wanted:
        if name not in situation.hosts:
            near = difflib.get_close_matches(name, situation.hosts, n=3)
            choices = ", ".join(near or situation.hosts)
            raise UsageError(f"there is no host {name!r}", mend=f"There is {choices}.")
    return [situation.hosts[name] for name in wanted]

"""A command that has not done what it was to do; and what the database is like after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.command.seen import listed
from deploy.errors import HostError

if TYPE_CHECKING:
    from deploy.database.command.oneoff import Ran


class CommandNotBelieved(HostError):
    """A command failed, or said that it did not.

    `as_before` is whether the schema is as it was before; None if that is not known. `told` says
    so in words.
    """

    def __init__(
        self, host: str, message: str, ran: Ran, *, as_before: bool | None, told: str
    ) -> None:
        super().__init__(host, message, state="\n".join(filter(None, [ran.said, told])))
        self.as_before = as_before
        self.told = told


def told(changed: tuple[str, ...], applied: str = "", left: str = "") -> str:
    """Say what things are like: what the schema has lost and got, and the names of files."""
    lines = [f"Applied: {applied or 'none'}. Not applied: {left or 'none'}."] if left else []
    if changed:
        lines += ["The schema is not as before:", listed(changed)]
    elif not applied:
        lines.append("The schema is as before.")
    return "\n".join(lines)

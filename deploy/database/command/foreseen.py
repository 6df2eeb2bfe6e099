"""What a command would do, as far as it can be told beforehand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.database.migrations.folder import Folder, Format
from deploy.database.migrations.states import Standing
from deploy.database.migrations.transaction import together
from deploy.database.outlook import Outlook, Unfit
from deploy.errors import Fault, Refused

if TYPE_CHECKING:
    from deploy.database.migrations.transaction import Obstacle
    from deploy.database.server import Server

_MEND = "Or have Headway apply them: apply: headway"
_COMMIT = "end the transaction before it, by COMMIT;--> statement-breakpoint"


def at_once(outlook: Outlook, *, kit: bool = False) -> Outlook:
    """Return an outlook, if one command can apply all of it, as a command does.

    The rehearsal runs each file in a transaction of its own; what would fail in one for all of them
    is a doubt about the command.

    Args:
        outlook: of all that is pending.
        kit: whether the command is drizzle-kit migrate, which has that one transaction for certain.

    Raises:
        Unfit: contract files are pending beside others: they would be applied with them, before any
            host has settled; or drizzle-kit would fail in any case.
    """
    if outlook.now and outlook.later:
        refused = Refused(
            "the command of database.apply would apply contract files with the others, and they "
            "are to wait until every host has settled",
            faults=tuple(
                Fault(one.path, "", "phase=contract, and not alone", "deploy it in a later release")
                for one in outlook.later
            ),
            mend=_MEND,
        )
        raise Unfit(refused, outlook)
    found = list(together(outlook.pending))
    sure = [one for one in found if one.sure and kit]
    if sure:
        refused = Refused(
            "drizzle-kit migrate would fail: it has one transaction for all files",
            faults=tuple(
                Fault(_place(one), "", f"{one.what}, which PostgreSQL takes in none", _COMMIT)
                for one in sure
            ),
            mend=_MEND,
        )
        raise Unfit(refused, outlook)
    if not found:
        return outlook
    who = "drizzle-kit migrate has" if kit else "the command may have"
    doubts = (
        f"{_place(one)}  {one.what}: {who} one transaction for all files, and may fail here; "
        "the rehearsal has one for each"
        for one in found
    )
    return replace(outlook, doubts=tuple(doubts))


def _place(one: Obstacle) -> str:
    return f"{one.migration.path}:{one.line}"


def unforeseen(server: Server | None) -> Outlook:
    """Return the outlook of a push into a database, or into none yet: nothing is known of it."""
    none = Folder(Format.V0, ())
    return Outlook(none, Standing(none.format, ()), fresh=server is None, push=True)

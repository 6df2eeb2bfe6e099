"""What a command would do, as far as it can be told beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.migrations.folder import Folder, Format
from deploy.database.migrations.states import Standing
from deploy.database.outlook import Outlook, Unfit
from deploy.errors import Fault, Refused

if TYPE_CHECKING:
    from deploy.database.server import Server


def at_once(outlook: Outlook) -> Outlook:
    """Return an outlook, if one command can apply all of it, as a command does.

    Raises:
        Unfit: contract files are pending beside others: they would be applied with them, before
            any host has settled.
    """
    if outlook.now and outlook.later:
        refused = Refused(
            "the command of database.apply would apply contract files with the others, and they "
            "are to wait until every host has settled",
            faults=tuple(
                Fault(one.path, "", "phase=contract, and not alone", "deploy it in a later release")
                for one in outlook.later
            ),
            mend="Or have Headway apply them: apply: headway",
        )
        raise Unfit(refused, outlook)
    return outlook


def unforeseen(server: Server | None) -> Outlook:
    """Return the outlook of a push into a database, or into none yet: nothing is known of it."""
    none = Folder(Format.V0, ())
    return Outlook(none, Standing(none.format, ()), fresh=server is None, push=True)

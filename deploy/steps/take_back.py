"""Migrations taken back, after every host has gone back to what knew nothing of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.downs.run import run_downs

if TYPE_CHECKING:
    from deploy.database.migrations.folder import Format, Migration
    from deploy.database.migrations.script import Limits
    from deploy.database.server import Server
    from deploy.steps.step import Say


@dataclass(frozen=True)
class TakeBack:
    """Run the downs of migrations of a format; `way_back` says how a backup is restored."""

    migrations: Sequence[Migration]
    form: Format
    database: Server
    limits: Limits
    way_back: Callable[[], str]
    name: str = "take back"
    host: str = ""
    touches: bool = True
    reverts: bool = False

    def do(self, say: Say) -> str:
        """Run them, the newest first, each if its guards still say yes.

        Raises:
            Refused: a guard says no by now; nothing was taken back.
            NeedsPerson: some were taken back, and the next could not be.
            HostError: the database did not do it.
        """
        names = ", ".join(one.name for one in self.migrations)
        say(f"taking back {names}", False)
        undone = run_downs(
            self.database,
            self.migrations,
            form=self.form,
            limits=self.limits,
            restore=self.way_back(),
            say=lambda text: say(text, True),
        )
        return ", ".join(one.migration.name for one in undone) or "taken back already"

    def undo(self, say: Say) -> str:
        """Nothing: the hosts are where they were to go."""
        del say
        return ""

"""Migrations applied: before the first host is staged, or after the last one has settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.database.migrations.apply import Applier
from deploy.database.migrations.compare import compare
from deploy.database.migrations.failure import MigrationFailed
from deploy.database.migrations.recorded import recorded
from deploy.database.migrations.states import fit
from deploy.errors import NeedsPerson, Refused

if TYPE_CHECKING:
    from deploy.database.migrations.folder import Folder, Migration
    from deploy.database.migrations.script import Limits
    from deploy.database.server import Server
    from deploy.steps.step import Say


def _no_way_back() -> str:
    return ""


@dataclass(frozen=True)
class Migrate:
    """Apply some of what is pending.

    `folder` is the new image's, `names` are those to be applied now. `way_back` says what to type
    when the schema is left half-way. With `reverts` false the hosts stay as they are when it fails:
    they have settled on the version that this was waiting for. `fresh` tells that there was no
    database to look at when this was ordered.
    """

    folder: Folder
    names: Sequence[str]
    database: Server
    limits: Limits
    way_back: Callable[[], str] = _no_way_back
    name: str = "migrate"
    host: str = ""
    touches: bool = True
    reverts: bool = True
    fresh: bool = False
    _failed: list[MigrationFailed] = field(default_factory=list)
    _applied: list[str] = field(default_factory=list)

    def do(self, say: Say) -> str:
        """Apply each file, and look that none is left.

        Raises:
            Refused: the database has changed, and the folder no longer fits it; or there is
                something in one that was to be new, which nobody has judged.
            MigrationFailed: a file failed; what is applied now, it says.
            NeedsPerson: psql said yes, and the rows say no.
        """
        standing = compare(self.folder, recorded(self.database))
        todo = self._mine(fit(standing))
        if self.fresh and len(todo) < len(self.names):
            raise Refused(
                "the database is not new: it has migrations already, and was not there to look at",
                mend="It runs now. Deploy again: then what is pending is judged first.",
            )
        if not todo:
            return "applied already"
        names = ", ".join(one.name for one in todo)
        say(f"applying {names}", False)
        applier = Applier(self.database, self.limits, say=lambda text: say(text, True))
        try:
            applier.apply(todo, form=self.folder.format, names=standing.names)
        except MigrationFailed as error:
            self._failed.append(error)
            raise
        self._applied.append(names)
        left = self._mine(fit(compare(self.folder, recorded(self.database))))
        if left:
            raise NeedsPerson(
                "psql reported success, and these are still not applied: "
                + ", ".join(one.name for one in left)
            )
        return names

    def _mine(self, pending: Sequence[Migration]) -> list[Migration]:
        return [one for one in pending if one.name in self.names]

    def undo(self, say: Say) -> str:
        """Nothing: a file that failed was rolled back, and what was applied stays.

        Raises:
            NeedsPerson: a file failed, and the schema is not as it was before.
        """
        del say
        for error in self._failed:
            if not error.now.as_before:
                raise NeedsPerson(
                    "the schema is not as it was before", state=_left(error), mend=self.way_back()
                )
        return "left as it is: the version before can live with it" if self._applied else ""


def _left(error: MigrationFailed) -> str:
    now = error.now
    applied = "unknown" if now.applied is None else ", ".join(now.applied) or "none"
    return f"Applied: {applied}. Failed: {now.file or 'none'}."

"""Migrations applied: before the first host is staged, or after the last one has settled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.database.downs.run import run_downs
from deploy.database.migrations.apply import Applier
from deploy.database.migrations.compare import compare
from deploy.database.migrations.failure import Done, MigrationFailed, Outcome
from deploy.database.migrations.recorded import recorded
from deploy.database.migrations.states import fit
from deploy.errors import HostError, NeedsPerson, Refused

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
            done = applier.apply(todo, form=self.folder.format, names=standing.names)
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
        return ", ".join(map(_told, done))

    def _mine(self, pending: Sequence[Migration]) -> list[Migration]:
        return [one for one in pending if one.name in self.names]

    def undo(self, say: Say) -> str:
        """Take back what a file that failed has left, and the files before it, if nothing is lost.

        What was applied as a whole stays: the version before can live with it.

        Raises:
            NeedsPerson: the schema is not as it was before, and giving it back would lose data.
        """
        for error in self._failed:
            if not error.now.as_before:
                return self._take_back(error, say)
        return "left as it is: the version before can live with it" if self._applied else ""

    def _take_back(self, failed: MigrationFailed, say: Say) -> str:
        now = failed.now
        why = _left(failed)
        if now.applied is not None and now.rolled_back is not None:
            mine = self.folder.migrations
            try:
                undone = run_downs(
                    self.database,
                    [one for one in mine if one.name in now.applied],
                    form=self.folder.format,
                    limits=self.limits,
                    restore=self.way_back(),
                    half=next(
                        (one for one in mine if one.path == now.file and not now.rolled_back), None
                    ),
                    say=lambda text: say(text, True),
                )
            except (Refused, HostError) as error:
                why = f"{why}\n{error.message}"
                why += "".join(f"\n  {one}" for one in getattr(error, "faults", ()))
            else:
                if undone:
                    names = ", ".join(one.migration.name for one in undone)
                    return f"{names} taken back: the schema is as it was before"
        raise NeedsPerson(
            "the schema is not as it was before", state=why, mend=self.way_back()
        ) from None


def _told(done: Done) -> str:
    name = done.migration.name
    return name if done.outcome is Outcome.APPLIED else f"{name} ({done.outcome})"


def _left(error: MigrationFailed) -> str:
    now = error.now
    applied = "unknown" if now.applied is None else ", ".join(now.applied) or "none"
    return f"Applied: {applied}. Failed: {now.file or 'none'}."

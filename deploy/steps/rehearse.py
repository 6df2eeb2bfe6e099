"""What is pending, done first on a server that is thrown away; its result decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from deploy.database.backup.manifest import head
from deploy.database.command.seen import look
from deploy.database.outlook import refuse
from deploy.database.rehearsal.answers import hold
from deploy.database.rehearsal.bounds import bounds_of
from deploy.database.rehearsal.course import Pending, rehearse
from deploy.database.rehearsal.judgement import judge
from deploy.database.rehearsal.source import Data, SchemaOnly, choose
from deploy.database.rehearsal.throwaway import throwaway
from deploy.errors import HeadwayError, Refused

if TYPE_CHECKING:
    from deploy.database.backup.backups import Backups
    from deploy.database.backup.manifest import Manifest
    from deploy.database.contract.snapshot import Snapshot
    from deploy.database.lint.verdict import Judged
    from deploy.database.migrations.script import Limits
    from deploy.database.outlook import Outlook
    from deploy.database.rehearsal.application import Application
    from deploy.database.rehearsal.rehearsed import Rehearsed
    from deploy.database.rehearsal.source import Source
    from deploy.database.server import Server
    from deploy.settings import Rehearsal
    from deploy.steps.step import Say

Note = Callable[[str, str, "Rehearsed"], None]
"""Told (rehearsed or refused, one line, the result) for what is kept of the deploy."""


@dataclass(frozen=True)
class Rehearse:
    """Run what is pending, its ways back, and it again; and judge it by what that has shown.

    `made` has the fresh backup, if one was made, and its manifest with the restore's result
    afterwards. `running` reads what the running image asks of its database; `application` is what
    starts that image. With `final` false nothing is decided by it, as for a plan: there the newest
    backup of the same schema has to do.
    """

    backups: Backups
    outlook: Outlook
    limits: Limits
    settings: Rehearsal
    mode: str
    downs: bool
    running: Callable[[], Snapshot | None]
    made: list[Manifest]
    note: Note
    final: bool = True
    application: Application | None = None
    name: str = "rehearse"
    touches: bool = False
    reverts: bool = True
    result: list[Rehearsed] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The host of the database's programs."""
        return self.backups.host

    def do(self, say: Say) -> str:
        """Rehearse, and tell what it has shown.

        Raises:
            Refused: a file failed, or the running version could not live with what came of it, or
                was not well on it; or the rehearsal itself could not be held.
            Reverted: the backup is damaged, or could not be restored.
            HostError: nothing is known of how it ended.
        """
        source = self._source()
        if source is None:
            return "off"
        for doubt in self.outlook.doubts:
            say(doubt, True)
        if isinstance(source, SchemaOnly):
            say(f"on the schema alone: {source.why}", False)
        found = self._rehearse(source, say)
        if found is None:
            source = SchemaOnly("the newest backup is of another schema than the database has now")
            say(f"on the schema alone: {source.why}", False)
            found = self._rehearse(source, say)
        assert found is not None  # noqa: S101 - the schema is that of the database
        self.result.append(found)
        for line in found.lines():
            say(line, False)
        for why in found.lived.untried if found.lived else ():
            say(f"the running version was not tried on the copy: {why}", True)
        try:
            later = not self.final and self.mode == "data" and not found.rows
            self.judged.extend(judge(self.outlook, found, downs=self.downs, later=later))
            refuse(self.judged)
            if found.lived:
                hold(found.lived)
        except Refused as error:
            faults = "; ".join(f"{one.where}: {one.message}" for one in error.faults)
            self._note(say, "refused", f"{error.message}: {faults}", found)
            raise
        self._note(say, "rehearsed", found.summary, found)
        return found.summary

    def _note(self, say: Say, what: str, text: str, found: Rehearsed) -> None:
        if self.final:
            try:
                self.note(what, text, found)
            except HeadwayError as error:
                say(f"the journal does not have it: {error}", True)

    def _source(self) -> Source | None:
        made = self.made[-1] if self.made else None
        if made is None and not self.final and self.mode == "data":
            made = self._newest()
        return choose(self.mode, made, self.settings.max_size)

    def _newest(self) -> Manifest | None:
        """The newest backup that has the migrations that the database has now."""
        shelf = self.backups.survey()
        fitting = [
            one
            for one in shelf.kept
            if one.method == "dump" and head(one.facts) == head(shelf.facts)
        ]
        return max(fitting, key=lambda one: one.at, default=None)

    def _rehearse(self, source: Source, say: Say) -> Rehearsed | None:
        """Rehearse on a source; None where it is not what the database is like."""
        running = self._asked_by_the_running_image(say)
        pending = Pending(
            self.outlook.pending,
            self.outlook.folder.format,
            self.limits,
            names=self.outlook.standing.names,
            later=[one.name for one in self.outlook.later],
            downs=True,
        )
        bounds = bounds_of(self.settings)
        # With contract files alone nothing changes until it is gone.
        version = self.application if self.outlook.now else None
        start = version.starter() if version else None
        with throwaway(self.backups, source, bounds, say=say) as server:
            if server.manifest is not None and self.made:
                self.made[-1] = server.manifest
            elif server.manifest is not None and not self._like(server):
                return None
            return rehearse(
                server,
                pending,
                superuser=server.superuser,
                running=running,
                started=partial(start, server) if start else None,
                real=self.outlook.tables,
                rows=isinstance(source, Data),
            )

    def _like(self, copy: Server) -> bool:
        """Whether a copy has the schema of the database: a push, or a hand, leaves no row."""
        return not look(copy).changed(look(self.backups.access))

    def _asked_by_the_running_image(self, say: Say) -> Snapshot | None:
        try:
            return self.running()
        except Refused as error:
            # A snapshot of another form says nothing, and no more than one that is not there.
            say(f"{error.message}, so its queries are not tried", True)
            return None

    def undo(self, say: Say) -> str:
        """Nothing: what it was done on is gone."""
        del say
        return ""

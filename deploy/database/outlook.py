"""What the migrations of an image would do to a database, told before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.lint.lint import File, is_contract, lint
from deploy.database.lint.rules import RULES
from deploy.database.lint.verdict import refused, verdict
from deploy.database.migrations.compare import compare
from deploy.database.migrations.recorded import Recorded, recorded
from deploy.database.migrations.states import State, fit, hold_back
from deploy.database.sizes import sizes
from deploy.errors import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.database.lint.rules import Finding
    from deploy.database.lint.verdict import Judged
    from deploy.database.migrations.folder import Folder, Migration
    from deploy.database.migrations.states import Standing
    from deploy.database.server import Server

PAGE = "docs/migrations.md"


@dataclass(frozen=True)
class Outlook:
    """An image's migrations against a database.

    `now` is what is applied before the first host, `later` what waits until every host has settled
    (files that say `phase=contract`), both in the folder's order. `judged` is what their text would
    do to the version that is running.
    """

    folder: Folder
    standing: Standing
    now: tuple[Migration, ...] = ()
    later: tuple[Migration, ...] = ()
    judged: tuple[Judged, ...] = ()

    @property
    def pending(self) -> tuple[Migration, ...]:
        """All that is to be applied."""
        return (*self.now, *self.later)

    @property
    def contracts(self) -> dict[str, str]:
        """The migrations of the folder that no older version can live with: name → hash."""
        return {one.name: one.hash for one in self.folder.migrations if contract(one)}


def contract(migration: Migration) -> bool:
    """Does it say `-- deploy: phase=contract`?"""
    return is_contract(File(migration.path, migration.sql))


def look(folder: Folder, server: Server | None) -> Outlook:
    """Say what is pending and what it would do; nothing is changed.

    Args:
        folder: the new image's.
        server: the database; None where there is none yet, and everything is pending.

    Raises:
        Refused: something is neither applied nor pending, a newer file would pass one that is held
            back, or the running version could not live with what is pending: one fault for each.
        HostError: the database cannot be asked.
    """
    standing = compare(folder, recorded(server) if server else Recorded())
    now, later = hold_back(folder.format, fit(standing), contract)
    judged: list[Judged] = []
    # Where nothing was ever applied there is no version that could not live with it.
    if server and any(one.state is State.APPLIED for one in standing.judged):
        judged = _judge(folder, [*now, *later], server)
    findings = refused(judged)
    if findings:
        raise Refused(
            "the version that is running could not live with what is pending",
            faults=tuple(_fault(one, judged) for one in findings),
            mend=f"{PAGE} has the rewrite that is safe, and the exceptions.",
        )
    return Outlook(folder, standing, tuple(now), tuple(later), tuple(judged))


def _judge(folder: Folder, pending: Sequence[Migration], server: Server) -> list[Judged]:
    if not pending:
        return []
    names = {one.name for one in pending}
    files = [File(one.path, one.sql) for one in folder.migrations if one.name in names]
    before = [File(one.path, one.sql) for one in folder.migrations if one.name not in names]
    held = {one.path for one in pending if contract(one)}
    return verdict(lint(files, before), sizes=sizes(server), contract=held)


def _fault(finding: Finding, judged: Sequence[Judged]) -> Fault:
    why = next(one.why for one in judged if one.finding == finding)
    subject = f"{finding.subject}: " if finding.subject else ""
    what = finding.detail if finding.rule == "bad-exception" else RULES[finding.rule].what
    shown = f": {finding.detail}" if what != finding.detail and finding.detail else ""
    text = f"{subject}{what}{f' ({why})' if why else ''}{shown}"
    return Fault(f"{finding.file}:{finding.line}", finding.rule, text)

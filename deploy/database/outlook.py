"""What the migrations of an image would do to a database, told before anything is changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.database.downs.down import no_down
from deploy.database.lint.lint import File, is_contract, lint
from deploy.database.lint.rules import Level
from deploy.database.lint.verdict import Outcome, verdict
from deploy.database.migrations.compare import compare
from deploy.database.migrations.recorded import Recorded, recorded
from deploy.database.migrations.states import fit, hold_back
from deploy.database.sizes import sizes
from deploy.errors import Fault, Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

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
    do to the version that is running, `tables` the bytes of each table (`sizes`), empty where no
    version runs on the database. `fresh` tells that there was no database to look at yet.
    """

    folder: Folder
    standing: Standing
    now: tuple[Migration, ...] = ()
    later: tuple[Migration, ...] = ()
    judged: tuple[Judged, ...] = ()
    tables: Mapping[str, int] = field(default_factory=dict)
    fresh: bool = False
    doubts: tuple[str, ...] = ()
    """What a command may fail at although it passes the rehearsal, in lines."""
    push: bool = False
    """No migrations are applied, but a push: nobody can say beforehand what it changes."""

    @property
    def pending(self) -> tuple[Migration, ...]:
        """All that is to be applied."""
        return (*self.now, *self.later)


class Unfit(Refused):
    """What is pending can't be applied; `outlook` is what was found out until then."""

    def __init__(self, why: Refused, outlook: Outlook) -> None:
        super().__init__(why.message, state=why.state, mend=why.mend)
        self.faults = why.faults
        self.outlook = outlook


def contracts(folder: Folder) -> dict[str, str]:
    """The migrations of a folder that no older version can live with: name → hash."""
    return {one.name: one.hash for one in folder.migrations if contract(one)}


def contract(migration: Migration) -> bool:
    """Does it say `-- deploy: phase=contract`?"""
    return is_contract(text_of(migration))


def text_of(migration: Migration) -> File:
    """A migration as the lint takes it."""
    return File(migration.path, migration.sql)


def look(
    folder: Folder, server: Server | None, *, rehearsed: bool = False, downs: bool = False
) -> Outlook:
    """Say what is pending and what it would do; nothing is changed.

    Args:
        folder: the new image's.
        server: the database; None where there is none yet, and everything is pending.
        rehearsed: whether a rehearsal on the rows will follow, which decides what is opaque.
        downs: whether each migration must have a way back.

    Raises:
        Unfit: something is neither applied nor pending, a newer file would pass one that is held
            back, or the running version could not live with what is pending: one fault for each.
        HostError: the database cannot be asked.
    """
    standing = compare(folder, recorded(server) if server else Recorded())
    outlook = Outlook(folder, standing, tuple(standing.pending), fresh=server is None)
    try:
        todo = fit(standing)
        tables = sizes(server) if server and todo else {}
        if not tables:
            # No version runs on it: nothing has to be lived with, and nothing waits.
            return outlook
        now, later = hold_back(folder.format, todo, contract)
        outlook = replace(outlook, now=tuple(now), later=tuple(later), tables=tables)
        judged = verdict(
            _findings(folder, todo),
            sizes=tables,
            contract={one.path for one in later},
            catalogue=rehearsed,
            downs=downs,
        )
        outlook = replace(outlook, judged=tuple(judged))
        refuse(judged)
    except Refused as error:
        raise Unfit(error, outlook) from None
    return outlook


def refuse(judged: Iterable[Judged]) -> None:
    """Do nothing if nothing is refused.

    Raises:
        Refused: something is; one fault for each.
    """
    bad = [one for one in judged if one.outcome is Outcome.REFUSED]
    if not bad:
        return
    message = "the version that is running could not live with what is pending"
    if all(one.finding.level is Level.BACK for one in bad):
        message = "what is pending has no way back"
    raise Refused(
        message,
        faults=tuple(
            Fault(f"{one.finding.file}:{one.finding.line}", one.finding.rule, one.text)
            for one in bad
        ),
        mend=f"{PAGE} has the rewrite that is safe, and the exceptions.",
    )


def _findings(folder: Folder, pending: Sequence[Migration]) -> list[Finding]:
    names = {one.name for one in pending}
    before = [text_of(one) for one in folder.migrations if one.name not in names]
    found = lint([text_of(one) for one in pending], before)
    return found + [no_down(text_of(one)) for one in pending if one.down is None]

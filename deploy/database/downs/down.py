"""The down of each migration: where it is, and its class. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.database.downs import ups
from deploy.database.downs.backs import back
from deploy.database.downs.effects import Class, Effects, Reason, worst
from deploy.database.downs.spoken import spoken
from deploy.database.lint.blocks import parts
from deploy.database.lint.lint import allowances
from deploy.database.lint.rules import Finding
from deploy.database.migrations.sql import Unreadable, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.database.downs.guards import Guard
    from deploy.database.lint.blocks import Part
    from deploy.database.lint.lint import File
    from deploy.database.migrations.folder import Folder, Migration


@dataclass(frozen=True)
class Down:
    """A migration's way back.

    `migration` is the one that it undoes, `text` its SQL, `path` where it is in the folder. `klass`
    is what it loses at worst, with the `reasons` where that is not A; `guards` are what has to be
    true in the database for a down of class A to lose nothing.
    """

    migration: Migration
    path: str
    text: str = field(repr=False)
    klass: Class
    guards: tuple[Guard, ...] = ()
    reasons: tuple[Reason, ...] = ()

    @property
    def script(self) -> Migration:
        """The down as what can be sent as a migration is."""
        return replace(self.migration, path=self.path, sql=self.text)


def down_path(path: str) -> str:
    """Where the down of the migration at a path is, or would be, within the same folder."""
    if path.endswith("/migration.sql"):
        return f"{path.removesuffix('migration.sql')}down.sql"
    return f"{path.removesuffix('.sql')}.down.sql"


def no_down(migration: File) -> Finding:
    """What is found of a migration that has none."""
    detail = f"there is no {down_path(migration.path)}"
    allowed = allowances(migration).get("no-down", "")
    return Finding(migration.path, 1, "no-down", detail=detail, allowed=allowed)


def missing(folder: Folder) -> tuple[Migration, ...]:
    """The migrations that have no down."""
    return tuple(one for one in folder.migrations if one.down is None)


def down_of(migration: Migration) -> Down | None:
    """The down of a migration with its class; None where it has none."""
    if migration.down is None:
        return None
    path = down_path(migration.path)
    effects = Effects(path=migration.path)
    for part in _parts(migration.sql, effects):
        ups.read(spoken(part.statement), effects)
    asked = replace(effects, path=path, counts=False)
    for part in _parts(migration.down, asked):
        back(spoken(part.statement), asked)
    asked.line = 1
    if effects.counts and not asked.counts:
        asked.against(Class.C, "it says nothing, and the migration does something")
    for (table, column), type_ in asked.retyped.items():
        asked.against(Class.C, f"it does not give {table}.{column} back what was before {type_}")
    reasons = asked.reasons
    return Down(
        migration,
        path,
        migration.down,
        worst(reasons),
        tuple(dict.fromkeys(asked.guards)),
        tuple(dict.fromkeys(reasons)),
    )


def _parts(text: str, effects: Effects) -> Iterator[Part]:
    """All that a text runs that can be read; what cannot is a reason against class A."""
    try:
        found = [part for one in statements(text) for part in parts(one)]
    except Unreadable as error:
        effects.line = error.line
        effects.against(Class.C, f"it cannot be read: {error}")
        return
    for part in found:
        effects.line = part.statement.line
        if part.opaque:
            effects.against(Class.C, part.opaque)
        else:
            yield part

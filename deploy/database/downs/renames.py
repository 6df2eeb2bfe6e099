"""The renames that a migration does, by which drizzle-kit's questions are answered. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.database.downs.spoken import spoken
from deploy.database.lint.blocks import parts
from deploy.database.lint.drops import kind_of
from deploy.database.lint.words import Name, Reader, folded
from deploy.database.migrations.sql import statements

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = {
    "TYPE": "enum",
    "SEQUENCE": "sequence",
    "VIEW": "view",
    "MATERIALIZED VIEW": "view",
    "INDEX": "index",
    "SCHEMA": "schema",
    "ROLE": "role",
    "POLICY": "policy",
}
"""The words after ALTER → drizzle-kit's name of the kind."""


@dataclass(frozen=True)
class Rename:
    """One rename, or a move to another schema.

    `kind` is drizzle-kit's, or "constraint" for all of its kinds of them. `tables` are the names
    that the table of a column, constraint or policy has in the file, without their schema.
    """

    kind: str
    old: Name
    new: Name
    tables: tuple[str, ...] = ()

    @property
    def as_dict(self) -> dict[str, Any]:
        """As propose.mjs reads it."""
        old, new = (
            {"schema": one.schema or "public", "name": one.name} for one in (self.old, self.new)
        )
        return {"kind": self.kind, "old": old, "new": new, "tables": list(self.tables)}


def renames(text: str) -> tuple[Rename, ...]:
    """Return the renames in a migration, in their order.

    Raises:
        Unreadable: something is begun that nothing ends.
    """
    found = [
        one
        for statement in statements(text)
        for part in parts(statement)
        if not part.opaque
        for one in _of(spoken(part.statement))
    ]
    pairs = [{one.old.name, one.new.name} for one in found if one.kind == "table"]
    return tuple(
        Rename(one.kind, one.old, one.new, _also(one.tables, pairs)) if one.tables else one
        for one in found
    )


def _also(tables: tuple[str, ...], pairs: list[set[str]]) -> tuple[str, ...]:
    known = set(tables)
    for pair in [*pairs, *reversed(pairs)]:
        if known & pair:
            known |= pair
    return tuple(sorted(known))


def _of(words: list[str]) -> Iterator[Rename]:
    reader = Reader(words)
    if not reader.take("ALTER"):
        return
    kind = kind_of(reader)
    reader.if_exists()
    reader.take("ONLY")
    name = reader.name()
    if kind == "TABLE":
        yield from _table(name, reader)
    elif kind in _KINDS:
        table = reader.name() if reader.take("ON") else None
        new = _new(name, reader)
        if new:
            yield Rename(_KINDS[kind], name, new, (table.name,) if table else ())


def _table(table: Name, reader: Reader) -> Iterator[Rename]:
    reader.take("*")
    new = _new(table, reader)
    if new:
        yield Rename("table", table, new)
    elif reader.take("RENAME"):
        kind = "constraint" if reader.take("CONSTRAINT") else "column"
        reader.take("COLUMN")
        old = folded(reader.next())
        if reader.take("TO"):
            new = Name(table.schema, folded(reader.next()))
            yield Rename(kind, Name(table.schema, old), new, (table.name,))


def _new(name: Name, reader: Reader) -> Name | None:
    """The name behind RENAME TO or SET SCHEMA."""
    if reader.take("RENAME", "TO"):
        return Name(name.schema, folded(reader.next()))
    if reader.take("SET", "SCHEMA"):
        schema = folded(reader.next())
        return Name("" if schema == "public" else schema, name.name)
    return None

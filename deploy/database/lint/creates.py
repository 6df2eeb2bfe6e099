"""CREATE: most of it is new and harms nobody; what it does to what was there. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.lint.changes import query
from deploy.database.lint.columns import column
from deploy.database.lint.constraints import unique_index
from deploy.database.lint.drops import KINDS, kind_of
from deploy.database.lint.rules import Hazard
from deploy.database.lint.words import Name, Reader, split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.database.lint.batch import Batch

_NO_COLUMN = {"CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "EXCLUDE", "FOREIGN", "LIKE"}
_TEMPORARY = {"TEMP", "TEMPORARY"}
_BETWEEN = ("UNLOGGED", "RECURSIVE", "GLOBAL", "LOCAL", "TRUSTED", "CONSTRAINT", "PROCEDURAL")


def create(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    """What a CREATE does; `reader` stands behind that word."""
    replaces = reader.take("OR", "REPLACE")
    temporary = False
    while word := reader.one_of(*_TEMPORARY, *_BETWEEN):
        temporary = temporary or word in _TEMPORARY
    if reader.peek() == "UNIQUE" or reader.peek() == "INDEX":
        yield from _index(reader, batch)
        return
    kind = kind_of(reader)
    if kind in {"TABLE", "FOREIGN TABLE"}:
        yield from _table(reader, batch, temporary=temporary)
    elif kind == "TRIGGER":
        yield from _trigger(reader, batch)
    elif kind == "RULE":
        while reader.peek() and not reader.take("TO"):
            reader.next()
        yield from _on_table("add-trigger", reader, batch)
    elif kind == "POLICY":
        name = reader.name()
        reader.take("ON")
        yield from _on_table("row-security", reader, batch, ("policy", name))
    elif kind in KINDS:
        yield from _other(KINDS[kind], reader, batch, replaces=replaces, sure=not temporary)
    elif replaces:
        yield Hazard("replace-function", str(reader.name()))


def _other(
    kind: str, reader: Reader, batch: Batch, *, replaces: bool, sure: bool
) -> Iterator[Hazard]:
    sure = not reader.if_exists() and sure
    name = reader.name()
    if replaces:
        rule = "replace-view" if kind == "view" else "replace-function"
        yield Hazard(rule, str(name), "it is new" if batch.made(kind, name) else "")
        # It may have been there: dropping it afterwards is not known to be harmless.
    elif sure:
        batch.make(kind, name)


def _table(reader: Reader, batch: Batch, *, temporary: bool) -> Iterator[Hazard]:
    maybe = reader.if_exists()
    table = reader.name()
    columns = [
        column(words)
        for words in split(reader.group())
        if len(words) > 1 and words[0] not in _NO_COLUMN
    ]
    batch.add_table(table, columns, if_not_exists=maybe)
    if temporary:
        batch.temporary.add(table)
    while reader.peek() and not reader.take("AS"):
        reader.next()
    if reader.peek() == "EXECUTE":
        yield Hazard("opaque", "execute")
    elif reader.peek():
        yield from query(reader.rest, batch)


def _index(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    unique = reader.take("UNIQUE")
    reader.take("INDEX")
    quietly = reader.take("CONCURRENTLY")
    reader.if_exists()
    name = reader.name() if reader.peek() != "ON" else Name("", "")
    reader.take("ON")
    reader.take("ONLY")
    table = reader.name()
    if reader.take("USING"):
        reader.next()
    words = reader.group()
    new = "the table is new" if batch.is_new(table) else ""
    if name.name:
        batch.indexes[Name(table.schema, name.name)] = table
    yield Hazard("index-blocks-writes", str(table), new or ("CONCURRENTLY" if quietly else ""))
    if unique:
        yield from unique_index(table, words, reader.rest, batch)


def _trigger(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    name = reader.name()
    while reader.peek() and not reader.take("ON"):
        reader.next()
    yield from _on_table("add-trigger", reader, batch, ("trigger", name))


def _on_table(
    rule: str, reader: Reader, batch: Batch, made: tuple[str, Name] | None = None
) -> Iterator[Hazard]:
    table = reader.name()
    new = "the table is new" if batch.is_new(table) else ""
    if made:
        batch.make(made[0], Name(str(table), made[1].name))
    yield Hazard(rule, str(table), new)

"""DROP: what goes, unless this batch has made it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.lint.rules import Hazard
from deploy.database.lint.words import Name, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.database.lint.batch import Batch

_RULES = {
    "VIEW": "drop-view",
    "MATERIALIZED VIEW": "drop-view",
    "TYPE": "drop-type",
    "DOMAIN": "drop-type",
    "SCHEMA": "drop-schema",
    "DATABASE": "drop-schema",
    "SEQUENCE": "drop-sequence",
    "FUNCTION": "drop-function",
    "PROCEDURE": "drop-function",
    "ROUTINE": "drop-function",
    "AGGREGATE": "drop-function",
    "OPERATOR": "drop-function",
    "CAST": "drop-function",
    "EXTENSION": "drop-function",
    "ROLE": "revoke",
    "USER": "revoke",
    "GROUP": "revoke",
}
# Planner's statistics, and what acts on DDL alone: no query of anybody's is other without them.
_HARMLESS = {"STATISTICS", "EVENT TRIGGER"}
_ON_A_TABLE = {"TRIGGER": "add-trigger", "RULE": "add-trigger", "POLICY": "row-security"}
# A new one of the same name comes in the same batch: it is not gone, it is another.
_REPLACED = {
    "drop-view": "replace-view",
    "drop-function": "replace-function",
    "drop-type": "remove-enum-value",
}
KINDS = {
    "VIEW": "view",
    "MATERIALIZED VIEW": "view",
    "TYPE": "type",
    "DOMAIN": "type",
    "SCHEMA": "schema",
    "SEQUENCE": "sequence",
    "FUNCTION": "function",
    "PROCEDURE": "function",
    "ROUTINE": "function",
    "AGGREGATE": "function",
    "EXTENSION": "extension",
}
"""The words after CREATE and DROP → the kind under which a batch remembers it."""

_TWO_WORDS = {
    *("MATERIALIZED VIEW", "EVENT TRIGGER", "FOREIGN TABLE", "USER MAPPING", "TEXT SEARCH"),
    *("ACCESS METHOD", "FOREIGN DATA", "OPERATOR CLASS", "OPERATOR FAMILY"),
}


def kind_of(reader: Reader) -> str:
    """Take the words that say what is created, altered or dropped."""
    first = reader.next()
    both = f"{first} {reader.peek()}"
    if both in _TWO_WORDS:
        reader.next()
        return both
    return first


def drop(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    """What a DROP does; `reader` stands behind that word."""
    kind = kind_of(reader)
    if kind in {"TABLE", "FOREIGN TABLE"}:
        yield from _tables(reader, batch)
    elif kind == "INDEX":
        yield from _indexes(reader, batch)
    elif kind in _ON_A_TABLE:
        reader.if_exists()
        name = reader.name()
        reader.take("ON")
        table = reader.name()
        made = batch.made(kind.lower(), Name(str(table), name.name))
        new = "the table is new" if batch.is_new(table) else ("it is new" if made else "")
        yield Hazard(_ON_A_TABLE[kind], str(table), new)
        if kind == "RULE":
            yield Hazard("row-security", str(table), "squawk has one name for both")
    elif kind in _RULES:
        yield from _others(kind, reader, batch)
    elif kind not in _HARMLESS:
        # OWNED and all that is rare: the words do not say what hangs on it.
        yield Hazard("opaque", " ".join(reader.rest[:1]).lower())


def _tables(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    reader.if_exists()
    for table in reader.names():
        new = "the table is new" if batch.is_new(table, surely=True) else ""
        batch.drop_table(table)
        yield Hazard("drop-table", str(table), new)


def _indexes(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    quietly = reader.take("CONCURRENTLY")
    reader.if_exists()
    for index in reader.names():
        table = batch.indexes.get(index)
        new = "the table is new" if table is not None and batch.is_new(table) else ""
        yield Hazard(
            "index-blocks-writes",
            str(table or index),
            new or ("CONCURRENTLY" if quietly else ""),
        )


def _others(kind: str, reader: Reader, batch: Batch) -> Iterator[Hazard]:
    reader.if_exists()
    rule = _RULES[kind]
    known = KINDS.get(kind, "")
    if kind in {"CAST", "OPERATOR"}:
        yield Hazard(rule)
        return
    for name in reader.names():
        made = batch.made(known, name)
        batch.others.discard((known, name))
        again = not made and rule in _REPLACED and (known, name) in batch.coming
        if again:
            yield Hazard(rule, str(name), "one of the same name comes")
        yield Hazard(_REPLACED[rule] if again else rule, str(name), "it is new" if made else "")

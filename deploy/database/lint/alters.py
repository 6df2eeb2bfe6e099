"""ALTER of all that is no table. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.lint.alter_table import alter_table
from deploy.database.lint.drops import KINDS, kind_of
from deploy.database.lint.rules import Hazard
from deploy.database.lint.words import Name, Reader, split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.database.lint.batch import Batch

_ROLES = {"ROLE", "USER", "GROUP"}
_ROUTINES = {"FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE"}
_VIEWS = {"VIEW", "MATERIALIZED VIEW"}
# Of no consequence to a query: statistics, replication, and what acts on DDL alone.
_HARMLESS = {"STATISTICS", "PUBLICATION", "SUBSCRIPTION", "EVENT TRIGGER", "TRIGGER", "RULE"}


def alter(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    """What an ALTER does; `reader` stands behind that word."""
    kind = kind_of(reader)
    if kind in {"TABLE", "FOREIGN TABLE"}:
        yield from alter_table(reader, batch)
    elif kind == "INDEX":
        yield from _index(reader, batch)
    elif kind == "POLICY":
        reader.if_exists()
        reader.name()
        reader.take("ON")
        table = reader.name()
        yield Hazard("row-security", str(table), "the table is new" if batch.is_new(table) else "")
    elif kind == "DEFAULT":
        yield Hazard("revoke", "", "" if "REVOKE" in reader.rest else "it grants")
    elif kind in _ROLES:
        yield Hazard("revoke", str(reader.name()))
    elif kind in KINDS:
        yield from _named(kind, reader, batch)
    elif kind not in _HARMLESS:
        yield Hazard("opaque", kind.lower())


def _index(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    if reader.take("ALL", "IN", "TABLESPACE"):
        yield Hazard("lock-table")
        return
    reader.if_exists()
    index = reader.name()
    # squawk has one rule for all renames of objects; an index's name is in no query.
    yield Hazard("rename-type", str(index), "no query names an index")
    if reader.take("SET", "TABLESPACE"):
        yield Hazard("lock-table", str(batch.indexes.get(index, index)))


def _named(kind: str, reader: Reader, batch: Batch) -> Iterator[Hazard]:
    reader.if_exists()
    name = reader.name()
    reader.group()
    subject = str(name)
    new = "it is new" if batch.made(KINDS[kind], name) else ""
    if reader.take("SET", "SCHEMA"):
        yield Hazard("set-schema", subject, new)
    elif reader.take("OWNER", "TO"):
        yield Hazard("revoke", subject, new)
    elif reader.take("RENAME", "TO"):
        relation = kind in _VIEWS or kind == "SEQUENCE"
        yield Hazard("rename-table" if relation else "rename-type", subject, new)
        if relation:
            yield Hazard("rename-type", subject, "squawk has one name for both")
        if new:
            batch.others.discard((KINDS[kind], name))
            batch.others.add((KINDS[kind], Name(name.schema, reader.name().name)))
    elif kind == "TYPE":
        for words in split(reader.rest):
            yield from _type(subject, new, Reader(words))
    elif kind == "DOMAIN":
        yield from _domain(subject, new, reader)
    elif kind in _VIEWS:
        yield from _view(subject, new, reader)
    elif kind == "SEQUENCE":
        owned = "" if reader.peek() != "OWNED" else "whose it is changes no value"
        yield Hazard("set-default", subject, new or owned)
    elif kind in _ROUTINES:
        yield Hazard("replace-function", subject, new)
    else:
        yield Hazard("opaque", subject)


def _type(subject: str, new: str, reader: Reader) -> Iterator[Hazard]:
    if reader.take("RENAME", "VALUE"):
        yield Hazard("rename-enum-value", subject, new)
        yield Hazard("rename-type", subject, "it keeps its name")
    elif reader.take("ADD", "VALUE"):
        yield Hazard("add-enum-value", subject, new)
    elif reader.take("RENAME", "ATTRIBUTE"):
        yield Hazard("rename-column", f"{subject}.{reader.name()}", new)
    elif reader.take("DROP", "ATTRIBUTE"):
        reader.if_exists()
        yield Hazard("drop-column", f"{subject}.{reader.name()}", new)
    elif "ATTRIBUTE" in reader.rest[:2]:
        yield Hazard("change-type", subject, new)
    elif not reader.take("SET"):
        yield Hazard("opaque", subject)


def _domain(subject: str, new: str, reader: Reader) -> Iterator[Hazard]:
    if reader.take("ADD"):
        unchecked = "NOT VALID" in " ".join(reader.rest[-2:])
        yield Hazard("add-check", subject, new)
        yield Hazard("constraint-scan", subject, new or ("NOT VALID" if unchecked else ""))
    elif reader.take("DROP", "CONSTRAINT"):
        yield Hazard("drop-constraint", subject, new)
    elif reader.take("SET", "NOT", "NULL"):
        yield Hazard("set-not-null", subject, new)
        yield Hazard("set-not-null-scan", subject, new)
    elif reader.take("DROP", "NOT", "NULL"):
        yield Hazard("drop-not-null", subject, new)
    elif reader.take("SET", "DEFAULT"):
        yield Hazard("set-default", subject, new)
    elif reader.take("DROP", "DEFAULT"):
        yield Hazard("drop-default", subject, new)
    elif reader.take("RENAME", "CONSTRAINT"):
        yield Hazard("rename-type", subject, "no query names a constraint")
    elif not reader.take("VALIDATE"):
        yield Hazard("opaque", subject)


def _view(subject: str, new: str, reader: Reader) -> Iterator[Hazard]:
    if reader.take("RENAME"):
        reader.take("COLUMN")
        yield Hazard("rename-column", f"{subject}.{reader.name()}", new)
    elif reader.take("ALTER"):
        reader.take("COLUMN")
        column = reader.name()
        rule = "drop-default" if reader.peek() == "DROP" else "set-default"
        yield Hazard(rule, f"{subject}.{column}", new)
    elif any(word.startswith("SECURITY_") for word in reader.rest):
        yield Hazard("row-security", subject, new)
    else:
        yield Hazard("replace-view", subject, "how it is stored is seen by no query")

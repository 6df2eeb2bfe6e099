"""ALTER TABLE, clause by clause: what each does to the version that is running. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.lint.columns import Column, column, default_of, holds_all
from deploy.database.lint.constraints import constraint, inline
from deploy.database.lint.rules import Hazard
from deploy.database.lint.words import Name, Reader, folded, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploy.database.lint.batch import Batch

NEW_TABLE = "the table is new"
NEW_COLUMN = "the column is new"

_CONSTRAINT = {"CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "EXCLUDE", "FOREIGN"}
# Catalogue alone, or locks that let reads and writes go on.
_HARMLESS = (
    ("CLUSTER", "ON"),
    ("SET", "WITHOUT"),
    ("SET", "("),
    ("RESET", "("),
    ("REPLICA", "IDENTITY"),
    ("VALIDATE", "CONSTRAINT"),
)
_REWRITES = (
    ("SET", "TABLESPACE"),
    ("SET", "LOGGED"),
    ("SET", "UNLOGGED"),
    ("SET", "ACCESS", "METHOD"),
)


def alter_table(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    """What an ALTER TABLE does; `reader` stands behind those two words."""
    if reader.take("ALL", "IN", "TABLESPACE"):
        yield Hazard("lock-table")
        return
    reader.if_exists()
    reader.take("ONLY")
    table = reader.name()
    reader.take("*")
    for words in split(reader.rest):
        yield from _clause(table, Reader(words), batch)


def _clause(table: Name, reader: Reader, batch: Batch) -> Iterator[Hazard]:
    new = NEW_TABLE if batch.is_new(table) else ""
    if reader.peek() == "ADD" and _adds_constraint(reader):
        reader.take("ADD")
        yield from constraint(table, reader, batch)
    elif reader.take("ADD"):
        yield from _add_column(table, reader, batch)
    elif reader.take("DROP", "CONSTRAINT"):
        reader.if_exists()
        name = reader.name()
        batch.checks.pop((table, name.name), None)
        made = batch.made("constraint", Name(str(table), name.name))
        yield Hazard("drop-constraint", f"{table}.{name}", new or ("it is new" if made else ""))
    elif reader.take("DROP"):
        reader.take("COLUMN")
        reader.if_exists()
        yield _drop_column(table, folded(reader.next()), batch)
    elif reader.take("ALTER", "CONSTRAINT"):
        yield Hazard("add-foreign-key", f"{table}.{reader.name()}", new)
    elif reader.take("ALTER"):
        reader.take("COLUMN")
        yield from _alter_column(table, folded(reader.next()), reader, batch)
    elif reader.take("RENAME"):
        yield _rename(table, reader, batch)
    else:
        yield from _of_the_whole(table, reader, batch)


def _adds_constraint(reader: Reader) -> bool:
    """Whether ADD is followed by a constraint; `ADD unique text` would add a column, if quoted."""
    if reader.peek(1) == "NOT" and reader.peek(2) == "NULL":
        return True
    return reader.peek(1) in _CONSTRAINT


def _add_column(table: Name, reader: Reader, batch: Batch) -> Iterator[Hazard]:
    reader.take("COLUMN")
    maybe = reader.if_exists()
    one = column(reader.rest)
    subject = f"{table}.{one.name}"
    new = NEW_TABLE if batch.is_new(table) else ""
    if maybe:
        one = Column(**{**vars(one), "sure": False})
    batch.add_column(table, one)
    required = one.not_null and not one.default
    yield Hazard("add-required-column", subject, new or ("" if required else "it has a value"))
    yield Hazard("rewrite", str(table), new or ("" if one.rewrites else "no row is written"))
    yield from inline(table, one, batch)


def _drop_column(table: Name, name: str, batch: Batch) -> Hazard:
    known = batch.new_column(table, name)
    harmless = NEW_TABLE if batch.is_new(table, surely=True) else ""
    if known is not None and known.sure and not batch.is_new(table):
        harmless = NEW_COLUMN
    batch.columns.pop((table, name), None)
    batch.old.pop((table, name), None)
    return Hazard("drop-column", f"{table}.{name}", harmless)


def _alter_column(table: Name, name: str, reader: Reader, batch: Batch) -> Iterator[Hazard]:
    subject = f"{table}.{name}"
    whole = NEW_TABLE if batch.is_new(table) else ""
    known = batch.new_column(table, name)
    new = whole or (NEW_COLUMN if known is not None else "")
    if reader.take("SET", "DATA", "TYPE") or reader.take("TYPE"):
        yield from _change_type(table, name, reader.rest, batch)
    elif reader.take("SET", "DEFAULT"):
        yield Hazard("set-default", subject, new)
        batch.change(table, name, default=default_of(reader.rest))
    elif reader.take("DROP", "DEFAULT") or reader.take("DROP", "IDENTITY"):
        yield Hazard("identity-always", subject, "it is one no longer")
        required = known is not None and known.not_null
        yield Hazard("drop-default", subject, whole or ("" if required else new))
        batch.change(table, name, default="")
    elif reader.take("DROP", "EXPRESSION"):
        yield Hazard("drop-default", subject, new)
    elif reader.take("SET", "NOT", "NULL"):
        # A new column that the running version leaves out gets its default, or a null.
        filled = NEW_COLUMN if known is not None and known.default else ""
        yield Hazard("set-not-null", subject, whole or filled)
        checked = "a valid CHECK says so already" if batch.never_null(table, name) else ""
        yield Hazard("set-not-null-scan", str(table), whole or checked)
        batch.change(table, name, not_null=True)
    elif reader.take("DROP", "NOT", "NULL"):
        yield Hazard("drop-not-null", subject, new)
        batch.change(table, name, not_null=False)
    elif reader.take("ADD", "GENERATED", "ALWAYS") or reader.take("SET", "GENERATED", "ALWAYS"):
        yield Hazard("identity-always", subject, new)
        batch.change(table, name, default="varies", not_null=True)
    elif reader.take("ADD", "GENERATED") or reader.take("SET", "GENERATED"):
        yield Hazard("identity-always", subject, "values of the running version are taken")
        batch.change(table, name, default="varies", not_null=True)
    elif reader.take("SET", "EXPRESSION"):
        yield Hazard("set-default", subject, new)
        yield Hazard("rewrite", str(table), whole)
    elif reader.take("RESTART") or reader.peek(1) in {"INCREMENT", "MINVALUE", "START", "CACHE"}:
        yield Hazard("set-default", subject, new)
        yield Hazard("identity-always", subject, "whether it is one stays as it was")
    elif reader.peek() not in {"SET", "RESET"}:
        yield Hazard("opaque", subject)


def _change_type(table: Name, name: str, words: Sequence[str], batch: Batch) -> Iterator[Hazard]:
    type_ = _upto(words, "COLLATE", "USING")
    plain = len(type_) == len(words)
    new = batch.new_column(table, name)
    old = new or batch.old.get((table, name))
    harmless = NEW_TABLE if batch.is_new(table) else ""
    same = plain and old is not None and holds_all(old.type, type_)
    widened = "it holds all that it held" if same else ""
    yield Hazard(
        "change-type", f"{table}.{name}", harmless or (NEW_COLUMN if new else "") or widened
    )
    yield Hazard("rewrite", str(table), harmless or widened)
    batch.change(table, name, type=tuple(type_))


def _upto(words: Sequence[str], *ends: str) -> list[str]:
    found: list[str] = []
    for word in words:
        if word in ends:
            break
        found.append(word)
    return found


def _rename(table: Name, reader: Reader, batch: Batch) -> Hazard:
    if reader.take("TO"):
        to = Name(table.schema, folded(reader.next()))
        harmless = NEW_TABLE if batch.is_new(table, surely=True) else ""
        batch.rename_table(table, to)
        return Hazard("rename-table", str(table), harmless)
    if reader.take("CONSTRAINT"):
        # squawk has one rule for all renames of objects; a constraint's name is in no query.
        return Hazard("rename-type", f"{table}.{reader.name()}", "no query names a constraint")
    reader.take("COLUMN")
    name = folded(reader.next())
    reader.take("TO")
    known = batch.new_column(table, name)
    sure = known is not None and known.sure and not batch.is_new(table)
    new = NEW_TABLE if batch.is_new(table, surely=True) else (NEW_COLUMN if sure else "")
    batch.rename_column(table, name, folded(reader.next()))
    return Hazard("rename-column", f"{table}.{name}", new)


def _of_the_whole(table: Name, reader: Reader, batch: Batch) -> Iterator[Hazard]:
    new = NEW_TABLE if batch.is_new(table) else ""
    words = reader.rest
    joined = " ".join(words)
    if reader.take("SET", "SCHEMA"):
        schema = folded(reader.next())
        surely = NEW_TABLE if batch.is_new(table, surely=True) else ""
        batch.rename_table(table, Name("" if schema == "public" else schema, table.name))
        yield Hazard("set-schema", str(table), surely)
    elif joined.endswith("ROW LEVEL SECURITY"):
        yield Hazard("row-security", str(table), new)
        yield Hazard("add-trigger", str(table), "squawk has one name for both")
    elif reader.one_of("ENABLE", "DISABLE"):
        yield Hazard("add-trigger", str(table), new)
    elif reader.take("OWNER", "TO"):
        yield Hazard("revoke", str(table), new)
    elif any(reader.take(*start) for start in _REWRITES):
        yield Hazard("rewrite", str(table), new)
    elif reader.take("ATTACH", "PARTITION"):
        part = reader.name()
        fresh = NEW_TABLE if batch.is_new(part) else ""
        yield Hazard("add-check", str(part), fresh)
        yield Hazard("constraint-scan", str(part), fresh)
    elif reader.take("DETACH", "PARTITION") or reader.take("NO", "INHERIT"):
        yield Hazard("delete", str(table), new)
        quick = "CONCURRENTLY" in words or words[0] == "NO"
        yield Hazard("lock-table", str(table), new or ("CONCURRENTLY" if quick else ""))
    elif reader.take("INHERIT"):
        yield Hazard("insert", str(table), new)
    elif reader.take("VALIDATE", "CONSTRAINT"):
        check = batch.checks.get((table, reader.name().name))
        if check is not None:
            check.valid = True
    elif not any(reader.take(*start) for start in _HARMLESS):
        yield Hazard("opaque", str(table))

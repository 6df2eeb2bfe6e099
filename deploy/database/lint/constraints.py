"""Constraints that a table gets: what they refuse to the running version, what they scan. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.lint.batch import Batch, Check
from deploy.database.lint.columns import Column, columns_in
from deploy.database.lint.rules import Hazard
from deploy.database.lint.words import Name, Reader, folded, outer, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
from itertools import pairwise

NEW_TABLE = "the table is new"
NEW_COLUMNS = "every column in it is new"
_NOT_VALID = "NOT VALID"


def constraint(table: Name, reader: Reader, batch: Batch) -> Iterator[Hazard]:
    """What a table's new constraint does; `reader` stands behind ADD."""
    name = ""
    if reader.take("CONSTRAINT"):
        name = reader.name().name
        batch.make("constraint", Name(str(table), name))
    whole = NEW_TABLE if batch.is_new(table) else ""
    words = reader.rest
    scans = whole or (_NOT_VALID if _ends_not_valid(words) else "")
    if reader.take("CHECK"):
        yield from _check(table, name, reader, batch, scans)
    elif reader.take("FOREIGN", "KEY"):
        columns = [folded(word) for word in reader.group() if word != ","]
        new = NEW_COLUMNS if batch.all_new(table, columns) else ""
        yield Hazard("add-foreign-key", _subject(table, columns), whole or new)
        yield Hazard("constraint-scan", str(table), scans)
    elif reader.take("EXCLUDE"):
        yield Hazard("add-exclusion", str(table), whole)
        yield Hazard("constraint-scan", str(table), "its index is what takes long")
        yield Hazard("unique-builds-index", str(table), whole)
    elif reader.take("NOT", "NULL"):
        column = folded(reader.next())
        yield Hazard("set-not-null", f"{table}.{column}", whole or _filled(table, column, batch))
        known = "a valid CHECK says so already" if batch.never_null(table, column) else ""
        yield Hazard("set-not-null-scan", str(table), scans or known)
        yield Hazard("constraint-scan", str(table), "it is the scan for nulls")
        batch.change(table, column, not_null=True)
    else:
        yield from _unique(table, reader, batch)


def inline(table: Name, column: Column, batch: Batch) -> Iterator[Hazard]:
    """What the constraints in a new column's own definition do."""
    whole = NEW_TABLE if batch.is_new(table) else ""
    subject = f"{table}.{column.name}"
    if column.unique:
        yield Hazard("add-unique", subject, whole or _distinct(table, [column.name], batch))
        yield Hazard("unique-builds-index", str(table), whole)
    for check in column.checks:
        yield Hazard("add-check", subject, whole or _passes(table, check, batch))
        yield Hazard("constraint-scan", str(table), whole)
    if column.references is not None:
        # PostgreSQL skips the check of a foreign key that comes with a column full of nulls
        # (transformFKConstraints in parse_utilcmd.c).
        yield Hazard("add-foreign-key", subject, whole or NEW_COLUMNS)
        nulls = "the column holds nulls alone" if not column.default else ""
        yield Hazard("constraint-scan", str(table), whole or (nulls if not column.checks else ""))


def unique_index(
    table: Name, words: Sequence[str], rest: Sequence[str], batch: Batch
) -> Iterator[Hazard]:
    """What a unique index refuses; `words` are those in its brackets, `rest` those behind."""
    whole = NEW_TABLE if batch.is_new(table) else ""
    named = columns_in(_keys(words))
    new = ""
    if named and batch.all_new(table, named) and "NOT DISTINCT" not in " ".join(rest):
        new = _distinct(table, sorted(named), batch)
    yield Hazard("add-unique", _subject(table, sorted(named or ())), whole or new)


def _keys(words: Sequence[str]) -> list[str]:
    """An index's expressions without classes of operators: only what stands first is a column."""
    found: list[str] = []
    for part in split(words):
        if "(" in part:
            found += part
        else:
            found += part[:1]
        found.append(",")
    return found


def _check(table: Name, name: str, reader: Reader, batch: Batch, scans: str) -> Iterator[Hazard]:
    words = reader.group()
    whole = NEW_TABLE if batch.is_new(table) else ""
    named = columns_in(words) or set()
    yield Hazard("add-check", _subject(table, sorted(named)), whole or _passes(table, words, batch))
    yield Hazard("constraint-scan", str(table), scans)
    if name and len(named) == 1 and " ".join(words[-3:]) == "IS NOT NULL" and "OR" not in words:
        batch.checks[table, name] = Check(next(iter(named)), valid=scans != _NOT_VALID)


def _passes(table: Name, words: Sequence[str], batch: Batch) -> str:
    """Why the running version's rows pass a CHECK: its columns are new, and get a value."""
    named = columns_in(words)
    if not named or not batch.all_new(table, named):
        return ""
    text = " ".join(words)
    wants_value = "IS NOT NULL" in text or "NUM_NULLS" in text or "COALESCE" in text
    filled = all(_filled(table, one, batch) for one in named)
    return NEW_COLUMNS if filled or not wants_value else ""


def _filled(table: Name, column: str, batch: Batch) -> str:
    known = batch.new_column(table, column)
    return "the column is new and has a value" if known is not None and known.default else ""


def _distinct(table: Name, columns: Sequence[str], batch: Batch) -> str:
    """Why rows of the running version differ: they leave out what is new, and nulls are distinct.

    A constant default would give all of them the same.
    """
    if not batch.all_new(table, columns):
        return ""
    known = [batch.new_column(table, one) for one in columns]
    return (
        NEW_COLUMNS if any(one is not None and one.default != "constant" for one in known) else ""
    )


def _unique(table: Name, reader: Reader, batch: Batch) -> Iterator[Hazard]:
    whole = NEW_TABLE if batch.is_new(table) else ""
    primary = reader.take("PRIMARY", "KEY")
    if not primary and not reader.take("UNIQUE"):
        yield Hazard("opaque", str(table))
        return
    yield Hazard("constraint-scan", str(table), "its index is what takes long")
    alike = reader.take("NULLS", "NOT", "DISTINCT")
    reader.take("NULLS", "DISTINCT")
    if reader.take("USING", "INDEX"):
        # Who made the index has refused duplicates since; a primary key also refuses nulls.
        yield Hazard("add-unique", str(table), "its index is there already")
        yield Hazard("unique-builds-index", str(table), "its index is there already")
        if primary:
            yield Hazard("set-not-null", str(table), whole)
            yield Hazard("set-not-null-scan", str(table), whole)
        return
    columns = [folded(word) for word in reader.group() if word != ","]
    new = "" if alike or primary else _distinct(table, columns, batch)
    if primary and columns:
        given = (batch.new_column(table, one) for one in columns)
        made = any(one is not None and one.default == "varies" for one in given)
        new = NEW_COLUMNS if made and batch.all_new(table, columns) else ""
    yield Hazard("add-unique", _subject(table, columns), whole or new)
    yield Hazard("unique-builds-index", str(table), whole)


def _ends_not_valid(words: Sequence[str]) -> bool:
    plain = outer(words)
    return ("NOT", "VALID") in pairwise(plain)


def _subject(table: Name, columns: Sequence[str]) -> str:
    return f"{table}.{columns[0]}" if len(columns) == 1 else str(table)

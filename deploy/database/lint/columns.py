"""Definitions of columns, their types, and which type holds all that another held. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.lint.calls import calls, varies
from deploy.database.lint.words import Name, Reader, folded, is_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SERIAL = {"SERIAL", "SERIAL2", "SERIAL4", "SERIAL8", "BIGSERIAL", "SMALLSERIAL"}
_ENDS_A_TYPE = {
    *("CONSTRAINT", "NOT", "NULL", "CHECK", "DEFAULT", "GENERATED", "UNIQUE", "PRIMARY"),
    *("REFERENCES", "COLLATE", "STORAGE", "COMPRESSION", "DEFERRABLE", "INITIALLY", "USING"),
}
_NO_COLUMN = {
    *("AND", "OR", "NOT", "NULL", "IS", "IN", "TRUE", "FALSE", "ANY", "ALL", "SOME", "ARRAY"),
    *("LIKE", "ILIKE", "SIMILAR", "TO", "BETWEEN", "CASE", "WHEN", "THEN", "ELSE", "END", "CAST"),
    *("AS", "COLLATE", "DISTINCT", "FROM", "ASC", "DESC", "NULLS", "FIRST", "LAST"),
    *("CURRENT_DATE", "CURRENT_TIMESTAMP", "VARYING", "PRECISION"),
}
_SAME = {
    ("CHARACTER", "VARYING"): "VARCHAR",
    ("DECIMAL",): "NUMERIC",
    ("INT",): "INTEGER",
    ("INT4",): "INTEGER",
    ("INT8",): "BIGINT",
    ("BOOL",): "BOOLEAN",
    ("TIMESTAMP", "WITH", "TIME", "ZONE"): "TIMESTAMPTZ",
    ("TIMESTAMP", "WITHOUT", "TIME", "ZONE"): "TIMESTAMP",
}


@dataclass(frozen=True)
class Column:
    """A column as it is defined. `default` is how a row that leaves it out gets a value.

    `default` is "" (none: null), "constant" or "varies". `rewrites`: adding it to a table writes
    every row. `sure`: it was not there before, whatever the database holds.
    """

    name: str
    type: tuple[str, ...] = ()
    not_null: bool = False
    default: str = ""
    rewrites: bool = False
    unique: bool = False
    checks: tuple[tuple[str, ...], ...] = ()
    references: Name | None = None
    sure: bool = True


def column(words: Sequence[str]) -> Column:
    """Read a column's definition: its name, its type and what it must be."""
    reader = Reader(words)
    name = folded(reader.next())
    type_ = tuple(_until(reader, _ENDS_A_TYPE))
    serial = bool(type_) and folded(type_[-1]).upper() in _SERIAL
    not_null, unique, rewrites = serial, False, serial
    default = "varies" if serial else ""
    checks: list[tuple[str, ...]] = []
    references = None
    while reader.peek():
        if reader.take("NOT", "NULL"):
            not_null = True
        elif reader.take("PRIMARY", "KEY"):
            not_null = unique = True
        elif reader.take("UNIQUE"):
            unique = True
        elif reader.take("CHECK"):
            checks.append(tuple(reader.group()))
        elif reader.take("REFERENCES"):
            references = reader.name()
        elif reader.take("DEFAULT"):
            value = [reader.next(), *_until(reader, _ENDS_A_TYPE)]
            default = default_of(value)
            rewrites = rewrites or default == "varies"
        elif reader.take("GENERATED"):
            reader.one_of("ALWAYS", "BY")
            reader.take("DEFAULT")
            identity = reader.take("AS", "IDENTITY")
            not_null = not_null or identity
            stored = not identity and "VIRTUAL" not in reader.rest
            default = "varies"
            rewrites = rewrites or identity or stored
        elif reader.peek() == "(":
            reader.group()
        else:
            reader.next()
    return Column(
        name, type_, not_null, default, rewrites, unique, tuple(checks), references=references
    )


def default_of(value: Sequence[str]) -> str:
    """What an expression after DEFAULT makes of a column's `default`."""
    if not value or value[0] == "NULL":
        return ""
    return "varies" if varies(value) else "constant"


def _until(reader: Reader, ends: set[str]) -> Iterator[str]:
    while reader.peek() and reader.peek() not in ends:
        if reader.peek() == "(":
            yield from ["(", *reader.group(), ")"]
        else:
            yield reader.next()


def holds_all(old: Sequence[str], new: Sequence[str]) -> bool:
    """Tell whether a type holds all that another held, and is read and written the same.

    Only what PostgreSQL does without writing the table anew counts: the same type, a longer
    varchar, text for varchar, and a numeric of more digits with the same scale.
    """
    (was, was_sized), (now, now_sized) = _type(old), _type(new)
    if not was or not now:
        return False
    if (was, was_sized) == (now, now_sized):
        return True
    if was == ("VARCHAR",) and now == ("TEXT",):
        return not now_sized
    if now == ("VARCHAR",) and was in {("VARCHAR",), ("TEXT",)}:
        return not now_sized or (bool(was_sized) and was_sized <= now_sized)
    digits, scale = (*was_sized, 0, 0)[:2]
    more, same = (*now_sized, 0, 0)[:2]
    return was == now == ("NUMERIC",) and 0 < digits <= more and scale == same


def _type(words: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """A type's name and its sizes; the name is () where it is not understood."""
    reader = Reader(words)
    if reader.peek() == "PG_CATALOG" and reader.peek(1) == ".":
        reader.take("PG_CATALOG", ".")
    name: list[str] = []
    sizes: list[str] = []
    while reader.peek():
        if reader.peek() == "(":
            if sizes:
                return (), ()
            sizes = [word for word in reader.group() if word != ","]
        else:
            name.append(reader.next())
    if not all(size.isdigit() for size in sizes):
        return (), ()
    known = _SAME.get(tuple(name))
    return ((known,) if known else tuple(name)), tuple(int(size) for size in sizes)


def columns_in(words: Sequence[str]) -> set[str] | None:
    """Return the columns that an expression names; None where that can't be told for sure."""
    found: set[str] = set()
    at = 0
    called = set(calls(words))
    while at < len(words):
        word = words[at]
        if word == "SELECT":
            return None
        if word == "::":
            # A type's name: at most a schema and one word are passed over. What more there is of a
            # type counts as a column that nobody knows, which errs on the side of a finding.
            at += 3 if at + 2 < len(words) and words[at + 2] == "." else 1
        elif is_name(word) and word not in _NO_COLUMN:
            following = words[at + 1] if at + 1 < len(words) else ""
            called_here = following == "(" and folded(word) in called
            # `date ''` is a literal of a type, `users.name` begins with a table.
            if following not in {".", "''"} and not called_here:
                found.add(folded(word))
        at += 1
    return found

"""What drizzle-kit's generator gets wrong when it goes backwards, and how it is put right. Pure.

Each correction takes the statements of a way back, and returns them as they should be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.database.downs.spoken import spoken
from deploy.database.lint.words import Name, Reader, folded, split
from deploy.database.migrations.recorded import identifier
from deploy.database.migrations.sql import Unreadable, statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Types = dict[tuple[Name, str], list[str]]
"""(table, column) → the words of the type that a migration gave it."""

_UNNAMED_KEY = re.compile(
    r"^/\*.*?primary key.*?\*/\s*-- (?P<head>ALTER TABLE (?P<table>.+?) DROP CONSTRAINT )"
    r'"<constraint_name>";',
    re.DOTALL,
)
_NAME_BYTES = 63
"""NAMEDATALEN - 1: what PostgreSQL keeps of a name."""
_DROPPED_CONSTRAINT = re.compile(r'(\bDROP CONSTRAINT )(?!IF EXISTS\b)(?=")', re.IGNORECASE)
_DROPPED = re.compile(
    r"^(DROP (?:TABLE|TYPE|SCHEMA|SEQUENCE|(?:MATERIALIZED )?VIEW|INDEX(?: CONCURRENTLY)?|ROLE"
    r"|POLICY)|ALTER TABLE .*? DROP (?:COLUMN|CONSTRAINT)) (?!IF EXISTS\b)",
    re.IGNORECASE,
)
_TYPE = re.compile(
    r'^(?P<head>ALTER TABLE .+? ALTER COLUMN (?P<column>"(?:[^"]|"")+") SET DATA TYPE '
    r"(?P<type>.+?))(?: USING .+?)?;?\s*$",
    re.DOTALL,
)
_NUMBERS = {
    *("SMALLINT", "INT2", "INTEGER", "INT", "INT4", "BIGINT", "INT8"),
    *("NUMERIC", "DECIMAL", "REAL", "FLOAT4", "DOUBLE", "FLOAT8"),
}
_TIMES = {"DATE", "TIMESTAMP"}
_TEXTS = {"TEXT", "VARCHAR", "CHARACTER", "CHAR", "BPCHAR"}


def primary_keys(down: Sequence[str]) -> list[str]:
    """Drop a primary key by the name that PostgreSQL gives it.

    drizzle-kit 0.x writes a comment instead, since a snapshot has no name for it.
    """
    return [_named_key(one) for one in down]


def _named_key(text: str) -> str:
    match = _UNNAMED_KEY.match(text)
    if not match:
        return text
    table = Reader(_words(match["table"])).name().name.encode()
    kept = table[: _NAME_BYTES - len("_pkey")].decode("utf-8", "ignore")
    return f"{match['head']}{identifier(f'{kept}_pkey')};"


def constraints_first(down: Sequence[str]) -> list[str]:
    """Drop constraints before tables, and only if they are there.

    `DROP TABLE ... CASCADE` takes the foreign keys that point to the table, and the generator then
    drops them again.
    """
    found = [_DROPPED_CONSTRAINT.sub(r"\1IF EXISTS ", one) for one in down]
    first = next((at for at, one in enumerate(found) if one.startswith("DROP TABLE")), None)
    if first is None:
        return found
    # Behind a rename a statement may name what has only then that name.
    renamed = (at for at, one in enumerate(found) if at > first and " RENAME " in one)
    end = next(renamed, len(found))
    moved = [one for one in found[first:end] if "DROP CONSTRAINT IF EXISTS" in one]
    stay = [one for one in found[first:end] if "DROP CONSTRAINT IF EXISTS" not in one]
    return [*found[:first], *moved, *stay, *found[end:]]


def no_row_security_off(down: Sequence[str]) -> list[str]:
    """Leave out what is done to the row security of a table that is dropped."""
    gone = {_table(one) for one in down if one.startswith("DROP TABLE")}
    return [
        one
        for one in down
        if not (one.rstrip("; \n").endswith("DISABLE ROW LEVEL SECURITY") and _table(one) in gone)
    ]


def casts(down: Sequence[str], given: Mapping[tuple[Name, str], Sequence[str]]) -> list[str]:
    """Say how a value becomes one of the old type, by its text, where PostgreSQL would not.

    Args:
        down: the statements.
        given: the types that the migration gave, as `types_given` returns them.
    """
    return [_cast(one, given) for one in down]


def _cast(text: str, given: Mapping[tuple[Name, str], Sequence[str]]) -> str:
    match = _TYPE.match(text)
    if not match:
        return text
    table = _table(text)
    old = given.get((table, folded(match["column"])), [])
    if not _needs_cast(old, _words(match["type"])):
        return text
    return f"{match['head']} USING {match['column']}::text::{match['type']};"


def _needs_cast(old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether a cast has to be written: PostgreSQL has none that an assignment would do.

    To text there is always one; between numbers, a text of "5.00" is no integer, and the number is.
    """
    if "[" in old or "[" in new:
        return True
    if new[:1] and new[0] in _TEXTS:
        return False
    return not any(old[:1] and old[0] in kin and new[0] in kin for kin in (_NUMBERS, _TIMES))


def types_given(text: str) -> Types:
    """Return the type that each column has been given by ALTER COLUMN, the last where several.

    Raises:
        Unreadable: something is begun that nothing ends.
    """
    found: Types = {}
    for statement in statements(text):
        reader = Reader(spoken(statement))
        if not reader.take("ALTER", "TABLE"):
            continue
        reader.if_exists()
        reader.take("ONLY")
        table = reader.name()
        for clause in map(Reader, split(reader.rest)):
            if not clause.take("ALTER"):
                continue
            clause.take("COLUMN")
            column = folded(clause.next())
            if clause.take("SET", "DATA", "TYPE") or clause.take("TYPE"):
                words = clause.rest
                end = words.index("USING") if "USING" in words else len(words)
                found[table, column] = words[:end]
    return found


def quiet_indexes(down: Sequence[str], made: set[str]) -> list[str]:
    """Drop `CONCURRENTLY` what was made so; `made` are the names of those indexes."""
    found = []
    for one in down:
        words = _words(one)
        reader = Reader(words)
        quiet = reader.take("DROP", "INDEX") and reader.name().name in made
        found.append(one.replace("DROP INDEX ", "DROP INDEX CONCURRENTLY ", 1) if quiet else one)
    return found


def indexes_made_quietly(text: str) -> set[str]:
    """The names of the indexes that a text makes with CONCURRENTLY.

    Raises:
        Unreadable: something is begun that nothing ends.
    """
    found = set()
    for statement in statements(text):
        reader = Reader(spoken(statement))
        if not reader.take("CREATE"):
            continue
        reader.take("UNIQUE")
        if reader.take("INDEX", "CONCURRENTLY"):
            reader.if_exists()
            found.add(reader.name().name)
    return found


def if_exists(down: Sequence[str]) -> list[str]:
    """Drop only what is there: a file outside of a transaction may have failed half-way."""
    return [_DROPPED.sub(r"\1 IF EXISTS ", one, count=1) for one in down]


def changed(
    down: Sequence[str], corrections: Sequence[tuple[str, Callable[[Sequence[str]], list[str]]]]
) -> tuple[list[str], tuple[str, ...]]:
    """Return the statements after all corrections, and the names of those that did something."""
    found, names = list(down), []
    for name, correct in corrections:
        after = correct(found)
        if after != found:
            names.append(name)
        found = after
    return found, tuple(names)


def _table(text: str) -> Name:
    """The table of DROP TABLE or ALTER TABLE."""
    reader = Reader(_words(text))
    reader.one_of("DROP", "ALTER")
    reader.take("TABLE")
    reader.if_exists()
    return reader.name()


def _words(text: str) -> list[str]:
    return list(_each(text))


def _each(text: str) -> Iterator[str]:
    try:
        for one in statements(text):
            yield from spoken(one)
    except Unreadable:
        return

"""What each statement of a migration does, named so that two texts can be compared. Pure.

Values are left out, a type, a default or a query: versions of drizzle-kit write them differently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.downs.spoken import spoken
from deploy.database.lint.blocks import parts
from deploy.database.lint.calls import calls, unknown_calls
from deploy.database.lint.drops import kind_of
from deploy.database.lint.words import Name, Reader, folded, outer, split
from deploy.database.migrations.sql import statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NOTHING = {
    *("ANALYZE", "ANALYSE", "BEGIN", "CHECKPOINT", "CLUSTER", "COMMENT", "COMMIT", "DO", "END"),
    *("LOCK", "REINDEX", "RESET", "SET", "SHOW", "START", "VACUUM"),
}
"""Of no consequence to a schema; a comment to nobody but its reader."""
_ROWS = {"SELECT", "VALUES", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE"}
_BETWEEN = ("UNLOGGED", "RECURSIVE", "UNIQUE", "CONSTRAINT")
_CONSTRAINT = {"PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE"}


@dataclass(frozen=True)
class Deed:
    """One thing that a statement does.

    `what` are its words, with names as PostgreSQL keeps them; `line` is the statement's, from 1.
    `table` is the one that it belongs to and goes with. `rows` is what it does to rows: "adds",
    "changes" (or deletes), "unknown", or "" for a statement that is about the schema.
    """

    what: tuple[str, ...]
    line: int
    table: Name | None = None
    rows: str = ""

    def __str__(self) -> str:
        return " ".join(self.what)

    @property
    def adds_column(self) -> bool:
        """Whether it is ALTER TABLE ... ADD COLUMN."""
        return self.what[2:4] == ("ADD", "COLUMN")

    @property
    def drops_constraint(self) -> bool:
        """DROP TABLE ... CASCADE does it as well, so that some versions leave it out."""
        return self.what[2:4] == ("DROP", "CONSTRAINT")


def deeds(text: str) -> list[Deed]:
    """Return what a text does, in its order; of a `DO` block what is known of it.

    Raises:
        Unreadable: something is begun that nothing ends.
    """
    found: list[Deed] = []
    for one in (part for statement in statements(text) for part in parts(statement)):
        line = one.statement.line
        if one.opaque:
            found.append(Deed((one.opaque,), line))
        else:
            found += _of(spoken(one.statement), line, inside=one.around is not None)
    return found


def made_tables(found: Sequence[Deed]) -> set[Name]:
    """The tables that are created, under every name that they have afterwards."""
    made: set[Name] = set()
    for one in found:
        if one.what[:2] == ("CREATE", "TABLE") and one.table:
            made.add(one.table)
        elif one.what[2:4] == ("RENAME", "TO") and one.table in made:
            made.add(Name(one.table.schema, one.what[4]))
    return made


def _of(words: list[str], line: int, *, inside: bool) -> Iterator[Deed]:
    reader = Reader(words)
    verb = reader.next()
    if verb in _NOTHING:
        return
    if verb in _ROWS:
        rows = _rows(words, inside=inside)
        if rows:
            yield Deed((verb, *reader.rest[:8]), line, _target(words), rows)
    elif verb in {"CREATE", "DROP"}:
        yield from _made_or_dropped(verb, reader, line)
    elif verb == "ALTER" and reader.take("TABLE"):
        reader.if_exists()
        reader.take("ONLY")
        table = reader.name()
        for clause in split(reader.rest):
            yield Deed(("TABLE", str(table), *_clause(clause)), line, table)
    elif verb == "ALTER" and reader.take("TYPE"):
        yield Deed(("TYPE", str(reader.name()), *_of_a_type(reader)), line)
    else:
        yield Deed((verb, *(_plain(reader.rest))), line)


def _of_a_type(reader: Reader) -> tuple[str, ...]:
    if not reader.take("ADD", "VALUE"):
        return tuple(reader.rest)
    reader.if_exists()
    return "ADD", "VALUE", reader.next()


def _made_or_dropped(verb: str, reader: Reader, line: int) -> Iterator[Deed]:
    reader.take("OR", "REPLACE")
    while reader.one_of(*_BETWEEN):
        continue
    kind = kind_of(reader)
    reader.take("CONCURRENTLY")
    reader.if_exists()
    names = reader.names() if verb == "DROP" else [reader.name()]
    for name in names:
        # An index is in its table's schema, which only DROP INDEX writes.
        shown = name.name if kind == "INDEX" else str(name)
        table = name if kind == "TABLE" else _on(reader)
        yield Deed((verb, kind, shown), line, table)


def _on(reader: Reader) -> Name | None:
    """The table behind ON, of an index, a policy or a trigger."""
    words = reader.rest
    if "ON" not in words:
        return None
    behind = Reader(words[words.index("ON") + 1 :])
    behind.take("ONLY")
    return behind.name()


def _rows(words: list[str], *, inside: bool) -> str:
    """What a statement does to rows, "" if it reads them; `inside` a block, INTO is a variable."""
    changing = {"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE"} & set(words)
    if unknown_calls(words) or "setval" in calls(words):
        return "unknown"
    if changing:
        return "adds" if "INSERT" in changing else "changes"
    return "unknown" if "INTO" in outer(words) and not inside else ""


def _target(words: Sequence[str]) -> Name | None:
    """The table that INSERT, UPDATE or DELETE writes."""
    reader = Reader(words[1:])
    while reader.one_of("INTO", "FROM", "ONLY", "TABLE"):
        continue
    name = reader.name()
    return name if words[0] in {"INSERT", "UPDATE", "DELETE"} and name.name else None


def _clause(words: list[str]) -> tuple[str, ...]:
    """One clause of ALTER TABLE: what it changes, without to what."""
    reader = Reader(words)
    verb = reader.next()
    if verb == "ADD" and reader.peek() in _CONSTRAINT:
        return tuple(words)
    if verb in {"ADD", "DROP", "VALIDATE"}:
        kind = "CONSTRAINT" if reader.take("CONSTRAINT") else "COLUMN"
        reader.take("COLUMN")
        reader.if_exists()
        return verb, kind, folded(reader.next())
    if verb == "ALTER":
        reader.take("COLUMN")
        name = folded(reader.next())
        if reader.take("SET", "DATA", "TYPE") or reader.take("TYPE"):
            return verb, name, "TYPE"
        return verb, name, *reader.rest[:2]
    return _renamed(reader) if verb == "RENAME" else tuple(words)


def _renamed(reader: Reader) -> tuple[str, ...]:
    if reader.take("TO"):
        return "RENAME", "TO", folded(reader.next())
    kind = "CONSTRAINT" if reader.take("CONSTRAINT") else "COLUMN"
    reader.take("COLUMN")
    old = folded(reader.next())
    reader.take("TO")
    return "RENAME", kind, old, folded(reader.next())


def _plain(words: Sequence[str]) -> Iterator[str]:
    """Without the schema `public`, which some versions write."""
    at = 0
    while at < len(words):
        if words[at].strip('"').lower() == "public" and words[at + 1 : at + 2] == ["."]:
            at += 2
            continue
        yield words[at]
        at += 1

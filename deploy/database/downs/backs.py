"""A down's own statements: it may take away what its migration has made, and nothing else. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.downs import guards, ups
from deploy.database.downs.effects import Class, Effects
from deploy.database.downs.spoken import sql
from deploy.database.downs.up_tables import CATALOGUE
from deploy.database.downs.widenings import widens
from deploy.database.lint.drops import kind_of
from deploy.database.lint.words import Name, Reader, folded, split

if TYPE_CHECKING:
    from collections.abc import Sequence

_OF_A_COLUMN = {
    *(("SET", "NOT"), ("DROP", "NOT"), ("SET", "DEFAULT"), ("ADD", "GENERATED")),
    *(("SET", "STORAGE"), ("SET", "STATISTICS"), ("SET", "COMPRESSION"), ("SET", "GENERATED")),
}
_KEPT = {"TYPE", "DOMAIN", "SCHEMA", "SEQUENCE", "EXTENSION"}


def back(words: Sequence[str], effects: Effects) -> None:
    """Hold one statement of a down against what its migration has done."""
    reader = Reader(words)
    verb = reader.next()
    if verb == "DROP":
        effects.counts = True
        _drop(reader, effects)
    elif verb == "ALTER" and reader.take("TABLE"):
        effects.counts = True
        _table(reader, effects)
    elif verb in {"DELETE", "INSERT", "UPDATE"}:
        effects.counts = True
        _rows(verb, reader, effects)
    elif verb == "CREATE" and reader.peek() in {"TABLE", "UNLOGGED"}:
        # What it makes again is empty; that rows are gone, the migration's own reading says.
        effects.counts = True
    else:
        ups.read(words, effects)


def _rows(verb: str, reader: Reader, effects: Effects) -> None:
    reader.one_of("FROM", "INTO", "ONLY")
    table = reader.name()
    if verb == "INSERT":
        return
    if verb == "DELETE" and table in effects.inserted:
        effects.against(Class.B, f"what was written to the rows of {table} since goes with them")
    else:
        effects.against(Class.C, f"{verb} changes rows of {table} that the migration did not make")


def _drop(reader: Reader, effects: Effects) -> None:
    kind = kind_of(reader)
    reader.take("CONCURRENTLY")
    reader.if_exists()
    if kind == "TABLE":
        for table in reader.names():
            if table not in effects.tables:
                effects.against(Class.C, f"the migration did not make {table}")
    elif kind in _KEPT:
        names = reader.names()
        for name in names:
            if (kind, name) not in effects.others:
                effects.against(Class.C, f"the migration did not make {name}")
        if reader.take("CASCADE"):
            effects.against(Class.C, f"CASCADE takes whatever uses {names[0] if names else 'it'}")
    elif kind == "OWNED":
        effects.against(Class.C, "DROP OWNED takes more than its words name")


def _table(reader: Reader, effects: Effects) -> None:
    reader.if_exists()
    reader.take("ONLY")
    table = reader.name()
    for words in split(reader.rest):
        clause = Reader(words)
        if clause.take("DROP") and clause.peek() != "CONSTRAINT":
            clause.take("COLUMN")
            clause.if_exists()
            name = folded(clause.next())
            if not effects.made(table, name):
                effects.against(Class.C, f"the migration did not make {table}.{name}")
            elif clause.take("CASCADE"):
                effects.against(Class.C, f"CASCADE takes whatever uses {table}.{name}")
        elif words[:1] == ["ALTER"]:
            clause = Reader(words[1:])
            clause.take("COLUMN")
            _column(table, folded(clause.next()), clause, effects)
        elif words[:1] == ["RENAME"]:
            _renamed(table, Reader(words[1:]), effects)
        elif (
            words[:1] != ["ADD"]
            and words[:2]
            not in (
                ["DROP", "CONSTRAINT"],
                ["SET", "SCHEMA"],
            )
            and not Reader(words).one_of(*CATALOGUE)
        ):
            effects.against(Class.C, f"nobody can tell what it does to {table}")


def _renamed(table: Name, reader: Reader, effects: Effects) -> None:
    """Guards are asked before the down, so they keep their names; what was made moves on."""
    asked = list(effects.guards)
    if reader.take("TO"):
        effects.rename_table(table, Name(table.schema, folded(reader.next())))
    elif not reader.take("CONSTRAINT"):
        reader.take("COLUMN")
        name = folded(reader.next())
        reader.take("TO")
        effects.rename_column(table, name, folded(reader.next()))
    effects.guards = asked


def _column(table: Name, name: str, reader: Reader, effects: Effects) -> None:
    if reader.take("DROP", "IDENTITY") or reader.take("DROP", "DEFAULT"):
        return
    if not (reader.take("SET", "DATA", "TYPE") or reader.take("TYPE")):
        if (reader.peek(), reader.peek(1)) not in _OF_A_COLUMN:
            effects.against(Class.C, f"nobody can tell what it does to {table}.{name}")
        return
    words = reader.rest
    plain = words[: words.index("USING")] if "USING" in words else words
    given = effects.retyped.pop((table, name), None)
    old = sql(plain)
    if given is None or old is None:
        effects.against(Class.C, f"the migration did not change the type of {table}.{name}")
    elif not widens(plain, given.split()):
        effects.against(Class.C, f"{given} may not hold all that {table}.{name} had as {old}")
    else:
        effects.guards.append(guards.fits(table, name, old))

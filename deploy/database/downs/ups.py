"""A migration's own statements, read for what going back behind them would lose. Pure.

What is not known here is of class C: nobody could tell what is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.downs import guards
from deploy.database.downs.effects import Class, Effects
from deploy.database.downs.up_tables import alter_table, created_table
from deploy.database.lint.calls import calls, unknown_calls
from deploy.database.lint.drops import kind_of
from deploy.database.lint.words import Reader, folded, outer

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOTHING = {
    *("ANALYZE", "ANALYSE", "BEGIN", "CHECKPOINT", "CLUSTER", "COMMENT", "COMMIT", "DO", "END"),
    *("GRANT", "LOCK", "REINDEX", "RESET", "REVOKE", "SET", "SHOW", "START", "VACUUM", "REFRESH"),
}
"""Of no consequence to data; what they do to the schema, the round trip shows."""
_PATHS = {"SEARCH_PATH", "SCHEMA", "ROLE", "AUTHORIZATION", "STANDARD_CONFORMING_STRINGS"}
_WITHOUT_DATA = {
    *("VIEW", "MATERIALIZED VIEW", "FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE", "TRIGGER"),
    *("POLICY", "RULE", "INDEX", "STATISTICS"),
}
_CREATED = _WITHOUT_DATA | {"TYPE", "DOMAIN", "SCHEMA", "EXTENSION", "SEQUENCE"}
_BETWEEN = ("UNLOGGED", "RECURSIVE", "TRUSTED", "CONSTRAINT", "UNIQUE")


def read(words: Sequence[str], effects: Effects) -> None:
    """Add what one statement does; `words` are from `spoken`."""
    reader = Reader(words)
    verb = reader.next()
    if "\\" in words:
        effects.against(Class.C, "it cannot be read")
    elif verb == "SET" and _PATHS & set(words[1:4]):
        effects.against(Class.C, "names mean something else behind it")
    elif verb in _NOTHING:
        effects.counts = effects.counts or verb in {"COMMENT", "GRANT", "REVOKE"}
    elif verb in {"SELECT", "VALUES", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE"}:
        _rows(verb, words, reader, effects)
    elif verb == "CREATE":
        _create(reader, effects)
    elif verb == "DROP":
        _drop(reader, effects)
    elif verb == "ALTER":
        _alter(reader, effects)
    else:
        effects.against(Class.C, f"nobody can tell what {verb} does")


def _rows(verb: str, words: Sequence[str], reader: Reader, effects: Effects) -> None:
    changing = {"INSERT", "UPDATE", "DELETE", "MERGE"} & set(words)
    if unknown_calls(words) or "setval" in calls(words):
        effects.against(Class.C, "it calls a function of which nothing is known")
    elif verb in {"SELECT", "VALUES"} and not changing and "INTO" not in outer(words):
        return
    elif verb == "INSERT" and "UPDATE" not in words:
        reader.take("INTO")
        effects.inserted.add(reader.name())
    elif verb == "UPDATE":
        _update(reader, effects)
    else:
        effects.against(Class.C, f"{verb}: the rows as they were are in a backup alone")


def _update(reader: Reader, effects: Effects) -> None:
    """A backfill of what the same file has made loses nothing that is older than the file."""
    reader.take("ONLY")
    table = reader.name()
    while reader.peek() and not reader.take("SET"):
        reader.next()
    column = folded(reader.peek())
    several = "," in outer(reader.rest)
    if effects.made(table) or (effects.made(table, column) and not several):
        effects.against(Class.B, f"what was written to {table} since cannot be told from this")
    else:
        effects.against(Class.C, "UPDATE: the rows as they were are in a backup alone")


def _create(reader: Reader, effects: Effects) -> None:
    effects.counts = True
    reader.take("OR", "REPLACE")
    if reader.peek() in {"TEMP", "TEMPORARY"}:
        effects.against(Class.C, "its names may hide others")
        return
    while reader.one_of(*_BETWEEN):
        continue
    kind = kind_of(reader)
    if kind == "TABLE":
        created_table(reader, effects)
    elif kind not in _CREATED:
        effects.against(Class.C, f"nobody can tell what a new {kind} is used for")
    elif kind in {"TYPE", "DOMAIN", "SCHEMA", "SEQUENCE", "EXTENSION"}:
        reader.if_exists()
        name = reader.name()
        effects.others.add((kind, name))
        if kind == "SEQUENCE":
            effects.guards.append(guards.not_used(name))


def _drop(reader: Reader, effects: Effects) -> None:
    effects.counts = True
    kind = kind_of(reader)
    reader.take("CONCURRENTLY")
    reader.if_exists()
    if kind in _WITHOUT_DATA:
        return
    names = reader.names()
    if kind == "TABLE":
        for table in names:
            if table in effects.tables:
                effects.forget(table)
            else:
                effects.against(Class.C, f"the rows of {table} are in a backup alone")
    elif kind in {"TYPE", "DOMAIN", "SCHEMA"} and not reader.take("CASCADE"):
        # Without CASCADE nothing hangs on it.
        effects.others -= {(kind, name) for name in names}
    else:
        effects.against(Class.C, f"what goes with DROP {kind} is in a backup alone")


def _alter(reader: Reader, effects: Effects) -> None:
    kind = kind_of(reader)
    effects.counts = effects.counts or kind != "TYPE" or "ADD" not in reader.rest
    if kind == "TABLE":
        alter_table(reader, effects)
        return
    if kind in {"INDEX", "DEFAULT", "VIEW", "MATERIALIZED VIEW", "FUNCTION", "POLICY", "TRIGGER"}:
        return
    reader.if_exists()
    name = reader.name()
    if kind == "TYPE" and reader.take("ADD", "VALUE"):
        effects.against(
            Class.D, f"PostgreSQL takes no value out of {name}; leave it, it harms none"
        )
    elif reader.take("RENAME") or reader.take("OWNER") or reader.take("OWNED"):
        if reader.take("TO"):
            effects.others = {
                (of, reader.name() if (of, one) == (kind, name) else one)
                for of, one in effects.others
            }
    else:
        effects.against(Class.C, f"nobody can tell what ALTER {kind} does")

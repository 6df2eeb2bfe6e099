"""CREATE TABLE and ALTER TABLE, read for what going back behind them would lose. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.downs import guards
from deploy.database.downs.effects import Class, Effects
from deploy.database.downs.spoken import sql
from deploy.database.lint.calls import calls
from deploy.database.lint.columns import column
from deploy.database.lint.words import Name, Reader, folded, split

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONSTRAINT = {"CONSTRAINT", "CHECK", "UNIQUE", "PRIMARY", "EXCLUDE", "FOREIGN"}
_DEFAULT_ENDS = {
    *("CONSTRAINT", "NOT", "NULL", "CHECK", "GENERATED", "UNIQUE", "PRIMARY", "REFERENCES"),
    *("COLLATE", "DEFERRABLE", "INITIALLY"),
}
_NOW = ("CURRENT_", "LOCALTIME", "SESSION_USER", "USER")
CATALOGUE = ("ENABLE", "DISABLE", "FORCE", "OWNER", "VALIDATE", "REPLICA", "CLUSTER", "RESET")
"""Clauses that touch no row and no value."""


def created_table(reader: Reader, effects: Effects) -> None:
    """CREATE TABLE; `reader` stands behind those words."""
    reader.if_exists()
    table = reader.name()
    effects.tables.add(table)
    effects.guards.append(guards.no_rows(table))


def alter_table(reader: Reader, effects: Effects) -> None:
    """ALTER TABLE; `reader` stands behind those words."""
    reader.if_exists()
    reader.take("ONLY")
    table = reader.name()
    reader.take("*")
    for words in split(reader.rest):
        _clause(table, Reader(words), effects)


def _clause(table: Name, reader: Reader, effects: Effects) -> None:
    if reader.peek() == "ADD" and (
        reader.peek(1) in _CONSTRAINT or (reader.peek(1), reader.peek(2)) == ("NOT", "NULL")
    ):
        return
    if reader.take("ADD"):
        reader.take("COLUMN")
        reader.if_exists()
        _added(table, reader.rest, effects)
    elif reader.take("DROP", "CONSTRAINT") or reader.take("ALTER", "CONSTRAINT"):
        # The down that adds it again looks at each row itself, and is rolled back where one is bad.
        return
    elif reader.take("DROP"):
        reader.take("COLUMN")
        reader.if_exists()
        _dropped(table, folded(reader.next()), effects)
    elif reader.take("ALTER"):
        reader.take("COLUMN")
        _altered(table, folded(reader.next()), reader, effects)
    elif reader.take("RENAME"):
        _renamed(table, reader, effects)
    elif reader.take("SET", "SCHEMA"):
        schema = folded(reader.next())
        effects.rename_table(table, Name("" if schema == "public" else schema, table.name))
    elif not reader.one_of(*CATALOGUE) and not reader.take("SET"):
        effects.against(Class.C, f"nobody can tell what it does to {table}")


def _dropped(table: Name, name: str, effects: Effects) -> None:
    if effects.made(table, name):
        effects.forget(table, name)
    else:
        effects.against(Class.C, f"the values of {table}.{name} are in a backup alone")


def _renamed(table: Name, reader: Reader, effects: Effects) -> None:
    if reader.take("CONSTRAINT"):
        return
    if reader.take("TO"):
        effects.rename_table(table, Name(table.schema, folded(reader.next())))
        return
    reader.take("COLUMN")
    name = folded(reader.next())
    reader.take("TO")
    effects.rename_column(table, name, folded(reader.next()))


def _added(table: Name, words: Sequence[str], effects: Effects) -> None:
    one = column(words)
    if table in effects.tables:
        return
    effects.columns.add((table, one.name))
    if one.default == "varies" and {"STORED", "VIRTUAL"} & set(words):
        return
    if one.default == "constant" and not _of_its_time(_default(words)):
        default, type_ = sql(_default(words)), sql(one.type)
        if default is None or type_ is None:
            effects.against(Class.B, f"whether {table}.{one.name} was written cannot be asked")
        else:
            effects.guards.append(guards.all_default(table, one.name, default, type_))
    elif one.default:
        effects.against(
            Class.B, f"what was written to {table}.{one.name} since cannot be told from its default"
        )
    else:
        # With NOT NULL, PostgreSQL has taken it for an empty table alone.
        effects.guards.append(guards.all_null(table, one.name))


def _of_its_time(default: Sequence[str]) -> bool:
    """Whether it was another value when the column was added."""
    return bool(calls(default)) or any(one.startswith(_NOW) for one in default)


def _default(words: Sequence[str]) -> list[str]:
    """The expression behind DEFAULT."""
    found: list[str] = []
    depth = 0
    for word in words[list(words).index("DEFAULT") + 1 :]:
        if depth == 0 and found and word in _DEFAULT_ENDS:
            break
        depth += (word in "([") - (word in ")]")
        found.append(word)
    return found


def _altered(table: Name, name: str, reader: Reader, effects: Effects) -> None:
    if effects.made(table, name):
        if reader.peek() == "TYPE" or reader.peek(1) == "DATA":
            effects.forget(table, name)
            effects.columns.add((table, name))
            effects.against(Class.B, f"whether {table}.{name} was written cannot be asked")
        return
    if reader.take("SET", "DATA", "TYPE") or reader.take("TYPE"):
        words = reader.rest
        plain = words[: words.index("USING")] if "USING" in words else words
        type_ = sql(plain)
        if type_ is None or not _plain_cast(name, words[len(plain) + 1 :], plain):
            effects.against(Class.C, f"what {table}.{name} was before is in a backup alone")
        else:
            effects.retyped[table, name] = type_
    elif reader.take("DROP", "NOT", "NULL"):
        effects.guards.append(guards.no_nulls(table, name))
    elif reader.take("DROP", "IDENTITY") or reader.take("DROP", "EXPRESSION"):
        effects.against(Class.C, f"what gave {table}.{name} its values is not had again")
    elif reader.take("RESTART") or reader.take("SET", "EXPRESSION"):
        effects.against(Class.C, f"what {table}.{name} was before is in a backup alone")
    elif reader.peek() not in {"SET", "DROP", "ADD", "RESET"}:
        effects.against(Class.C, f"nobody can tell what it does to {table}.{name}")


def _plain_cast(name: str, using: Sequence[str], type_: Sequence[str]) -> bool:
    """Whether USING says nothing beyond the cast that is meant anyway."""
    if not using:
        return True
    return folded(using[0]) == name and list(using[1:]) in ([], ["::", *type_])

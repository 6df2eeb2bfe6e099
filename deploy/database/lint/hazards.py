"""What one statement does to the version that is running. Pure.

Written from the list of PostgreSQL's commands. What is not in it is `opaque`: nothing is passed
over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.lint import changes
from deploy.database.lint.alters import alter
from deploy.database.lint.batch import Batch
from deploy.database.lint.creates import create
from deploy.database.lint.drops import KINDS, drop, kind_of
from deploy.database.lint.rules import Hazard
from deploy.database.lint.words import Reader, outer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from deploy.database.migrations.sql import Statement

_QUERIES = {"WITH", "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "TABLE", "("}
_UPKEEP = {"VACUUM", "CLUSTER", "REINDEX", "REFRESH"}
TRANSACTION = {"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT"}
_HARMLESS = {
    *("ANALYZE", "ANALYSE", "CHECKPOINT", "CLOSE", "COMMENT", "DEALLOCATE", "DECLARE", "DISCARD"),
    *("EXPLAIN", "FETCH", "GRANT", "IMPORT", "LISTEN", "MOVE", "NOTIFY", "PREPARE", "RELEASE"),
    *("RESET", "SAVEPOINT", "SECURITY", "SET", "SHOW", "UNLISTEN"),
}
_QUIETLY = {"CREATE", "DROP", "REINDEX", "ALTER"}
_ALONE = (
    ("VACUUM",),
    ("ALTER", "SYSTEM"),
    ("REINDEX", "SCHEMA"),
    ("REINDEX", "DATABASE"),
    ("REINDEX", "SYSTEM"),
    *((verb, kind) for verb in ("CREATE", "DROP") for kind in ("DATABASE", "TABLESPACE")),
)


def hazards(statement: Statement, batch: Batch) -> list[Hazard]:
    """Return every hazard of a statement, those too that do no harm here; `batch` moves on."""
    return list(_hazards(statement.words, batch))


def _hazards(words: list[str], batch: Batch) -> Iterator[Hazard]:
    reader = Reader(words)
    verb = reader.next()
    if "\\" in words:
        # Outside of quotes PostgreSQL has no backslash; psql takes it for a command to itself.
        yield Hazard("unreadable")
    elif verb in _QUERIES:
        yield from changes.query(words, batch)
    elif verb in _UPKEEP:
        yield from changes.upkeep(Reader(words), batch)
    elif verb == "EXPLAIN" and {"ANALYZE", "ANALYSE"} & set(words):
        yield from _explained(reader, batch)
    elif verb == "SET" and "STANDARD_CONFORMING_STRINGS" in words:
        # Every quote behind it ends elsewhere than it seems.
        yield Hazard("opaque", "set")
    elif _names_mean_others(words):
        batch.forget()
    elif verb == "REVOKE" or (verb == "REASSIGN" and reader.peek() == "OWNED"):
        yield Hazard("revoke", _target(reader))
    elif verb in _ONE_EACH:
        yield from _ONE_EACH[verb](reader, batch)
    elif verb not in _HARMLESS | TRANSACTION | {"DO"}:
        yield Hazard("opaque", verb.lower())


_ONE_EACH = {
    "ALTER": alter,
    "CREATE": create,
    "DROP": drop,
    "TRUNCATE": changes.truncate,
    "COPY": changes.copy,
    "LOCK": changes.lock,
}


def _names_mean_others(words: list[str]) -> bool:
    """Whether names mean something else from then on: another path, or what was made is undone."""
    if words[0] in {"COMMIT", "END", "ROLLBACK", "ABORT", "DISCARD"}:
        return True
    if words[0] not in {"SET", "RESET"}:
        return False
    return bool({"SEARCH_PATH", "SCHEMA", "ALL", "ROLE", "AUTHORIZATION"} & set(words[1:4]))


def _explained(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    """EXPLAIN ANALYZE runs what it explains."""
    reader.group()
    while reader.one_of("ANALYZE", "ANALYSE", "VERBOSE"):
        continue
    if reader.peek():
        yield from _hazards(reader.rest, batch)


def _target(reader: Reader) -> str:
    """What rights are taken from: the name behind ON."""
    while reader.peek() and not reader.take("ON"):
        reader.next()
    reader.one_of("TABLE", "SEQUENCE", "FUNCTION", "SCHEMA", "DATABASE", "TYPE")
    return str(reader.name())


def created(statements: Iterable[Statement]) -> Batch:
    """A batch that has made nothing yet, and knows what the statements will create."""
    batch = Batch()
    for statement in statements:
        reader = Reader(statement.words)
        if not reader.take("CREATE"):
            continue
        reader.take("OR", "REPLACE")
        reader.one_of("TEMP", "TEMPORARY", "RECURSIVE")
        kind = KINDS.get(kind_of(reader))
        if kind:
            reader.if_exists()
            batch.coming.add((kind, reader.name()))
    return batch


def outside_a_transaction(statement: Statement) -> bool:
    """Whether PostgreSQL refuses the statement within a transaction."""
    words = outer(statement.words)
    if words[:1] == ["REFRESH"]:
        # The one CONCURRENTLY that may stand in a transaction.
        return False
    quietly = bool(_QUIETLY.intersection(words[:1])) and "CONCURRENTLY" in words
    return quietly or any(words[: len(one)] == list(one) for one in _ALONE)

"""Statements that change rows, ask for locks, or call functions. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.lint.calls import calls, unknown_calls
from deploy.database.lint.rules import Hazard
from deploy.database.lint.words import Name, Reader, groups, outer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploy.database.lint.batch import Batch

_DML = {"INSERT", "UPDATE", "DELETE", "MERGE"}
# A condition that is one for show: every row passes.
_ALL = {("TRUE",), ("1", "=", "1"), ("NOT", "FALSE")}
# Modes that let both reads and writes go on.
_LIGHT = {("ACCESS", "SHARE"), ("ROW", "SHARE"), ("ROW", "EXCLUSIVE")}
NEW_TABLE = "the table is new"


def query(words: Sequence[str], batch: Batch) -> Iterator[Hazard]:
    """What a statement does that changes rows or reads them."""
    plain = list(words)
    if plain[:1] == ["("]:
        plain = Reader(plain).group() or plain
    for at, inside in groups(plain):
        within = plain[at - 1] in {"AS", "MATERIALIZED"} if at else False
        if within and inside and inside[0] in _DML:
            yield from _change(inside, batch)
    if plain[:1] == ["WITH"]:
        plain = _behind_with(plain)
    if plain and plain[0] in _DML:
        yield from _change(plain, batch)
        return
    for name in dict.fromkeys(unknown_calls(words)):
        yield Hazard("opaque", name)
    called = calls(words)
    if "setval" in called:
        yield Hazard("set-default")
    if "set_config" in called:
        # It may be the search path.
        batch.forget()


def _behind_with(words: list[str]) -> list[str]:
    """The main statement behind the named queries: the first of its verbs in no bracket."""
    depth = 0
    for at, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if depth == 0 and word in _DML | {"SELECT", "VALUES", "TABLE"}:
            return words[at:]
    return []


def _change(words: Sequence[str], batch: Batch) -> Iterator[Hazard]:
    reader = Reader(words)
    verb = reader.next()
    reader.one_of("INTO", "FROM")
    reader.take("ONLY")
    table = reader.name()
    new = NEW_TABLE if batch.is_new(table) else ""
    subject = str(table)
    plain = outer(reader.rest)
    if verb == "INSERT":
        yield Hazard("insert", subject, new)
        if "CONFLICT" in plain and "UPDATE" in plain:
            yield Hazard("update", subject, new)
    elif verb == "DELETE":
        yield Hazard("delete", subject, new)
    elif verb == "UPDATE":
        yield Hazard("update-all" if _every_row(reader.rest) else "update", subject, new)
    else:
        for word, rule in (("DELETE", "delete"), ("UPDATE", "update"), ("INSERT", "insert")):
            if word in plain:
                yield Hazard(rule, subject, new)


def _every_row(words: Sequence[str]) -> bool:
    depth = 0
    for at, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if word == "WHERE" and depth == 0:
            condition = [one for one in words[at + 1 :] if one not in "()"]
            if "RETURNING" in condition:
                condition = condition[: condition.index("RETURNING")]
            return tuple(condition) in _ALL
    return True


def truncate(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    """All rows go; with CASCADE those of tables too that the words do not name."""
    reader.take("TABLE")
    tables = reader.names()
    cascade = "CASCADE" in reader.rest
    for table in tables:
        new = NEW_TABLE if batch.is_new(table, surely=True) and not cascade else ""
        yield Hazard("truncate", str(table), new)


def copy(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    """COPY ... FROM brings rows; what COPY (...) TO asks may change some."""
    if reader.peek() == "(":
        yield from query(reader.group(), batch)
        return
    table = reader.name()
    if table.name and "FROM" in outer(reader.rest):
        yield Hazard("insert", str(table), NEW_TABLE if batch.is_new(table) else "")


def lock(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    """LOCK TABLE."""
    reader.take("TABLE")
    tables = reader.names()
    light = ""
    if reader.take("IN"):
        mode = tuple(word for word in reader.rest if word not in {"MODE", "NOWAIT"})
        light = "reads and writes go on" if mode in _LIGHT else ""
    for table in tables:
        yield Hazard("lock-table", str(table), NEW_TABLE if batch.is_new(table) else light)


def upkeep(reader: Reader, batch: Batch) -> Iterator[Hazard]:
    """VACUUM, CLUSTER, REINDEX, REFRESH MATERIALIZED VIEW."""
    verb = reader.next()
    words = reader.rest
    light = "CONCURRENTLY" in words or (verb == "VACUUM" and "FULL" not in words)
    reader.group()
    while reader.one_of("FULL", "FREEZE", "VERBOSE", "ANALYZE", "CONCURRENTLY"):
        continue
    kind = reader.one_of("TABLE", "INDEX", "SCHEMA", "DATABASE", "SYSTEM", "MATERIALIZED")
    reader.take("VIEW")
    reader.take("CONCURRENTLY")
    name = reader.name()
    if kind == "INDEX":
        name = batch.indexes.get(name, name)
    elif kind in {"SCHEMA", "DATABASE", "SYSTEM"}:
        name = Name("", "")
    if verb == "CLUSTER" and reader.take("ON"):
        name = reader.name()
    new = NEW_TABLE if batch.is_new(name) or batch.made("view", name) else ""
    yield Hazard("lock-table", str(name), new or ("it lets others work" if light else ""))

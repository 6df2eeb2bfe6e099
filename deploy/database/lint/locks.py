"""What a file does as a whole: its transaction, and the locks that pile up in it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.lint.hazards import TRANSACTION, outside_a_transaction
from deploy.database.lint.rules import RULES, Hazard, Level
from deploy.database.lint.words import Reader, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploy.database.migrations.sql import Statement

MANY = 5
"""So many tables locked at once are many even if nothing is slow: each is one more that a
transaction of the application may hold in the other order, which is a deadlock."""

_SETTINGS = {"SET", "RESET", "SHOW"}
_STRONG = {"drop-table": True, "truncate": True, "lock-table": True, "rewrite": True}
_VALIDATE = ["VALIDATE", "CONSTRAINT"]
# Clauses of ALTER TABLE that let reads and writes go on.
_GENTLE = (_VALIDATE, ["ATTACH", "PARTITION"], ["REPLICA", "IDENTITY"])


def not_atomic(statements: Sequence[Statement]) -> Iterator[tuple[int, Hazard]]:
    """The first statement that keeps a file from being applied as a whole or not at all."""
    does = [one for one in statements if one.words[0] not in _SETTINGS | TRANSACTION]
    for at, one in enumerate(statements):
        ends = one.words[0] in TRANSACTION and "TO" not in one.words
        alone = outside_a_transaction(one) and len(does) > 1
        if ends or alone or one.words[:2] == ["PREPARE", "TRANSACTION"]:
            yield at, Hazard("not-atomic")
            return


def several_locked(
    statements: Sequence[Statement], seen: Sequence[Sequence[Hazard]]
) -> Iterator[tuple[int, Hazard]]:
    """A table that others wait for, while what takes long is done to another."""
    if any(outside_a_transaction(one) for one in statements):
        return
    held: list[str] = []
    told = False
    for at, (one, hazards) in enumerate(zip(statements, seen, strict=True)):
        if one.words[0] in TRANSACTION:
            held = []
        harms = [hazard for hazard in hazards if not hazard.harmless]
        slow = [hazard for hazard in harms if RULES[hazard.rule].level is Level.LOCK]
        others = [hazard for hazard in slow if set(held) - {hazard.subject}]
        if others and not told:
            told = True
            yield at, Hazard("many-locks", others[0].subject)
        before = len(held)
        held += [name for name in _locked(one, hazards, harms) if name not in held]
        if before < MANY <= len(held) and not told:
            told = True
            yield at, Hazard("many-locks", held[-1])


def validated_late(
    statements: Sequence[Statement], seen: Sequence[Sequence[Hazard]]
) -> Iterator[tuple[int, Hazard]]:
    """A constraint is validated in a transaction that keeps its table locked since before.

    Validating lets others write. What came earlier does not, such as adding that constraint.
    """
    if any(outside_a_transaction(one) for one in statements):
        return
    held: set[str] = set()
    for at, (one, hazards) in enumerate(zip(statements, seen, strict=True)):
        if one.words[0] in TRANSACTION:
            held = set()
        held.update(_locked(one, hazards, [hazard for hazard in hazards if not hazard.harmless]))
        table, clauses = _altered(one)
        if table in held and any(words[:2] == _VALIDATE for words in clauses):
            yield at, Hazard("constraint-scan", table)


def _altered(one: Statement) -> tuple[str, list[list[str]]]:
    """The table of an ALTER TABLE and its clauses; "" and none of another statement."""
    reader = Reader(one.words)
    if not reader.take("ALTER", "TABLE"):
        return "", []
    reader.if_exists()
    reader.take("ONLY")
    table = str(reader.name())
    reader.take("*")
    return table, [list(words) for words in split(reader.rest)]


def _locked(one: Statement, hazards: Sequence[Hazard], harms: Sequence[Hazard]) -> Iterator[str]:
    table, clauses = _altered(one)
    if table:
        new = any(
            hazard.harmless == "the table is new" and hazard.subject.startswith(table)
            for hazard in hazards
        )
        if not new and not all(words[:2] in _GENTLE for words in clauses):
            yield table
    for hazard in harms:
        if hazard.rule in _STRONG:
            yield hazard.subject

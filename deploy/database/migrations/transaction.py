"""How a migration is run: in a transaction of its own, or, where PostgreSQL allows none, without.

Pure. A file is sent in Drizzle's own pieces, each as one query, as Drizzle sends it. Only where a
piece holds a statement that PostgreSQL takes alone is the piece cut into its statements, since
PostgreSQL puts several that come together into a transaction by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.migrations.sql import BREAKPOINT, Statement, Unreadable, pieces, statements
from deploy.errors import Fault, Refused

if TYPE_CHECKING:
    from deploy.database.migrations.folder import Migration


@dataclass(frozen=True)
class Unit:
    """What is sent at once: a piece of a file, or one statement of it.

    `line` is where `text` begins in the file, `statement` where its only statement does (0 if it
    has several, or none). `patient` units wait for a lock as long as the statement may take:
    nobody queues behind them. `ends` tells that a transaction ends in it.
    """

    text: str
    line: int
    statement: int = 0
    patient: bool = False
    ends: bool = False


@dataclass(frozen=True)
class Way:
    """How a file is run.

    `why` says why not in one transaction of Headway's, with the line; "" if it is in one. `begins`
    tells that one is begun before it all the same, which the file itself ends, as with Drizzle.
    """

    units: tuple[Unit, ...]
    why: str = ""
    begins: bool = True

    @property
    def transactional(self) -> bool:
        """Whether the file is applied whole or not at all."""
        return not self.why

    def as_before(self, failed: int) -> bool:
        """Whether the schema is as before when unit number `failed` (from 0) has failed."""
        if self.transactional:
            return True
        if any(unit.ends for unit in self.units[: failed + 1]):
            return False
        return self.begins or failed == 0


@dataclass(frozen=True)
class Obstacle:
    """What keeps a file from running in one transaction with others.

    `sure`: PostgreSQL refuses it there in any case.
    """

    migration: Migration
    line: int
    what: str
    sure: bool


_ALONE = (
    (r"(CREATE (UNIQUE )?|DROP )INDEX CONCURRENTLY\b", True),
    (r"REINDEX\b.*\bCONCURRENTLY\b", True),
    (r"ALTER TABLE\b.*\bDETACH PARTITION\b.*\bCONCURRENTLY\b", True),
    (r"VACUUM\b", False),
    (r"REINDEX (\(.*?\) ?)?(DATABASE|SYSTEM|SCHEMA)\b", False),
    (r"CLUSTER( \(.*?\)| VERBOSE)?$", False),
    (r"(CREATE|DROP) (DATABASE|TABLESPACE|SUBSCRIPTION)\b", False),
    (r"ALTER DATABASE\b.*\bSET TABLESPACE\b", False),
    (r"ALTER SUBSCRIPTION\b", False),
    (r"ALTER SYSTEM\b", False),
    (r"(COMMIT|ROLLBACK) PREPARED\b", False),
    (r"DISCARD ALL\b", False),
)
"""What PostgreSQL 14 to 18 refuse in a transaction block (`PreventInTransactionBlock`), and whether
it waits for locks without making others wait behind it."""
_BEGINS = re.compile(r"(BEGIN|START TRANSACTION)\b(?! ATOMIC)")
_ENDS = re.compile(
    r"(COMMIT|END|ROLLBACK|ABORT|PREPARE TRANSACTION)\b(?!( WORK| TRANSACTION)? TO\b)"
)
_ENUM_VALUE = re.compile(
    r"ALTER\s+TYPE\b.*?\bADD\s+VALUE\s+(?:IF\s+NOT\s+EXISTS\s+)?('[^']*')", re.I | re.S
)
_SETS = re.compile(r"SET (SESSION |LOCAL )?LOCK_TIMEOUT\b")
_COPY = re.compile(r"\bCOPY\b.*\bFROM\s+STDIN\b", re.IGNORECASE | re.DOTALL)


def way(migration: Migration) -> Way:
    """Say how a migration is run.

    Raises:
        Refused: it reads rows from standard input, which neither Drizzle nor Headway has for it.
    """
    read = [_read(text, line) for text, line in _pieces(migration.sql)]
    _no_copy(migration, read)
    used = _values_used(read)
    alone = [
        (one, _shown(one))
        for piece in read
        for one in piece.statements
        if _patience(one) is not None or _adds(one) in used
    ]
    ends = [(one, _shown(one)) for piece in read for one in piece.statements if _controls(one)]
    if not alone and not ends:
        return Way(tuple(piece.unit() for piece in read))
    first_alone = min((one.line for one, _ in alone), default=None)
    first_end = min((one.line for one, _ in ends if _ENDS.match(_flat(one))), default=None)
    first = min(alone + ends, key=lambda found: found[0].line)
    # Who says how long to wait in the file itself knows why.
    patient = not any(_SETS.match(_flat(one)) for piece in read for one in piece.statements)
    units: list[Unit] = []
    for piece in read:
        cut = any(one is other for one in piece.statements for other, _ in alone)
        units += piece.cut(patient) if cut else [piece.unit()]
    return Way(
        units=tuple(units),
        why=f"{first[1]} (line {first[0].line})",
        begins=first_end is not None and (first_alone is None or first_end < first_alone),
    )


def together(migrations: Sequence[Migration]) -> Iterator[Obstacle]:
    """Yield what fails where all files run in one transaction, as Drizzle runs them.

    Where a file ends that transaction itself, nobody can say what those behind it run in. A new
    value of an enum may be used at once if the type is new as well, so that is not sure.
    """
    added: set[str] = set()
    for one in migrations:
        for statement in (one for piece in _pieces(one.sql) for one in _read(*piece).statements):
            flat = _flat(statement)
            if _ENDS.match(flat):
                return
            if _patience(statement) is not None:
                yield Obstacle(one, statement.line, _shown(statement), sure=True)
            elif value := _adds(statement):
                added.add(value)
            elif used := next((each for each in sorted(added) if each in statement.text), None):
                yield Obstacle(
                    one, statement.line, f"the new value {used} of an enum is used", sure=False
                )
                added.discard(used)


@dataclass(frozen=True)
class _Piece:
    text: str
    line: int
    statements: tuple[Statement, ...]
    readable: bool = True

    def unit(self) -> Unit:
        only = self.statements[0].line if len(self.statements) == 1 else 0
        ends = any(_ENDS.match(_flat(one)) for one in self.statements)
        return Unit(self.text, self.line, only, ends=ends)

    def cut(self, patient: bool) -> list[Unit]:
        return [
            Unit(
                one.text,
                one.line,
                one.line,
                patient=patient and bool(_patience(one)),
                ends=bool(_ENDS.match(_flat(one))),
            )
            for one in self.statements
        ]


def _pieces(sql: str) -> list[tuple[str, int]]:
    """The pieces that hold anything, each with the line that it begins on."""
    found, line = [], 1
    for text in pieces(sql):
        if text.strip():
            found.append((text, line))
        line += (text + BREAKPOINT).count("\n")
    return found


def _read(text: str, line: int) -> _Piece:
    try:
        found = statements(text)
    except Unreadable:
        # PostgreSQL says what is wrong with it, and better.
        return _Piece(text, line, (), readable=False)
    moved = (Statement(one.text, one.line + line - 1, one.bare, one.comments) for one in found)
    return _Piece(text, line, tuple(moved))


def _no_copy(migration: Migration, read: list[_Piece]) -> None:
    # psql would take the rest of what it reads for the rows.
    for piece in read:
        bares = [(one.bare, one.line) for one in piece.statements]
        for bare, line in bares if piece.readable else [(piece.text, piece.line)]:
            if _COPY.search(bare):
                raise Refused(
                    "a migration reads rows from standard input",
                    faults=(
                        Fault(
                            f"{migration.path}:{line}",
                            "",
                            "COPY … FROM STDIN has no input here, nor with Drizzle",
                            "write the rows as INSERT",
                        ),
                    ),
                )


def _flat(one: Statement) -> str:
    return " ".join(one.bare.split())


def _shown(one: Statement) -> str:
    if _controls(one):
        return f"{_flat(one).split()[0]} in the file"
    return "CONCURRENTLY" if _patience(one) else " ".join(_flat(one).split()[:2])


def _patience(one: Statement) -> bool | None:
    """None for a statement that may stand in a transaction; else whether it waits patiently."""
    flat = _flat(one)
    return next((patient for form, patient in _ALONE if re.match(form, flat)), None)


def _controls(one: Statement) -> bool:
    flat = _flat(one)
    return bool(_BEGINS.match(flat) or _ENDS.match(flat))


def _adds(one: Statement) -> str | None:
    """The value that a statement adds to an enum, in its quotes."""
    found = _ENUM_VALUE.match(one.text)
    return found[1] if found else None


def _values_used(read: list[_Piece]) -> set[str | None]:
    """The values added to an enum that another statement of the same file uses.

    PostgreSQL lets no transaction use a value that it has added itself; a neighbour's place is no
    use of it.
    """
    every = [one for piece in read for one in piece.statements]
    return {
        value
        for one in every
        if (value := _adds(one))
        and any(value in other.text for other in every if _adds(other) is None)
    }

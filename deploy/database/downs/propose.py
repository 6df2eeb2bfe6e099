"""A down proposed for a migration that has none: what drizzle-kit generates backwards, put right.

Nothing is proposed where it would take back less than the migration did: a down that is there is
taken for a whole one. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from deploy.database.downs import corrections
from deploy.database.downs.deeds import Deed, deeds, made_tables
from deploy.database.downs.down import Down, down_of, down_path
from deploy.database.migrations.sql import BREAKPOINT, Unreadable
from deploy.database.migrations.transaction import way
from deploy.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from deploy.database.downs.generator import Answer, Kept
    from deploy.database.lint.words import Name
    from deploy.database.migrations.folder import Migration


@dataclass(frozen=True)
class Missing:
    """Why nothing is proposed; `line` is the migration's, 0 where it is the whole of it."""

    line: int
    why: str


@dataclass(frozen=True)
class Proposal:
    """A migration's proposed way back.

    `down` is None where nothing whole can be proposed, for the reasons in `missing`; `known` is
    what could be. `corrected` names what was put right.
    """

    migration: Migration
    path: str
    down: Down | None
    corrected: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
    known: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()


def propose(migration: Migration, answer: Answer | None) -> Proposal:
    """Return what can be proposed for a migration; `answer` is None where it has no snapshot."""
    path = down_path(migration.path)
    try:
        done = deeds(migration.sql)
        if answer is None:
            return _by_hand(migration, done)
        if answer.error:
            said = Missing(0, f"drizzle-kit says: {answer.error}")
            return Proposal(migration, path, None, missing=(said,))
        down, corrected = corrections.changed(answer.down, _corrections(migration))
        forward = corrections.primary_keys(corrections.no_row_security_off(answer.up))
        expected = deeds(_joined(forward))
    except Unreadable as error:
        said = Missing(error.line, f"it cannot be read: {error}")
        return Proposal(migration, path, None, missing=(said,))
    missing = (*_unknown(done, expected, any(down)), *_not_done(done, expected))
    if missing:
        return Proposal(migration, path, None, corrected, answer.kept, tuple(down), missing)
    return _whole(migration, down, corrected, answer.kept)


def _by_hand(migration: Migration, done: Sequence[Deed]) -> Proposal:
    """A migration without a snapshot: one that does nothing needs nothing."""
    if not done:
        return _whole(migration, (), (), ())
    why = "it has no snapshot, from which drizzle-kit would know what it changes"
    return Proposal(migration, down_path(migration.path), None, missing=(Missing(0, why),))


def _whole(
    migration: Migration, down: Sequence[str], corrected: tuple[str, ...], kept: tuple[Kept, ...]
) -> Proposal:
    text = _text(migration, down, kept)
    return Proposal(
        migration,
        down_path(migration.path),
        down_of(replace(migration, down=text)),
        corrected,
        kept,
    )


def _corrections(
    migration: Migration,
) -> list[tuple[str, Callable[[Sequence[str]], list[str]]]]:
    """The corrections for a migration, each with what it says of itself."""
    given = corrections.types_given(migration.sql)
    quiet = corrections.indexes_made_quietly(migration.sql)
    found: list[tuple[str, Callable[[Sequence[str]], list[str]]]] = [
        ("a primary key is dropped by its name", corrections.primary_keys),
        ("constraints are dropped first, if they are there", corrections.constraints_first),
        ("row security is left alone on tables that go", corrections.no_row_security_off),
        ("a type is changed by way of text", partial(corrections.casts, given=given)),
        ("indexes go CONCURRENTLY", partial(corrections.quiet_indexes, made=quiet)),
    ]
    if not _atomic(migration):
        found.append(("only what is there is dropped: it may fail half-way", corrections.if_exists))
    return found


def _atomic(migration: Migration) -> bool:
    try:
        return way(migration).transactional
    except Refused:
        return False


def _unknown(done: Sequence[Deed], expected: Sequence[Deed], some: bool) -> Iterable[Missing]:
    """What the migration does beyond what its snapshots tell; `some`: they tell something."""
    known = {one.what for one in expected}
    made = made_tables(done)
    covered = known | set(_covered(done, known))
    for one in done:
        if one.what in covered or one.what[:4] in covered or one.table in made:
            continue
        if not one.rows:
            yield Missing(one.line, f"{one}: the snapshots do not know it")
        elif not (some and one.rows == "changes"):
            # The class of a down says that rows were changed; of one that has nothing else to
            # take back, nothing would be left.
            yield Missing(one.line, f"{one}: what it does to rows is in no snapshot")


def _covered(done: Sequence[Deed], known: set[tuple[str, ...]]) -> Iterable[tuple[str, ...]]:
    """What goes with something else that is taken back, or is taken back by the file itself."""
    did = [one.what for one in done]
    for at, what in enumerate(did):
        if done[at].adds_column:
            yield "TABLE", what[1], "ALTER", what[4]
        elif what[2:4] == ("ADD", "CONSTRAINT") and what in known:
            yield "TABLE", what[1], "VALIDATE", *what[3:]
        elif what[:2] == ("DROP", "TABLE"):
            yield "TABLE", what[2], "DISABLE", "ROW"
        elif what[0] == "CREATE" and what in known:
            # DROP ... IF EXISTS before it, so that a second run finds it gone.
            yield "DROP", *what[1:]
        elif what[0] == "CREATE" and ("DROP", *what[1:]) in did[at:]:
            yield what
            yield "DROP", *what[1:]


def _not_done(done: Sequence[Deed], expected: Sequence[Deed]) -> Iterable[Missing]:
    """What the snapshots tell and the migration does not: undone, it would undo another's."""
    did = {one.what for one in done}
    made: set[Name] = made_tables(done)
    for one in expected:
        if one.what not in did and one.table not in made and not one.drops_constraint:
            yield Missing(0, f"its snapshot says {one}, and its SQL does not do that")


def _text(migration: Migration, down: Sequence[str], kept: Sequence[Kept]) -> str:
    lines = [f"-- The way back of {migration.name}, proposed from Drizzle's snapshots."]
    for one in kept:
        values = ", ".join(repr(value) for value in one.values)
        lines.append(f"-- In the enum {one.enum} stays {values}: PostgreSQL takes no value out.")
    if not down and not kept:
        lines.append("-- It has nothing to take back.")
    return "\n".join([*lines, _joined(down)]).rstrip("\n") + "\n"


def _joined(found: Sequence[str]) -> str:
    return f"{BREAKPOINT}\n".join(found)

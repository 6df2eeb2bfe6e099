"""What a folder's migrations are to a database: each state by itself."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from deploy.database.migrations.compare import compare
from deploy.database.migrations.folder import Folder, Format, Migration, read_folder
from deploy.database.migrations.recorded import Recorded, Row, Table
from deploy.database.migrations.states import Judged, State, fit, hold_back
from deploy.errors import Refused

from .migrations import rows, v0, v1

OLD = read_folder(v0(a="select 1", b="select 2", c="select 3"))
A, B, C = OLD.migrations
NEW = read_folder(v1(_a="select 1", _b="select 2", _c="select 3"))
X, Y, Z = NEW.migrations
P, D, S = State.PENDING, State.APPLIED, State


def on_v0(*found: Row) -> Recorded:
    return Recorded(Format.V0, tuple(dataclasses.replace(r, id=n) for n, r in enumerate(found, 1)))


def on_v1(*found: Row) -> Recorded:
    return Recorded(Format.V1, tuple(dataclasses.replace(r, id=n) for n, r in enumerate(found, 1)))


def row(one: Migration, **changes: object) -> Row:
    """The row that Drizzle 0.x writes, with changes."""
    return dataclasses.replace(Row(one.hash, one.when), **changes)  # type: ignore[arg-type]


def named(one: Migration, **changes: object) -> Row:
    """The row that Drizzle 1 writes, with changes."""
    return row(one, **{"name": one.name, **changes})


# What the table holds → the states of a, b and c, and of what only the table has.
V0 = {
    "no table": (Recorded(), [P, P, P]),
    "an empty table": (on_v0(), [P, P, P]),
    "one is new": (on_v0(row(A), row(B)), [D, D, P]),
    "all are there": (on_v0(row(A), row(B), row(C)), [D, D, D]),
    "rows in another order": (on_v0(row(C), row(A), row(B)), [D, D, D]),
    "edited": (on_v0(row(A, hash="other"), row(B)), [S.EDITED, D, P]),
    "the newest was edited": (on_v0(row(A), row(B), row(C, hash="other")), [D, D, S.EDITED]),
    "merged late, and older than the newest": (on_v0(row(A), row(C)), [D, S.SKIPPED, D]),
    "its time was moved on": (on_v0(row(A), row(B, when=1)), [D, S.AGAIN, P]),
    "its time was changed, and others came": (on_v0(row(A), row(B, when=1), row(C)), [D, D, D]),
    "applied twice": (on_v0(row(A), row(A), row(B)), [S.TWICE, D, P]),
    "applied twice, under two times": (on_v0(row(A), row(B, when=1), row(B)), [D, S.TWICE, P]),
    "the database is ahead": (on_v0(row(A), row(B), row(C), Row("later", 9)), [D, D, D, S.ORPHAN]),
    "of something else": (on_v0(Row("other", 9)), [*[S.SKIPPED] * 3, S.ORPHAN]),
    "a time that is null": (on_v0(row(A, when=None), row(B)), [S.AGAIN, S.AGAIN, P]),
    "a table of Drizzle 1": (on_v1(named(A), named(B)), [D, D, P, S.FORMAT]),
}
V1 = {
    "no table": (Recorded(), [P, P, P]),
    "an empty table": (on_v1(), [P, P, P]),
    "one is new": (on_v1(named(X), named(Y)), [D, D, P]),
    "older than the newest": (on_v1(named(X), named(Z)), [D, P, D]),
    "edited": (on_v1(named(X, hash="other"), named(Y)), [S.EDITED, D, P]),
    "its folder was renamed": (on_v1(named(X, name="20260102030400_old")), [S.AGAIN, P, P]),
    "written by Drizzle 0.x": (on_v1(named(X), row(Y)), [D, S.AGAIN, P]),
    "written by Drizzle 0.x, to the millisecond": (
        on_v1(named(X), row(Y, when=Y.when + 123)),
        [D, S.AGAIN, P],
    ),
    "applied twice": (on_v1(named(X), named(X)), [S.TWICE, P, P]),
    "renamed, and applied again": (on_v1(named(X, name="old"), named(X)), [S.TWICE, P, P]),
    "the database is ahead": (
        on_v1(named(X), named(Y), named(Z, name="z", hash="1")),
        [D, D, P, S.ORPHAN],
    ),
    # A table of Drizzle 0.x, which Drizzle 1 lifts before it looks at the names.
    "v0": (on_v0(row(X, when=X.when + 7), row(Y)), [D, D, P]),
    "v0, and edited": (on_v0(row(X, hash="other")), [S.EDITED, P, P]),
    "v0, and another time": (on_v0(row(X, when=1)), [D, P, P]),
    "v0, and twice": (on_v0(row(X), row(X)), [S.TWICE, P, P]),
    "v0, and ahead": (on_v0(row(X), Row("later", 9)), [D, P, P, S.ORPHAN]),
}
CASES = [
    pytest.param(folder, there, expected, id=f"{folder.format}: {name}")
    for folder, table in ((OLD, V0), (NEW, V1))
    for name, (there, expected) in table.items()
]


@pytest.mark.parametrize(("folder", "there", "expected"), CASES)
def test_states(folder: Folder, there: Recorded, expected: list[State]) -> None:
    standing = compare(folder, there)
    assert [one.state for one in standing.judged] == expected
    wrong = [one for one in standing.judged if one.state not in (P, D)]
    assert standing.wrong == wrong
    pending = [one for one, state in zip(folder.migrations, expected, strict=False) if state is P]
    assert standing.pending == pending
    if wrong:
        with pytest.raises(Refused) as caught:
            fit(standing)
        assert len(caught.value.faults) == len(wrong)
        for one, fault in zip(wrong, caught.value.faults, strict=True):
            assert fault.where == one.path
            assert one.state in fault.message
            assert one.silently in fault.message
            assert fault.mend == one.mend
            assert one.mend
            assert one.silently
    else:
        assert fit(standing) == pending


def only(folder: Folder, there: Recorded) -> Judged:
    (one,) = compare(folder, there, Table("s", "t")).wrong
    return one


MENDS = {
    "edited": (OLD, on_v0(row(A, hash="x")), "a.sql", "compares no content", "a new migration"),
    "skipped": (OLD, on_v0(row(A), row(C)), "b.sql", "for ever", "a newer time"),
    "again": (OLD, on_v0(row(A), row(B, when=1)), "b.sql", "second time", "journal back to 1,"),
    "again, renamed": (
        NEW,
        on_v1(named(X, name="old")),
        f"{X.name}/migration.sql",
        "second time",
        "name back to old,",
    ),
    "again, by Drizzle 0.x": (
        NEW,
        on_v1(row(X)),
        f"{X.name}/migration.sql",
        "second time",
        f"set name = '{X.name}' where id = 1",
    ),
    "twice": (
        OLD,
        on_v0(row(A), row(A), row(A), row(B), row(C)),
        "a.sql",
        "takes no lock",
        'delete from "s"."t" where id in (2, 3)',
    ),
    "orphan, v0": (
        OLD,
        on_v0(row(A), Row("0123456789abcdef", 9)),
        'row 2 of "s"."t" (hash 0123456789ab, created_at 9)',
        "never looks at it",
        "deploy an image that has",
    ),
    "format": (
        OLD,
        on_v1(named(A)),
        "meta/_journal.json",
        "run those migrations again",
        "drizzle-kit up",
    ),
}


@pytest.mark.parametrize(("folder", "there", "path", "silently", "mend"), MENDS.values(), ids=MENDS)
def test_what_is_said(folder: Folder, there: Recorded, path: str, silently: str, mend: str) -> None:
    judged = compare(folder, there, Table("s", "t")).wrong
    one = next(one for one in judged if one.path == path)
    assert silently in one.silently
    assert mend in one.mend


@pytest.mark.parametrize("applied", ["select 1\r\n", "select 1\n", "select 1"])
def test_line_ends_are_told(applied: str) -> None:
    other = "select 1" if applied.endswith("\n") else "select 1\r\n"
    folder = read_folder(v0(a=other))
    digest = hashlib.sha256(applied.encode()).hexdigest()
    assert "only its line ends differ" in only(folder, on_v0(Row(digest, 1))).silently
    assert "line ends" not in only(folder, on_v0(Row("0", 1))).silently


def test_files_of_the_same_content_are_told_apart() -> None:
    same = read_folder(v0(a="select 1", b="select 1", c="select 1"))
    a, b, c = same.migrations
    assert [one.state for one in compare(same, on_v0(row(a), row(b))).judged] == [D, D, P]
    assert [one.state for one in compare(same, on_v0(row(a), row(c))).judged] == [D, S.SKIPPED, D]
    # What `generate --custom` makes, still empty: its content tells nothing.
    text = "-- Custom SQL migration file, put your code below! --"
    empty = read_folder(v1(_a=text))
    (x,) = empty.migrations
    later = named(x, name="20270101000000_later")
    assert [one.state for one in compare(empty, on_v1(named(x), later)).judged] == [D, S.ORPHAN]


def test_files_of_the_same_time_are_told_apart() -> None:
    twin = dataclasses.replace(B, when=A.when)
    folder = dataclasses.replace(OLD, migrations=(A, twin, C))
    # The second of them came later: Drizzle never applies it.
    assert [one.state for one in compare(folder, on_v0(row(A))).judged] == [D, S.SKIPPED, P]


def test_the_names_that_lift_a_table() -> None:
    standing = compare(NEW, on_v0(row(X, when=X.when + 9), row(Y, when=1)))
    assert dict(standing.names) == {1: X.name, 2: Y.name}
    assert compare(NEW, on_v1(named(X))).names == {}
    assert compare(OLD, on_v0(row(A))).names == {}
    assert compare(NEW, Recorded()).names == {}


def test_no_migrations_at_all() -> None:
    assert fit(compare(read_folder(v0()), Recorded())) == []
    assert rows() == ()


HELD = {
    "none": (OLD, "", "abc", ""),
    "the last": (OLD, "c", "ab", "c"),
    "all": (OLD, "abc", "", "abc"),
    "the last two": (OLD, "bc", "a", "bc"),
    "v1 looks at names alone": (NEW, "a", "bc", "a"),
}


@pytest.mark.parametrize(("folder", "held", "now", "later"), HELD.values(), ids=HELD)
def test_contract_files_are_held_back(folder: Folder, held: str, now: str, later: str) -> None:
    found = hold_back(folder.format, folder.migrations, lambda one: one.name[-1] in held)
    assert tuple("".join(one.name[-1] for one in part) for part in found) == (now, later)


def test_no_newer_file_passes_one_that_is_held_back() -> None:
    with pytest.raises(Refused) as caught:
        hold_back(Format.V0, OLD.migrations, lambda one: one is A)
    assert [fault.where for fault in caught.value.faults] == ["b.sql", "c.sql"]
    for fault in caught.value.faults:
        assert "newer than a.sql, which is held back" in fault.message
        assert "never apply a.sql" in fault.message
        assert "contract" in fault.mend
    # The times decide for Drizzle, and not the places in the journal.
    early = dataclasses.replace(C, when=0)
    now, later = hold_back(Format.V0, [B, early], lambda one: one is B)
    assert (now, later) == ([early], [B])
    same = dataclasses.replace(C, when=B.when)
    with pytest.raises(Refused):
        hold_back(Format.V0, [B, same], lambda one: one is B)

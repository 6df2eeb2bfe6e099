"""The text's findings and the catalogue's, made one list; and what is told of a rehearsal."""

from __future__ import annotations

import json

import pytest

from deploy.database.contract.contract import Breakage
from deploy.database.lint.rules import Finding
from deploy.database.measure.scale import Estimate
from deploy.database.measure.watch import Measured, Touched
from deploy.database.rehearsal.merge import merge
from deploy.database.rehearsal.rehearsed import Back, Failure, Rehearsed, Trial, Way


def one(rule: str, subject: str = "", line: int = 0, allowed: str = "") -> Finding:
    return Finding("a.sql", line, rule, subject, "evidence", allowed)


OPAQUE = one("opaque", line=7)

# What it is → text, catalogue, exceptions, expected; the file was rehearsed.
MERGED: dict[str, tuple[list[Finding], list[Finding], dict[str, str], list[Finding]]] = {
    "nothing": ([], [], {}, []),
    "both have seen it": (
        [one("drop-column", "t.a", 3)],
        [one("drop-column", "t.a")],
        {},
        [one("drop-column", "t.a", 3)],
    ),
    "both, one with the column": (
        [one("add-unique", "t.a", 3)],
        [one("add-unique", "t")],
        {},
        [one("add-unique", "t.a", 3)],
    ),
    "the text alone": ([one("drop-table", "t", 3)], [], {}, [one("drop-table", "t", 3)]),
    "an opaque one that does nothing": ([OPAQUE], [], {}, []),
    "an opaque one with a reason": (
        [one("opaque", line=7, allowed="it is read")],
        [],
        {},
        [one("opaque", line=7, allowed="it is read")],
    ),
    "hidden in an opaque one": (
        [OPAQUE],
        [one("drop-column", "t.a")],
        {},
        [one("drop-column", "t.a", 7)],
    ),
    "hidden, beside one in the open": (
        [one("drop-column", "t.a", 3), OPAQUE],
        [one("drop-column", "t.a"), one("drop-column", "t.b")],
        {},
        [one("drop-column", "t.a", 3), one("drop-column", "t.b", 7)],
    ),
    "another table, of a like name": (
        [one("delete", "t", 3)],
        [one("delete", "t"), one("delete", "t2")],
        {},
        [one("delete", "t2"), one("delete", "t", 3)],
    ),
    "hidden, and allowed": (
        [OPAQUE],
        [one("drop-column", "t.a")],
        {"drop-column": "nobody reads it"},
        [one("drop-column", "t.a", 7, "nobody reads it")],
    ),
    "an exception of the text's stays": (
        [one("drop-column", "t.a", 3, "nobody reads it")],
        [one("drop-column", "t.a")],
        {},
        [one("drop-column", "t.a", 3, "nobody reads it")],
    ),
    "a backfill of every row": (
        [one("update", "t", 3)],
        [one("update-all", "t")],
        {},
        [one("update", "t", 3)],
    ),
    "a hidden update of every row": (
        [OPAQUE],
        [one("update-all", "t")],
        {},
        [one("update-all", "t", 7)],
    ),
}


@pytest.mark.parametrize(
    ("text", "catalogue", "allowed", "expected"), MERGED.values(), ids=MERGED.keys()
)
def test_merge(
    text: list[Finding],
    catalogue: list[Finding],
    allowed: dict[str, str],
    expected: list[Finding],
) -> None:
    assert merge(text, catalogue, decided={"a.sql"}, allowed={"a.sql": allowed}) == expected


def test_what_was_not_rehearsed_stays_opaque() -> None:
    assert merge([OPAQUE], [], decided={"b.sql"}, allowed={}) == [OPAQUE]
    added = one("drop-column", "t.a")
    assert merge([OPAQUE], [added], decided=(), allowed={}) == [
        one("drop-column", "t.a", 7),
        OPAQUE,
    ]


def test_files_keep_their_order() -> None:
    text = [Finding("b.sql", 1, "insert", "t"), Finding("a.sql", 1, "insert", "t")]
    extra = [Finding("b.sql", 0, "delete", "t"), Finding("c.sql", 0, "delete", "t")]
    merged = merge(text, extra, decided={"a.sql", "b.sql", "c.sql"}, allowed={})
    assert [(one.file, one.rule) for one in merged] == [
        ("b.sql", "delete"),
        ("b.sql", "insert"),
        ("a.sql", "insert"),
        ("c.sql", "delete"),
    ]


MEASURED = Measured(
    "a.sql",
    True,
    1.5,
    (
        Touched("t", 1, lock="AccessExclusiveLock", held=1.2, rewritten=True),
        Touched("u", 2, deleted=3, updated=2),
    ),
    ("wreck",),
)


def test_lines() -> None:
    breakages = tuple(Breakage("t", f"update of c{n}", "42703 gone") for n in range(7))
    back = Back(Way.DIFFERS, 0.1, ("+ table x: r",), again=(), failure=None)
    told = Rehearsed(
        (
            Trial("a", "a.sql", measured=MEASURED, estimate=Estimate(15.0, False), back=back),
            Trial("b", "b.sql", failure=Failure("no such table", 4, "42P01", as_before=False)),
        ),
        ("c", "d"),
        breakages,
    ).lines()
    assert told[:8] == [
        "a.sql: 1.50 s, about 15.0 s on the real tables, not measured, AccessExclusiveLock on t "
        "for 1.20 s",
        "  t: rewritten",
        "  u: 3 rows deleted, 2 rows updated",
        "  indexes that are not valid: wreck",
        "  the way back leads elsewhere: + table x: r",
        "b.sql: failed at line 4: no such table (42P01); it left a part of itself",
        "not rehearsed, as they come after it: c, d",
        "the running version can no longer: t: update of c0: 42703 gone",
    ]
    assert told[-1] == "the running version can no longer: and 2 more"
    assert len(told) == 13


WAYS = {
    "proven": (
        Back(Way.EQUAL, 0.2, again=()),
        ["  the way back leads back (0.20 s), and the file runs again"],
    ),
    "missing": (Back(Way.MISSING), ["  the way back: there is none"]),
    "untried": (Back(Way.UNTRIED), ["  the way back: not tried"]),
    "failed": (
        Back(Way.FAILED, failure=Failure("no", None, "42P01")),
        ["  the way back failed: no (42P01)"],
    ),
    "not run again": (
        Back(Way.EQUAL),
        ["  the way back leads back; the file did not run again, as one before it did not"],
    ),
    "not again": (
        Back(Way.EQUAL, failed_again=Failure("it is there", 2)),
        ["  run again, the file failed at line 2: it is there"],
    ),
    "elsewhere again": (
        Back(Way.EQUAL, again=("- index i: x",)),
        ["  run again, it leads elsewhere: - index i: x"],
    ),
}


@pytest.mark.parametrize(("back", "expected"), WAYS.values(), ids=WAYS.keys())
def test_lines_of_a_way_back(back: Back, expected: list[str]) -> None:
    told = Rehearsed((Trial("a", "a.sql", back=back),), contract=()).lines()
    assert told[:-1] == expected
    assert told[-1] == "the running version's queries all work on the migrated schema"
    assert back.proven is (expected == WAYS["proven"][1])


def test_body_is_json() -> None:
    back = Back(Way.EQUAL, again=())
    found = Rehearsed(
        (Trial("a", "a.sql", measured=MEASURED, findings=(OPAQUE,), back=back),),
        contract=(Breakage("t", "select", "42P01 gone"),),
    )
    body = json.loads(json.dumps(found.body()))
    (trial,) = body["trials"]
    assert trial["measured"]["tables"][0]["lock"] == "AccessExclusiveLock"
    assert trial["findings"][0]["rule"] == "opaque"
    assert trial["back"]["way"] == "leads back"
    assert body["contract"][0]["message"] == "42P01 gone"


def test_without_rows_nothing_is_decided() -> None:
    trials = (Trial("a", "a.sql"), Trial("b", "b.sql", failure=Failure("no")))
    assert Rehearsed(trials).decided == {"a.sql"}
    assert Rehearsed(trials, rows=False).decided == frozenset()
    assert Rehearsed(trials).failed is trials[1]

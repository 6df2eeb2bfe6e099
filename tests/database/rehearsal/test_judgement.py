"""What comes of a rehearsal, made of its parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy.database.contract.contract import Breakage
from deploy.database.lint.rules import Finding
from deploy.database.lint.verdict import Outcome, verdict
from deploy.database.measure.watch import Measured, Touched
from deploy.database.migrations.compare import compare
from deploy.database.migrations.folder import read_folder
from deploy.database.migrations.recorded import Recorded
from deploy.database.outlook import Outlook
from deploy.database.rehearsal.judgement import judge
from deploy.database.rehearsal.rehearsed import Back, Failure, Rehearsed, Trial, Way
from deploy.errors import Refused
from tests.database.migrations import v0

SIZES = {"users": 1000, "orders": 1000}


def outlook(text: tuple[Finding, ...] = (), later: str = "", **files: str) -> Outlook:
    folder = read_folder(v0(**files))
    standing = compare(folder, Recorded())
    return Outlook(
        folder,
        standing,
        tuple(one for one in standing.pending if one.name != later),
        tuple(one for one in standing.pending if one.name == later),
        tuple(verdict(text, sizes=SIZES, catalogue=True)),
        SIZES,
    )


def trial(name: str, *tables: str, **more: Any) -> Trial:
    measured = Measured(f"{name}.sql", True, 0.1, tuple(Touched(one, 1) for one in tables))
    return replace(Trial(name, f"{name}.sql", measured=measured), **more)


def judged(
    what: Outlook, *trials: Trial, downs: bool = False, later: bool = False, **more: Any
) -> list[tuple[str, int, str, Outcome]]:
    found = judge(what, Rehearsed(trials, **more), downs=downs, later=later)
    return [(one.finding.file, one.finding.line, one.finding.rule, one.outcome) for one in found]


def test_nothing_found_is_nothing_said() -> None:
    assert judged(outlook(a="select 1;"), trial("a"), contract=()) == []


def test_a_file_that_fails_ends_it() -> None:
    failed = trial("a", measured=None, failure=Failure("no such table", 4, "42P01"))
    with pytest.raises(Refused, match="failed in its rehearsal") as caught:
        judged(outlook(a="select 1;"), failed)
    (fault,) = caught.value.faults
    assert (fault.where, fault.message) == ("a.sql:4", "no such table")


OPAQUE = Finding("a.sql", 2, "opaque")


def test_the_catalogue_decides_what_is_opaque() -> None:
    hidden = trial("a", findings=(Finding("a.sql", 0, "drop-column", "users.name"),))
    assert judged(outlook((OPAQUE,), a="do it;"), hidden) == [
        ("a.sql", 2, "drop-column", Outcome.REFUSED)
    ]
    assert judged(outlook((OPAQUE,), a="do it;"), trial("a")) == []


def test_what_was_opaque_stays_so_where_there_were_no_rows() -> None:
    what = outlook((OPAQUE,), a="do it;")
    assert judged(what, trial("a"), rows=False) == [("a.sql", 2, "opaque", Outcome.REFUSED)]
    assert judged(what, trial("a"), rows=False, later=True) == [
        ("a.sql", 2, "opaque", Outcome.LATER)
    ]


def test_a_contract_file_may_break_what_nobody_runs_then() -> None:
    found = (Finding("a.sql", 0, "drop-column", "users.name"),)
    assert judged(outlook(later="a", a="do it;"), trial("a", later=True, findings=found)) == [
        ("a.sql", 0, "drop-column", Outcome.HELD)
    ]


BACKS = {
    "it fails": (Back(Way.FAILED, failure=Failure("no")), "a.down.sql: failed: no"),
    "it leads elsewhere": (
        Back(Way.DIFFERS, differences=("+ table b",)),
        "a.down.sql: leads elsewhere: + table b",
    ),
    "the file fails after it": (
        Back(Way.EQUAL, failed_again=Failure("there already")),
        "a.down.sql: after it, the file failed: there already",
    ),
    "the file leads elsewhere after it": (
        Back(Way.EQUAL, again=("- index i",)),
        "a.down.sql: after it, the file leads elsewhere: - index i",
    ),
}


@pytest.mark.parametrize(("back", "said"), BACKS.values(), ids=BACKS)
def test_a_way_back_that_is_none(back: Back, said: str) -> None:
    what = outlook(a="select 1;")
    (one,) = judge(what, Rehearsed((trial("a", back=back),)), downs=True)
    assert (one.finding.rule, one.finding.detail, one.outcome) == (
        "bad-down",
        said,
        Outcome.REFUSED,
    )
    assert judged(what, trial("a", back=back)) == [("a.sql", 1, "bad-down", Outcome.WARNED)]
    allowed = outlook(a="-- deploy: allow bad-down the order of columns differs\nselect 1;")
    assert judged(allowed, trial("a", back=back), downs=True) == [
        ("a.sql", 1, "bad-down", Outcome.ALLOWED)
    ]


@pytest.mark.parametrize("back", [Back(Way.EQUAL, again=()), Back(Way.UNTRIED), None])
def test_a_way_back_that_nothing_is_wrong_with(back: Back | None) -> None:
    assert judged(outlook(a="select 1;"), trial("a", back=back), downs=True) == []


BROKEN = Breakage("users", "select", "42703 column name does not exist")


def test_a_query_that_nothing_else_explains() -> None:
    what = outlook(a="select 1;", b="select 2;", c="select 3;")
    trials = (trial("a", "users"), trial("b", "users"), trial("c", "orders"))
    (one,) = judge(what, Rehearsed(trials, contract=(BROKEN,)), downs=False)
    assert (one.finding.file, one.finding.rule, one.finding.subject, one.outcome) == (
        "b.sql",
        "running-query",
        "users",
        Outcome.REFUSED,
    )
    assert "select: 42703 column name does not exist" in one.text
    # Where nothing is known of the table, it is the last of those that run before the hosts.
    assert judged(what, trial("a"), trial("b"), trial("c", later=True), contract=(BROKEN,)) == [
        ("b.sql", 1, "running-query", Outcome.REFUSED)
    ]


def test_a_query_that_is_allowed_to_fail() -> None:
    what = outlook(a="-- deploy: allow running-query nobody calls it\nselect 1;")
    assert judged(what, trial("a", "users"), contract=(BROKEN,)) == [
        ("a.sql", 1, "running-query", Outcome.ALLOWED)
    ]


EXPLAINED = {
    "its column": Finding("a.sql", 1, "drop-column", "users.name", allowed="unread"),
    "its table": Finding("a.sql", 1, "rename-table", "users", allowed="unread"),
    "the type of a column": Finding("a.sql", 1, "rename-enum-value", "mood", allowed="unread"),
}


@pytest.mark.parametrize("finding", EXPLAINED.values(), ids=EXPLAINED)
def test_a_query_that_somebody_has_answered_for(finding: Finding) -> None:
    what = outlook((finding,), a="select 1;")
    assert judged(what, trial("a", "users"), contract=(BROKEN,)) == [
        ("a.sql", 1, finding.rule, Outcome.ALLOWED)
    ]


def test_another_tables_word_is_none_for_it() -> None:
    other = Finding("a.sql", 1, "drop-column", "orders.name", allowed="unread")
    found = judged(outlook((other,), a="select 1;"), trial("a", "users"), contract=(BROKEN,))
    assert [one[2] for one in found] == ["drop-column", "running-query"]


def test_a_contract_file_answers_for_no_query_that_was_tried_before_it() -> None:
    later = Finding("b.sql", 1, "drop-column", "users.name")
    what = outlook((later,), later="b", a="select 1;", b="-- deploy: phase=contract\nselect 2;")
    trials = (trial("a", "users"), trial("b", "users", later=True))
    found = judge(what, Rehearsed(trials, contract=(BROKEN,)), downs=False)
    assert [(one.finding.file, one.finding.rule, one.outcome) for one in found] == [
        ("b.sql", "drop-column", Outcome.HELD),
        ("a.sql", "running-query", Outcome.REFUSED),
    ]


FUNCTION = Finding("a.sql", 1, "replace-function", "slug", allowed="it says the same")
GONE = Breakage("users", "insert", "42883 function slug(text) does not exist")
ANSWERED = {
    "its own file touched the table": (BROKEN, ("users",), ("users",), True),
    "no file touched the table": (BROKEN, (), ("orders",), True),
    "the message names it": (GONE, (), ("users",), True),
    "another file alone touched the table": (BROKEN, ("orders",), ("users",), False),
}


@pytest.mark.parametrize(("broken", "a", "b", "answered"), ANSWERED.values(), ids=ANSWERED)
def test_how_far_an_exception_reaches_that_is_for_no_table(
    broken: Breakage, a: tuple[str, ...], b: tuple[str, ...], answered: bool
) -> None:
    what = outlook((FUNCTION,), a="select 1;", b="select 2;")
    found = judged(what, trial("a", *a), trial("b", *b), contract=(broken,))
    assert found[0] == ("a.sql", 1, "replace-function", Outcome.ALLOWED)
    assert found[1:] == ([] if answered else [("b.sql", 1, "running-query", Outcome.REFUSED)])

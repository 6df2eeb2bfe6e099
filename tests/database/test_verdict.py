"""From findings to what a deploy does with them."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.database.lint.rules import RULES, Finding, Level
from deploy.database.lint.verdict import LIMIT, Judged, Outcome, refused, verdict

ONE = {
    Level.BREAKS: "drop-column",
    Level.DATA: "truncate",
    Level.LOCK: "rewrite",
    Level.OPAQUE: "opaque",
    Level.UNREADABLE: "unreadable",
    Level.BACK: "no-down",
    Level.WARNS: "insert",
}
R, H, L, A, W = Outcome.REFUSED, Outcome.HELD, Outcome.LATER, Outcome.ALLOWED, Outcome.WARNED
SMALL, LARGE = {"users": LIMIT}, {"users": LIMIT + 1}


def finding(rule: str, allowed: str = "", subject: str = "users") -> Finding:
    return Finding("a.sql", 1, rule, subject, "", allowed)


def compare(rule: str, allowed: str = "", subject: str = "users", **known: Any) -> Judged:
    (one,) = verdict([finding(rule, allowed, subject)], **known)
    return one


@pytest.mark.parametrize(
    ("known", "outcomes"),
    [
        ({}, (R, R, W, R, R, W, W)),
        ({"sizes": SMALL}, (R, R, W, R, R, W, W)),
        ({"sizes": LARGE}, (R, R, R, R, R, W, W)),
        ({"catalogue": True}, (R, R, W, L, R, W, W)),
        ({"downs": True}, (R, R, W, R, R, R, W)),
        ({"contract": {"a.sql"}}, (H, R, W, R, R, W, W)),
        ({"contract": {"b.sql"}}, (R, R, W, R, R, W, W)),
        ({"contract": {"a.sql"}, "sizes": LARGE, "catalogue": True}, (H, R, R, L, R, W, W)),
    ],
)
def test_each_level(known: dict[str, Any], outcomes: tuple[Outcome, ...]) -> None:
    assert tuple(compare(rule, **known).outcome for rule in ONE.values()) == outcomes


def test_each_level_is_in_the_table() -> None:
    assert {RULES[rule].level: rule for rule in ONE.values()} == ONE
    assert set(ONE) == set(Level)


@pytest.mark.parametrize("rule", [rule for rule in ONE.values() if rule != "unreadable"])
def test_what_is_allowed_passes(rule: str) -> None:
    one = compare(rule, "it is fine", sizes=LARGE)
    assert (one.outcome, one.why) == (A, "it is fine")


@pytest.mark.parametrize("rule", ["unreadable", "bad-exception"])
def test_nothing_allows_what_nobody_can_read(rule: str) -> None:
    assert compare(rule, "it is fine", catalogue=True, contract={"a.sql"}).outcome is R


def test_a_lock_says_what_it_was_held_against() -> None:
    assert compare("rewrite").why == "refused where the table is over 100 MB"
    assert compare("rewrite", limit=2_500_000_000).why == "refused where the table is over 2,500 MB"
    large = compare("rewrite", sizes={"users": 1_250_000_000, "orders": 5})
    assert large.why == "users has 1,250 MB, over 100 MB"
    assert compare("rewrite", sizes={"users": 8192}).why == "users has 8 kB"


def test_what_has_no_size_may_be_the_largest() -> None:
    one = compare("lock-table", subject="", sizes={"users": 1, "orders": LIMIT * 2})
    assert (one.outcome, one.why) == (R, "the largest table has 200 MB, over 100 MB")
    assert compare("index-blocks-writes", subject="some_idx", sizes={"users": 1}).outcome is W
    assert compare("index-blocks-writes", subject="some_idx", sizes={}).outcome is W


def test_the_refused() -> None:
    findings = [finding("insert"), finding("drop-column"), finding("drop-table", "gone")]
    assert refused(verdict(findings)) == [findings[1]]

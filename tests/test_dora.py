"""The four figures, from histories written down here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.dora import (
    DAY,
    Figures,
    at,
    deployed_since,
    figures,
    in_words,
    taken_back_by,
    weeks,
)
from deploy.history import Entry

NOW = at("2026-06-30T00:00:00Z")
HOUR = 3600


def entry(
    deploy: str,
    ago: float,
    release: str,
    *,
    verb: str = "deploy",
    outcome: str = "done",
    took: float = 60,
    commit: str = "",
) -> Entry:
    """A run that ended so many days ago, and took so many seconds."""
    ended = NOW - ago * DAY
    return Entry(
        deploy=deploy,
        verb=verb,
        release=release,
        tag=release,
        began=moment(ended - took),
        ended=moment(ended),
        by="ada@laptop",
        outcome=outcome,
        hosts=("web-1",),
        reason="",
        commit=commit,
    )


def moment(at_: float) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(at_, UTC):%Y-%m-%dT%H:%M:%SZ}"


def test_nothing_yet() -> None:
    month, quarter = figures([], {}, NOW)
    assert (month.days, quarter.days) == (30, 90)
    for one in (month, quarter):
        assert (one.deploys, one.tried, one.failed, one.per_week) == (0, 0, 0, 0)
        assert one.failure_rate is None
        assert one.lead_time is None
        assert one.recovery is None


def test_deploys_are_counted_where_they_ended_well_and_in_time() -> None:
    past = [
        entry("d-1", 91, "v1"),
        entry("d-2", 89, "v2"),
        entry("d-3", 29, "v3"),
        entry("d-4", 20, "v4", outcome="refused"),
        entry("d-5", 19, "v4", outcome="unfinished"),
        entry("d-6", 18, "v2", verb="recover"),
        entry("d-7", 1, "v4"),
    ]
    month, quarter = figures(past, {}, NOW)
    assert (month.deploys, month.tried, month.failed) == (2, 2, 0)
    assert month.per_week == pytest.approx(2 * 7 / 30)
    assert (quarter.deploys, quarter.tried) == (3, 3)
    assert quarter.failure_rate == 0


def test_the_lead_time_is_the_median_over_commits_and_not_over_deploys() -> None:
    past = [entry("d-1", 2, "v1"), entry("d-2", 1, "v2")]
    ends = [at(one.ended) for one in past]
    made = {"d-1": [ends[0] - 10 * HOUR], "d-2": [ends[1] - hours * HOUR for hours in (1, 2, 3, 4)]}
    month, _ = figures(past, made, NOW)
    assert (month.lead_time, month.commits) == (3 * HOUR, 5)


def test_a_commit_of_the_future_took_no_time() -> None:
    month, _ = figures([entry("d-1", 2, "v1")], {"d-1": [NOW]}, NOW)
    assert month.lead_time == 0


def test_commits_of_a_deploy_that_did_not_come_to_a_good_end_are_not_counted() -> None:
    month, _ = figures([entry("d-1", 2, "v1", outcome="reverted")], {"d-1": [0.0]}, NOW)
    assert month.lead_time is None


def test_what_was_put_back_has_failed_and_recovered_in_its_own_time() -> None:
    past = [
        entry("d-1", 5, "v1"),
        entry("d-2", 4, "v2", outcome="reverted", took=30),
        entry("d-3", 3, "v2", outcome="reverted", took=90),
        entry("d-4", 2, "v2", outcome="failed"),
    ]
    month, _ = figures(past, {}, NOW)
    assert (month.failed, month.tried, month.failure_rate) == (3, 4, 0.75)
    assert (month.recovery, month.recovered) == (60, 2)


def test_a_rollback_makes_a_failure_of_the_deploy_that_it_left() -> None:
    past = [
        entry("d-1", 5, "v1"),
        entry("d-2", 4, "v2"),
        entry("d-3", 3, "v1", verb="rollback"),
        entry("d-4", 2, "v3"),
    ]
    assert {bad: by.deploy for bad, by in taken_back_by(past).items()} == {"d-2": "d-3"}
    month, _ = figures(past, {}, NOW)
    assert (month.deploys, month.failed, month.tried) == (3, 1, 3)
    assert (month.recovery, month.recovered) == (DAY, 1)


@pytest.mark.parametrize(
    ("runs", "bad"),
    [
        ("d v1, d v2, r v1, r v0", {"1": "2", "0": "3"}),
        ("d v1, d v2, d v3, r v1", {"2": "3"}),
        ("d v1, d v2, r v1, d v2, r v1", {"1": "2", "3": "4"}),
        ("d v1, r v1", {}),
        ("r v0", {}),
        ("d v1, d v2, x v1, d v3", {}),
    ],
)
def test_which_deploy_a_rollback_left(runs: str, bad: dict[str, str]) -> None:
    words = [run.split() for run in runs.split(", ")]
    past = [
        replace(
            entry(str(number), 9 - number, release, verb="deploy" if verb == "d" else "rollback"),
            outcome="reverted" if verb == "x" else "done",
        )
        for number, (verb, release) in enumerate(words)
    ]
    assert {left: by.deploy for left, by in taken_back_by(past).items()} == bad


def test_commits_are_those_since_what_ran_before() -> None:
    past = [
        entry("d-1", 9, "v1", commit="a"),
        entry("d-2", 8, "v2", commit="b", outcome="reverted"),
        entry("d-3", 7, "v3", commit="c"),
        entry("d-4", 6, "v3-other-settings", commit="c"),
        entry("d-5", 5, "v1", commit="a", verb="rollback"),
        entry("d-6", 4, "of-nobody-knows-what"),
        entry("d-7", 3, "v4", commit="d"),
    ]
    assert deployed_since(past) == {"d-1": ("", "a"), "d-3": ("a", "c"), "d-7": ("a", "d")}


def test_weeks_end_now_and_go_back_for_all_of_the_days() -> None:
    past = [
        entry("d-0", 92, "v0"),
        entry("d-1", 90, "v1"),
        entry("d-2", 6, "v2"),
        entry("d-3", 5, "v1", verb="rollback"),
        entry("d-4", 4, "v3", outcome="reverted"),
        entry("d-5", 0, "v4"),
    ]
    found = weeks(past, NOW)
    assert len(found) == 13
    assert [(one.stayed, one.failed) for one in found] == [(1, 0), *[(0, 0)] * 11, (1, 2)]
    assert found[-1].begins == NOW - 7 * DAY


def test_what_is_no_time_was_long_ago() -> None:
    past = [replace(entry("d-1", 1, "v1"), ended="yesterday")]
    month, quarter = figures(past, {}, NOW)
    assert (month.deploys, quarter.deploys) == (0, 0)


NOTHING = Figures(30, 0, 0, 0, None, 0, None, 0)
SOME = Figures(30, 9, 10, 2, 90000.0, 1, 72.0, 2)
MANY = Figures(90, 26, 40, 13, 266400.0, 120, 0.5, 1)


def test_in_words() -> None:
    assert in_words([NOTHING, SOME, MANY]) == [
        ("deploys", ["none", "9, 2.1 a week", "26, 2.0 a week"]),
        ("lead time", ["not known", "25 h 0 m, of 1 commit", "3 d 2 h, of 120 commits"]),
        ("failed", ["none tried", "2 of 10, 20%", "13 of 40, 32%"]),
        ("recovery", ["not known", "1 m 12 s, of 2 failures", "0.5 s, of 1 failure"]),
    ]

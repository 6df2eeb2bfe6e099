"""Past deploys out of the hosts' journals, and the way back through them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.errors import Refused
from deploy.facts import HostFacts, read
from deploy.history import Entry, entries, newer, none_is_newer, releases, way_back
from deploy.release import Release

FOLDER = Path(__file__).parent / "facts"


def line(minute: int, deploy: str, what: str, release: str = "v1-1", **more: Any) -> dict[str, Any]:
    return {
        "v": 1,
        "at": f"2026-01-02T03:{minute:02}:00Z",
        "deploy": deploy,
        "verb": "deploy",
        "release": release,
        "what": what,
        "reason": "",
        "by": "ada@laptop",
        **more,
    }


def facts(*lines: Any, having: tuple[str, ...] = ()) -> HostFacts:
    kept = {id_: Release(id_, id_.rpartition("-")[0], {}, "2026") for id_ in having}
    return HostFacts(journal=lines, releases=kept)


def in_short(found: list[Entry]) -> list[tuple[str, str, str]]:
    return [(one.deploy, one.tag, one.outcome) for one in found]


def test_one_deploy_over_two_hosts() -> None:
    found = entries(
        {
            "web-1": facts(line(1, "d-1", "settled"), line(4, "d-1", "done"), having=("v1-1",)),
            "web-2": facts(line(2, "d-1", "settled"), line(3, "d-1", "done"), having=("v1-1",)),
        }
    )
    assert found == [
        Entry(
            deploy="d-1",
            verb="deploy",
            release="v1-1",
            tag="v1",
            began="2026-01-02T03:01:00Z",
            ended="2026-01-02T03:04:00Z",
            by="ada@laptop",
            outcome="done",
            hosts=("web-1", "web-2"),
            reason="",
        )
    ]


def test_nothing_yet() -> None:
    assert entries({"web-1": facts(), "web-2": facts()}) == []
    assert way_back([]) == []


OUTCOMES = {
    "done": ([line(1, "d", "settled"), line(2, "d", "done")], "done", ""),
    "failed while it was staged": (
        [line(1, "d", "failed", reason="web is unhealthy")],
        "failed",
        "web is unhealthy",
    ),
    "taken back before it settled": ([line(1, "d", "reverted", reason="x")], "reverted", "x"),
    "taken back after it settled": (
        [
            line(1, "d", "settled", "v2-2"),
            line(2, "d", "failed", "v2-2", reason="web answers 500"),
            line(3, "d", "settled", "v1-1", verb="revert"),
        ],
        "reverted",
        "web answers 500",
    ),
    "taken back after its end was written down": (
        [
            line(1, "d", "settled", "v2-2"),
            line(2, "d", "done", "v2-2"),
            line(3, "d", "settled", "v1-1", verb="revert"),
        ],
        "reverted",
        "",
    ),
    "killed": ([line(1, "d", "settled")], "unfinished", ""),
    "the database alone": ([line(1, "d", "rehearsed", reason="1 migration")], "rehearsed", ""),
    "killed after a rehearsal": (
        [line(1, "d", "rehearsed", reason="1 migration"), line(2, "d", "settled")],
        "unfinished",
        "",
    ),
}


@pytest.mark.parametrize(("lines", "outcome", "reason"), OUTCOMES.values(), ids=OUTCOMES.keys())
def test_outcome(lines: list[dict[str, Any]], outcome: str, reason: str) -> None:
    (found,) = entries({"web-1": facts(*lines)})
    assert (found.outcome, found.reason) == (outcome, reason)
    assert found.verb == "deploy"
    # The release that was wanted, and not the one that was gone back to.
    assert found.release == lines[0]["release"]
    assert way_back([found]) == ([found.release] if outcome == "done" else [])


def test_a_host_that_only_went_back_names_the_release_that_was_wanted() -> None:
    (found,) = entries(
        {
            "web-1": facts(line(3, "d", "settled", "v1-1", verb="revert")),
            "web-2": facts(line(2, "d", "failed", "v2-2", reason="unhealthy")),
        }
    )
    assert (found.release, found.verb, found.outcome) == ("v2-2", "deploy", "reverted")


def test_only_going_back_was_written_down() -> None:
    (found,) = entries({"web-1": facts(line(3, "d", "settled", "v1-1", verb="revert"))})
    assert (found.verb, found.outcome) == ("revert", "reverted")
    assert way_back([found]) == []


@pytest.mark.parametrize(
    "other",
    [
        line(9, "d-9", "done", v=2),
        {"v": 1, "deploy": "d-9"},
        {},
        5,
        "text",
        None,
        ["v"],
    ],
)
def test_lines_of_a_newer_headway_and_broken_ones_are_passed_over(other: Any) -> None:
    found = entries({"web-1": facts(line(1, "d-1", "done"), other)})
    assert in_short(found) == [("d-1", "v1", "done")]


def test_a_way_back_is_not_looked_for_past_what_a_newer_headway_wrote() -> None:
    hosts = {
        "web-1": facts(line(1, "d-1", "done"), line(9, "d-9", "done", v=2)),
        "web-2": facts(line(1, "d-1", "done"), {"v": "2"}, {"v": 0}, 5, None),
    }
    assert newer(hosts) == ["web-1"]
    with pytest.raises(Refused, match="has written in the journal of web-1, so the") as refused:
        none_is_newer(hosts)
    assert refused.value.exit_code == 3
    assert "pip install --upgrade headway; or say where to: --to TAG" in refused.value.mend
    none_is_newer({"web-2": hosts["web-2"]})


def test_a_release_whose_files_are_gone_keeps_its_tag() -> None:
    found = entries({"web-1": facts(line(1, "d-1", "done", "2026-01-rc.1-0a1b2c3d"))})
    assert in_short(found) == [("d-1", "2026-01-rc.1", "done")]
    assert way_back(found) == ["2026-01-rc.1-0a1b2c3d"]


def test_releases_are_those_of_all_hosts() -> None:
    found = releases({"web-1": facts(having=("v1-1", "v2-2")), "web-2": facts(having=("v3-3",))})
    assert {id_: one.tag for id_, one in found.items()} == {
        "v1-1": "v1",
        "v2-2": "v2",
        "v3-3": "v3",
    }


# --- clocks --------------------------------------------------------------------------------------


def order(hosts: dict[str, HostFacts]) -> list[str]:
    return [one.deploy for one in entries(hosts)]


def test_a_host_added_later_may_have_a_slow_clock() -> None:
    old = facts(line(10, "d-1", "done"), line(20, "d-2", "done"), line(30, "d-3", "done"))
    slow = facts(line(5, "d-2", "done"), line(6, "d-3", "done"))
    assert order({"web-1": old, "web-2": slow}) == ["d-1", "d-2", "d-3"]
    assert order({"web-2": slow, "web-1": old}) == ["d-1", "d-2", "d-3"]


def test_a_clock_that_was_set_back() -> None:
    assert order({"web-1": facts(line(30, "d-1", "done"), line(10, "d-2", "done"))}) == [
        "d-1",
        "d-2",
    ]


def test_deploys_of_different_hosts_are_ordered_by_their_times() -> None:
    assert order(
        {
            "web-1": facts(line(10, "d-z", "failed"), line(40, "d-w", "done")),
            "web-2": facts(line(20, "d-y", "failed"), line(40, "d-w", "done")),
            "web-3": facts(line(30, "d-x", "failed"), line(40, "d-w", "done")),
        }
    ) == ["d-z", "d-y", "d-x", "d-w"]


def test_hosts_that_contradict_each_other() -> None:
    """Two deploys at once, each first on another host: the earlier one by the clock comes first."""
    one = facts(line(10, "d-1", "settled"), line(20, "d-2", "settled"), line(50, "d-3", "done"))
    two = facts(line(11, "d-2", "settled"), line(21, "d-1", "settled"), line(50, "d-3", "done"))
    assert order({"web-1": one, "web-2": two}) == ["d-1", "d-2", "d-3"]
    assert order({"web-2": two, "web-1": one}) == ["d-1", "d-2", "d-3"]


# --- the way back --------------------------------------------------------------------------------


def past(text: str) -> list[Entry]:
    """Entries out of `deploy v1, rollback v1, deploy v2 failed`."""
    found = []
    for number, words in enumerate(part.split() for part in text.split(",") if part.strip()):
        verb, release, *outcome = words
        found.append(
            Entry(
                deploy=f"d-{number}",
                verb=verb,
                release=release,
                tag=release,
                began="",
                ended="",
                by="",
                outcome=outcome[0] if outcome else "done",
                hosts=(),
                reason="",
            )
        )
    return found


@pytest.mark.parametrize(
    ("text", "stack"),
    [
        ("", ""),
        ("deploy v1", "v1"),
        ("deploy v1, deploy v2", "v1 v2"),
        ("deploy v1, deploy v1", "v1"),
        # A rollback takes off what it left.
        ("deploy v1, deploy v2, rollback v1", "v1"),
        ("deploy v1, deploy v2, rollback v1, deploy v3", "v1 v3"),
        ("deploy v1, deploy v2, deploy v3, rollback v2, rollback v1", "v1"),
        ("deploy v1, deploy v2, deploy v3, rollback v1", "v1"),
        # Forward again by hand is a step like any other.
        ("deploy v1, deploy v2, rollback v1, deploy v2", "v1 v2"),
        ("deploy v1, deploy v2, rollback v1, rollback v2", "v1 v2"),
        # What was deployed twice is gone back to at its last time.
        ("deploy v1, deploy v2, deploy v1", "v1 v2 v1"),
        ("deploy v1, deploy v2, deploy v1, deploy v3, rollback v1", "v1 v2 v1"),
        # What was left is not gone back to, however often it was deployed before.
        ("deploy v1, deploy v2, deploy v1, rollback v2", "v2"),
        ("deploy v2, deploy v1, deploy v2, rollback v1", "v1"),
        ("deploy v1, deploy v2, deploy v1, deploy v2, rollback v1", "v1"),
        ("deploy v1, deploy v2, rollback v2", "v1 v2"),
        # A recovery finishes what somebody began, or goes back.
        ("deploy v1, deploy v2 unfinished, recover v2", "v1 v2"),
        ("deploy v1, deploy v2 unfinished, recover v1", "v1"),
        ("deploy v1, deploy v2, rollback v1 unfinished, recover v1", "v1"),
        # Only what ended well counts.
        ("deploy v1, deploy v2 reverted", "v1"),
        ("deploy v1, deploy v2 failed, deploy v3", "v1 v3"),
        ("deploy v1, deploy v2 unfinished, deploy v3", "v1 v3"),
        ("deploy v1, deploy v2, rollback v1 failed", "v1 v2"),
        ("deploy v1 failed", ""),
        # Its deploy is older than the journal: it is where things are now.
        ("rollback v1", "v1"),
    ],
)
def test_way_back(text: str, stack: str) -> None:
    assert way_back(past(text)) == stack.split()


# --- as hosts really wrote it --------------------------------------------------------------------


def test_real_journals() -> None:
    hosts = {
        name: read((FOLDER / f"{name}.jsonl").read_text().splitlines())
        for name in ("web-1", "db-1")
    }
    found = entries(hosts)
    assert [(one.verb, one.tag, one.outcome) for one in found] == [
        ("deploy", "v1", "done"),
        ("deploy", "v2", "done"),
        ("deploy", "a1", "done"),
        ("deploy", "a2", "done"),
        ("deploy", "a3", "done"),
        ("deploy", "a1", "done"),
        ("deploy", "a2", "done"),
        ("deploy", "bad", "reverted"),
        ("rollback", "a1", "done"),
    ]
    assert [one.rpartition("-")[0] for one in way_back(found)] == [
        "v1",
        "v2",
        "a1",
        "a3",
        "a1",
    ]
    assert all(one.hosts == ("web-1", "db-1") for one in found)
    assert [one.began for one in found] == sorted(one.began for one in found)

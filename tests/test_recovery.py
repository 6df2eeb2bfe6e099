"""What is decided about a run that died: from its record and from what is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deploy.errors import Held, Refused
from deploy.events import Outcome, RunEnded
from deploy.facts import HostFacts, Unfinished
from deploy.journal import Dead, away_from, began, dead, ended
from deploy.recovery import about, recovery
from deploy.release import Release

HOSTS = ("web-1", "web-2")


def release(tag: str) -> Release:
    images = {"web": f"shop@sha256:{'0' * 64}"}
    return Release(f"{tag}-1", tag, images, "2026-01-01T00:00:00Z")


OLD, NEW = release("v1"), release("v2")


def facts(on: str, unfinished: str = "", phase: str = "") -> HostFacts:
    return HostFacts(
        release=on and f"{on}-1",
        unfinished=Unfinished(f"{unfinished}-1", "d-1", phase) if unfinished else None,
        releases={OLD.id: OLD, NEW.id: NEW},
    )


def run(*more: dict[str, Any], verb: str = "deploy", to: str = "v2", on: str = "v1") -> list[Dead]:
    first = began("d-1", verb, release(to), "ana", dict.fromkeys(HOSTS, facts(on)))
    lines = [
        {"v": 1, "run": "d-1", "at": "2026-01-01T00:00:00Z", **line} for line in (first, *more)
    ]
    return dead(lines)


def did(step: str, *hosts: str) -> list[dict[str, Any]]:
    return [{"what": "did", "step": step, "host": host} for host in hosts]


def test_nothing_was_left() -> None:
    assert recovery([], {"web-1": facts("v1")}) is None


def test_one_that_died_before_it_changed_anything_is_undone_by_doing_nothing() -> None:
    found = recovery(run(), dict.fromkeys(HOSTS, facts("v1")))
    assert found is not None
    assert (found.way, found.target, found.mends) == ("undo", OLD, {})


def test_one_host_is_on_the_new_release() -> None:
    found = recovery(run(), {"web-1": facts("v2"), "web-2": facts("v1", "v2", "staged")})
    assert found is not None
    assert (found.way, found.target) == ("undo", OLD)
    assert found.mends == {"web-2": "abandon"}
    assert found.why == "only web-1 had come to the end of it"


def test_all_hosts_are_on_the_new_release() -> None:
    found = recovery(run(), dict.fromkeys(HOSTS, facts("v2")))
    assert found is not None
    assert (found.way, found.target, found.mends) == ("finish", NEW, {})
    assert found.provided, "the site was not asked yet, and a deploy would be put back"
    assert found.why == (
        "every host serves v2 and has passed its bake; what was not asked yet has the last word"
    )


def test_all_that_could_fail_had_passed() -> None:
    here = dict.fromkeys(HOSTS, facts("v2"))
    found = recovery(run(*did("smoke", "web-1"), *did("smoke", "")), here)
    assert found is not None
    assert (found.way, found.provided) == ("finish", False)
    assert found.why == "every host serves v2 and had passed all that could fail"
    first = recovery(run(*did("smoke", "web-1")), here)
    assert first is not None
    assert first.provided, "one host was asked, before the others were rolled"


def test_a_host_that_was_not_read_has_not_passed() -> None:
    found = recovery(run(), {"web-1": facts("v2")})
    assert found is not None
    assert (found.way, found.target) == ("undo", OLD)


def test_what_was_about_some_hosts_is_brought_to_an_end_on_those() -> None:
    here = {"web-1": facts("v2"), "web-2": facts("v2"), "web-3": facts("v1"), "web-4": facts("v1")}
    here["web-4"] = facts("v1", "v2", "staged")
    assert [*about(run(), here, here)] == ["web-1", "web-2", "web-4"]
    assert [*about(run(), here, ["web-1", "web-3"])] == ["web-1"]
    assert [*about([], here, here)] == [*here]


@pytest.mark.parametrize(
    ("way", "phase", "switched", "words"),
    [
        (None, "staged", False, "is taken back"),
        (None, "settling", False, "goes on to its end, and the host back to v1"),
        ("finish", "staged", False, "is begun anew"),
        ("finish", "switched", True, "goes on to its end"),
    ],
)
def test_what_comes_of_a_host_in_words(way: Any, phase: str, switched: bool, words: str) -> None:
    left = run(*did("switch", "web-2") if switched else [])
    found = recovery(left, {"web-1": facts("v1"), "web-2": facts("v1", "v2", phase)}, way)
    assert found is not None
    assert found.of("web-2") == words


def test_the_last_host_was_settling() -> None:
    found = recovery(run(), {"web-1": facts("v2"), "web-2": facts("v1", "v2", "settling")})
    assert found is not None
    assert (found.way, found.mends) == ("finish", {"web-2": "settle"})


def test_the_last_host_had_passed_its_bake() -> None:
    here = {"web-1": facts("v2"), "web-2": facts("v1", "v2", "switched")}
    found = recovery(run(*did("switch", "web-2")), here)
    assert found is not None
    assert (found.way, found.mends) == ("finish", {"web-2": "settle"})


def test_a_roll_that_a_failed_recovery_has_left_is_not_the_one_that_had_passed() -> None:
    """It was on its way back to v1, and is only staged: there is nothing to settle."""
    staged = HostFacts(
        release=NEW.id,
        unfinished=Unfinished(OLD.id, "d-2", "staged"),
        releases=facts("v1").releases,
    )
    switched = replace(staged, unfinished=Unfinished(OLD.id, "d-2", "switched"))
    for left in (staged, switched):
        found = recovery(run(*did("switch", "web-1")), {"web-1": left, "web-2": facts("v1")})
        assert found is not None
        assert (found.target, found.mends) == (OLD, {"web-1": "abandon"})


def test_the_last_host_was_in_its_bake() -> None:
    found = recovery(run(), {"web-1": facts("v2"), "web-2": facts("v1", "v2", "switched")})
    assert found is not None
    assert (found.way, found.target, found.mends) == ("undo", OLD, {"web-2": "abandon"})


def test_what_is_settling_can_only_go_on_and_then_back() -> None:
    found = recovery(run(), {"web-1": facts("v1", "v2", "settling"), "web-2": facts("v1")})
    assert found is not None
    assert (found.way, found.target, found.mends) == ("undo", OLD, {"web-1": "settle"})


def test_a_rollback_is_finished() -> None:
    left = run(verb="rollback", to="v1", on="v2")
    found = recovery(left, {"web-1": facts("v1"), "web-2": facts("v2")})
    assert found is not None
    assert (found.way, found.target) == ("finish", OLD)
    assert away_from(left) == OLD.id


@pytest.mark.parametrize(("asked", "target"), [("finish", NEW), ("undo", OLD)])
def test_somebody_chooses(asked: Any, target: Release) -> None:
    here = {"web-1": facts("v2"), "web-2": facts("v1")}
    found = recovery(run(), here, asked)
    assert found is not None
    assert (found.way, found.why, found.target) == (asked, "as was asked", target)


def test_a_first_deploy_leaves_nothing_to_go_back_to() -> None:
    found = recovery(run(on=""), {"web-1": facts("", "v2", "staged"), "web-2": facts("")})
    assert found is not None
    assert (found.way, found.target, found.mends) == ("undo", None, {"web-1": "abandon"})


def test_nobody_wrote_it_down() -> None:
    here = {"web-1": facts("v1", "v2", "staged"), "web-2": facts("v1")}
    found = recovery([], here)
    assert found is not None
    assert (found.way, found.mends) == ("undo", {"web-1": "abandon"})
    with pytest.raises(Refused, match="no record"):
        recovery([], here, "finish")


def test_files_that_are_gone() -> None:
    here = {"web-1": HostFacts(release="v2-1"), "web-2": facts("v1")}
    gone = {host: HostFacts(release=one.release) for host, one in here.items()}
    with pytest.raises(Refused, match="v1-1 are no longer on any host"):
        recovery(run(), gone)


def test_a_rollback_after_a_dead_deploy_goes_to_where_that_began() -> None:
    assert away_from(run()) == OLD.id
    assert away_from([]) is None
    assert away_from(run(on="")) is None


def test_a_stopped_run_has_no_end_and_others_have() -> None:
    def line(outcome: Outcome) -> str:
        return str(ended(RunEnded(outcome=outcome, exit_code=0, seconds=0, message=""))["what"])

    assert line(Outcome.CANCELLED) == "stopped"
    for outcome in set(Outcome) - {Outcome.CANCELLED}:
        assert line(outcome) == "ended"


def test_a_run_that_has_lost_its_lease_has_no_end() -> None:
    lost = RunEnded(outcome=Outcome.REFUSED, exit_code=Held.exit_code, seconds=0, message="")
    assert ended(lost)["what"] == "stopped"
    assert len(run(ended(lost))) == 1


def test_what_another_run_has_ended_stays_so_whatever_its_owner_writes_later() -> None:
    """It slept, its lease was taken over, and when it wakes up it has a line in its hands."""
    closed = {"what": "ended", "outcome": "recovered", "by": "d-2"}
    assert run(closed, {"what": "doing", "step": "stage", "host": "web-1"}) == []
    assert run(closed, {"what": "stopped", "outcome": "refused", "exit": 6}) == []


def test_in_words() -> None:
    found = recovery(run({"what": "stopped"}), dict.fromkeys(HOSTS, facts("v1")))
    assert str(found) == (
        "deploy of v2 by ana, begun 2026-01-01 00:00:00 UTC, was stopped in the middle: "
        "taking it back, as no host had come to the end of it"
    )


def test_a_line_of_a_newer_headway() -> None:
    with pytest.raises(Refused, match="newer version of Headway") as refused:
        dead([{"v": 2, "run": "d-1", "what": "began"}])
    assert refused.value.exit_code == 3


def test_a_record_that_ends_before_its_beginning_says_nothing() -> None:
    assert dead([{"v": 1, "run": "d-1", "at": "", "what": "did", "step": "x", "host": ""}]) == []


def test_where_a_newer_headway_was_at_work_nobody_here_knows_where_to_go_back_to() -> None:
    """Without a record that says it, the journals do; and they can't be read."""
    left = facts("v1", "v2", "staged")
    newer = HostFacts(left.user, releases=left.releases, journal=({"v": 2},))
    with pytest.raises(Refused, match="newer version of Headway has written in the journal"):
        recovery([], {"web-1": left, "web-2": newer})
    found = recovery(run(), {"web-1": left, "web-2": newer})
    assert found is not None
    assert found.target == OLD, "the record says where it began"

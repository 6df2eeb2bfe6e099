"""A step that fails: what is put back, and what is stuck."""

from __future__ import annotations

import threading

import pytest

from deploy.errors import CommandFailed, HeadwayError, NeedsPerson, Refused

from .walk import Walk, raises


def test_a_failure_waits_for_the_others_of_its_phase() -> None:
    walk = Walk()
    failed = threading.Event()

    def slow() -> None:
        assert failed.wait(10)
        walk.log.append("stage b ended")

    def fail() -> None:
        failed.set()
        raise CommandFailed("a", "unhealthy", exit_code=1)

    failure = walk.run.walk(
        [
            [walk.step("stage", "a", fail), walk.step("stage", "b", slow)],
            [walk.step("switch", "a"), walk.step("switch", "b")],
        ]
    )
    assert failure
    assert (failure.step.name, failure.step.host, str(failure.error)) == (
        "stage",
        "a",
        "a: unhealthy",
    )
    assert failure.reverted
    assert failure.stuck == []
    ended = walk.log.index("stage b ended")
    assert sorted(walk.log[ended + 1 :]) == ["undo stage a", "undo stage b"]
    assert "switch a" not in walk.log


def test_the_furthest_step_of_each_host_is_undone_and_every_global_one() -> None:
    walk = Walk()
    bad = CommandFailed("b", "answers 500", exit_code=1)
    failure = walk.run.walk(
        [
            [walk.step("pull", host) for host in "abc"],
            [walk.step("migrate")],
            [walk.step("lease")],
            [walk.step("stage", "a")],
            [walk.step("switch", "a")],
            [walk.step("settle", "a")],
            [walk.step("stage", "b")],
            [walk.step("switch", "b", raises(bad))],
            [walk.step("settle", "b")],
            [walk.step("stage", "c")],
        ]
    )
    assert failure
    assert failure.error is bad
    undone = [line for line in walk.log if line.startswith("undo ")]
    assert sorted(undone) == [
        "undo lease",
        "undo migrate",
        "undo pull c",
        "undo settle a",
        "undo switch b",
    ]
    assert walk.log[: -len(undone)][-1] == "switch b"


def test_a_host_may_have_the_name_of_a_step() -> None:
    walk = Walk()
    walk.run.walk(
        [
            [walk.step("settle", "verify")],
            [walk.step("verify", do=raises(NeedsPerson("not as it should be")))],
        ]
    )
    assert sorted(walk.log[-2:]) == ["undo settle verify", "undo verify"]


def test_without_revert_all_stays() -> None:
    walk = Walk()
    failure = walk.run.walk(
        [[walk.step("stage", "a", raises(NeedsPerson("no")))], [walk.step("switch", "a")]],
        revert=False,
    )
    assert failure
    assert not failure.reverted
    assert walk.log == ["stage a"]


def test_what_cannot_be_put_back_is_stuck_and_the_others_are_not() -> None:
    walk = Walk()
    gone = CommandFailed("a", "gone", exit_code=1)
    failure = walk.run.walk(
        [
            [walk.step("stage", "a", undo_=raises(gone)), walk.step("stage", "b")],
            [walk.step("switch", "b", raises(NeedsPerson("no")))],
        ]
    )
    assert failure
    assert failure.stuck == [("a", gone)]
    assert sorted(walk.log[-2:]) == ["undo stage a", "undo switch b"]
    assert "stage a: stuck, a: gone" in walk.seen()
    assert "switch b: undone, put back" in walk.seen()


def test_a_global_step_that_is_stuck_goes_by_its_name() -> None:
    walk = Walk()
    error = NeedsPerson("the database")
    failure = walk.run.walk(
        [[walk.step("migrate", undo_=raises(error))], [walk.step("stage", "a", raises(error))]]
    )
    assert failure
    assert failure.stuck == [("migrate", error)]


def test_undoing_nothing_says_nothing() -> None:
    walk = Walk()
    walk.run.walk(
        [[walk.step("pull", "a", undone="")], [walk.step("migrate", do=raises(NeedsPerson("x")))]]
    )
    assert [line for line in walk.seen() if "undone" in line] == ["migrate: undone, put back"]


def test_a_failure_while_asked_to_stop_is_put_back() -> None:
    """The fleet must not be left mixed because somebody pressed a key at the same moment."""
    walk = Walk()

    def act() -> None:
        walk.cancel.set()
        raise NeedsPerson("unhealthy")

    failure = walk.run.walk([[walk.step("stage", "a", act)], [walk.step("switch", "a")]])
    assert failure
    assert walk.log == ["stage a", "undo stage a"]


@pytest.mark.parametrize("error", [ValueError("odd"), KeyError("odd"), OSError(28, "full")])
def test_a_fault_of_our_own_is_put_back_too(error: Exception) -> None:
    walk = Walk()
    failure = walk.run.walk(
        [
            [walk.step("settle", "a"), walk.step("settle", "b")],
            [walk.step("stage", "c", raises(error)), walk.step("stage", "d")],
        ]
    )
    assert failure
    assert isinstance(failure.error, HeadwayError)
    assert failure.error.__cause__ is error
    assert failure.error.message == (f"a fault in Headway itself ({type(error).__name__}: {error})")
    assert "Traceback" in failure.error.state
    assert "walk.py" in failure.error.state
    assert sorted(walk.log[-4:]) == [
        "undo settle a",
        "undo settle b",
        "undo stage c",
        "undo stage d",
    ]


def test_a_fault_of_our_own_on_the_way_back_is_stuck() -> None:
    walk = Walk()
    failure = walk.run.walk(
        [
            [walk.step("settle", "a", undo_=raises(ValueError("odd"))), walk.step("settle", "b")],
            [walk.step("stage", "b", raises(NeedsPerson("no")))],
        ]
    )
    assert failure
    assert [host for host, _ in failure.stuck] == ["a"]
    assert "undo stage b" in walk.log


def test_a_refusal_before_anything_was_touched_is_one() -> None:
    walk = Walk()
    pull = walk.step("pull", "a", touches=False)
    backup = walk.step("backup", "db", do=raises(Refused("no room")), touches=False)
    with pytest.raises(Refused, match="no room"):
        walk.run.walk([[pull], [backup], [walk.step("stage", "a")]])
    assert walk.log == ["pull a", "backup db"]


def test_a_step_that_refuses_has_touched_nothing_itself() -> None:
    walk = Walk()
    with pytest.raises(Refused):
        walk.run.walk([[walk.step("migrate", do=raises(Refused("it has moved")))]])
    assert walk.log == ["migrate"]


def test_a_refusal_after_something_was_touched_is_put_back() -> None:
    walk = Walk()
    late = walk.step("migrate", do=raises(Refused("it has moved")))
    failure = walk.run.walk([[walk.step("stage", "a")], [late]])
    assert failure is not None
    assert failure.reverted
    assert "undo stage a" in walk.log


def test_a_step_after_which_nothing_is_put_back() -> None:
    walk = Walk()
    last = walk.step("contract", do=raises(NeedsPerson("it failed")), reverts=False)
    failure = walk.run.walk([[walk.step("settle", "a")], [last]])
    assert failure is not None
    assert not failure.reverted
    assert walk.log == ["settle a", "contract"]

"""The walk over phases: order, failure, the way back, and being asked to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import Cancelled, CommandFailed, HeadwayError, Held, NeedsPerson, Refused
from deploy.events import (
    Event,
    StepDone,
    StepFailed,
    StepSaid,
    StepStarted,
    StepUndone,
    Stream,
    Warned,
)
from deploy.remote.arrows import ArrowFailed, Fenced
from deploy.remote.script import Report
from deploy.run import AT_ONCE, Run

if TYPE_CHECKING:
    from deploy.steps.step import Say

Action = Callable[[], None]


@dataclass
class Stub:
    """A step that writes down what is done with it."""

    log: list[str]
    name: str
    host: str = ""
    do_: Action = lambda: None
    undo_: Action = lambda: None
    undone: str = "put back"
    says: list[tuple[str, bool]] = field(default_factory=list)
    touches: bool = True
    reverts: bool = True

    @property
    def label(self) -> str:
        return f"{self.name} {self.host}".strip()

    def do(self, say: Say) -> str:
        self.log.append(self.label)
        for text, warning in self.says:
            say(text, warning)
        self.do_()
        return f"{self.label} done"

    def undo(self, say: Say) -> str:
        del say
        self.log.append(f"undo {self.label}")
        self.undo_()
        return self.undone


class Walk:
    """A run with a log of its steps and of its events."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.events: list[Event] = []
        self.stream = Stream()
        self.stream.listen(self.events.append)
        self.cancel = threading.Event()
        self.run = Run(self.stream, self.cancel)

    def step(self, name: str, host: str = "", do: Action = lambda: None, **more: object) -> Stub:
        return Stub(self.log, name, host, do, **more)  # type: ignore[arg-type]

    def seen(self) -> list[str]:
        return [shown(event) for event in self.events]


def shown(event: Event) -> str:
    where = f"{getattr(event, 'step', '')} {getattr(event, 'host', '')}".strip()
    match event:
        case StepStarted():
            return f"{where}: started"
        case StepDone():
            return f"{where}: done, {event.detail}"
        case StepFailed():
            return f"{where}: failed, {event.reason}"
        case StepUndone():
            return f"{where}: {'undone' if event.ok else 'stuck'}, {event.text}"
        case StepSaid() | Warned():
            return f"{where}: {type(event).__name__} {event.text}"
        case _:
            raise AssertionError(event)


def raises(error: BaseException) -> Action:
    def act() -> None:
        raise error

    return act


def test_phases_go_one_after_the_other() -> None:
    walk = Walk()
    failure = walk.run.walk(
        [
            [walk.step("pull", "a")],
            [walk.step("migrate")],
            [walk.step("stage", "a")],
            [],
            [walk.step("switch", "a")],
        ]
    )
    assert failure is None
    assert walk.log == ["pull a", "migrate", "stage a", "switch a"]
    assert walk.seen() == [
        line for label in walk.log for line in (f"{label}: started", f"{label}: done, {label} done")
    ]


def test_what_a_step_says_is_an_event() -> None:
    walk = Walk()
    walk.run.walk([[walk.step("stage", "a", says=[("pulling", False), ("slow", True)])]])
    assert walk.seen() == [
        "stage a: started",
        "stage a: StepSaid pulling",
        "a: Warned slow",
        "stage a: done, stage a done",
    ]


def meet(others: threading.Barrier) -> None:
    others.wait(10)


def test_the_steps_of_a_phase_go_at_once() -> None:
    walk = Walk()
    together = threading.Barrier(AT_ONCE)
    hosts = [f"h-{number}" for number in range(AT_ONCE)]
    steps = [walk.step("stage", host, lambda: meet(together)) for host in hosts]
    assert walk.run.walk([steps]) is None
    assert sorted(walk.log) == sorted(f"stage {host}" for host in hosts)


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


def test_cancelled_between_phases() -> None:
    walk = Walk()
    with pytest.raises(Cancelled) as caught:
        walk.run.walk(
            [
                [walk.step("stage", "a", walk.cancel.set), walk.step("stage", "b")],
                [walk.step("switch", "a")],
            ]
        )
    assert caught.value.exit_code == 130
    assert sorted(walk.log) == ["stage a", "stage b"]
    assert len([line for line in walk.seen() if "done," in line]) == 2


def test_cancelled_before_the_first_phase() -> None:
    walk = Walk()
    walk.cancel.set()
    with pytest.raises(Cancelled):
        walk.run.walk([[walk.step("stage", "a")]])
    assert walk.events == []


def test_cancelled_during_the_last_phase_is_too_late() -> None:
    walk = Walk()
    assert walk.run.walk([[walk.step("settle", "a", walk.cancel.set)]]) is None


def test_a_failure_while_asked_to_stop_is_put_back() -> None:
    """The fleet must not be left mixed because somebody pressed a key at the same moment."""
    walk = Walk()

    def act() -> None:
        walk.cancel.set()
        raise NeedsPerson("unhealthy")

    failure = walk.run.walk([[walk.step("stage", "a", act)], [walk.step("switch", "a")]])
    assert failure
    assert walk.log == ["stage a", "undo stage a"]


def test_the_reason_and_the_detail_that_are_shown() -> None:
    walk = Walk()
    arrow = ArrowFailed("a", "web is unhealthy", "line 1\nline 2", Report(), "500 oops")
    walk.run.walk([[walk.step("stage", "a", raises(arrow))]])
    error = HeadwayError("they do not fit", state="nothing applied", mend="mend it")
    walk.run.walk([[walk.step("migrate", do=raises(error))]])
    late = Refused("it has changed", state="nothing applied", mend="deploy again")
    walk.run.walk([[walk.step("contract", do=raises(late))]])
    failed = [event for event in walk.events if isinstance(event, StepFailed)]
    assert [(event.host, event.reason, event.detail) for event in failed] == [
        ("a", "web is unhealthy", "line 1\nline 2"),
        ("", "they do not fit", "nothing applied\nmend it"),
        ("", "it has changed", "nothing applied\ndeploy again"),
    ]
    assert [event.seen for event in failed] == ["500 oops", "", ""]


def test_a_run_that_ends_as_refused_says_once_what_to_type() -> None:
    walk = Walk()
    refused = Refused("no room", state="nothing is made", mend="make room")
    with pytest.raises(Refused, match="make room"):
        walk.run.walk([[walk.step("backup", "a", raises(refused), touches=False)]])
    (failed,) = (event for event in walk.events if isinstance(event, StepFailed))
    assert (failed.reason, failed.detail) == ("no room", "nothing is made")


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
    assert "test_run.py" in failure.error.state
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


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_is_not_swallowed(stop: type[BaseException]) -> None:
    walk = Walk()
    with pytest.raises(stop):
        walk.run.walk([[walk.step("stage", "a", raises(stop()))]])


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


class Book:
    """A record, which may say after some lines that the lease is somebody else's, or be silent."""

    def __init__(self, log: list[str], lost_at: int = 99, silent_at: int = 99) -> None:
        self.log, self.lost_at, self.silent_at, self.lines = log, lost_at, silent_at, 0

    @property
    def unheard(self) -> str:
        return "nobody has answered" if self.lines >= self.silent_at else ""

    def note(self, *lines: Mapping[str, Any]) -> None:
        for line in lines:
            self.log.append(f"{line['what']}: {line['step']} {line['host']}".rstrip())
        self.lines += len(lines)

    def record(self, *lines: Mapping[str, Any]) -> None:
        self.note(*lines)
        if self.lines >= self.lost_at:
            raise Held("somebody has it")


def test_a_line_before_and_after_each_step_and_before_it_begins() -> None:
    log: list[str] = []
    run = Run(Stream(), threading.Event(), Book(log))
    assert run.walk([[Stub(log, "stage", "a")], [Stub(log, "switch", "a")]]) is None
    assert log == [
        "doing: stage a",
        "stage a",
        "did: stage a",
        "doing: switch a",
        "switch a",
        "did: switch a",
    ]


def test_a_step_that_has_ended_waits_for_no_other_to_be_written_down() -> None:
    """One host may drain for minutes; that another has passed its bake is not held back by it."""
    log: list[str] = []
    written = threading.Event()

    class Watched(Book):
        def note(self, *lines: Mapping[str, Any]) -> None:
            super().note(*lines)
            if "did: switch a" in self.log:
                written.set()

    def drain() -> None:
        assert written.wait(10)

    run = Run(Stream(), threading.Event(), Watched(log))
    assert run.walk([[Stub(log, "switch", "a"), Stub(log, "settle", "b", do_=drain)]]) is None
    assert log.index("did: switch a") < log.index("did: settle b")


def test_while_nothing_can_be_written_no_phase_is_begun_and_all_is_put_back() -> None:
    log: list[str] = []
    run = Run(Stream(), threading.Event(), Book(log, silent_at=3))
    failure = run.walk([[Stub(log, "stage", "a")], [Stub(log, "switch", "a")]])
    assert failure is not None
    assert failure.reverted
    assert failure.error.message == "not begun: nobody has answered"
    assert [line for line in log if ":" not in line] == ["stage a", "undo stage a"]


def test_what_changes_nothing_goes_on_where_nothing_can_be_written() -> None:
    log: list[str] = []
    purge = Stub(log, "purge", touches=False, reverts=False)
    assert Run(Stream(), threading.Event(), Book(log, silent_at=0)).walk([[purge]]) is None
    assert "purge" in log


def test_a_way_back_is_written_down_before_it_is_gone() -> None:
    log: list[str] = []

    def fail() -> None:
        raise CommandFailed("a", "no", exit_code=1)

    run = Run(Stream(), threading.Event(), Book(log))
    run.walk([[Stub(log, "stage", "a", do_=fail)]])
    assert log == [
        "doing: stage a",
        "stage a",
        "failed: stage a",
        "undoing: stage a",
        "undo stage a",
        "undone: stage a",
    ]


def test_once_the_lease_is_lost_nothing_is_begun_and_nothing_put_back() -> None:
    log: list[str] = []
    run = Run(Stream(), threading.Event(), Book(log, lost_at=3))
    with pytest.raises(Held):
        run.walk([[Stub(log, "stage", "a")], [Stub(log, "switch", "a")]])
    assert log == ["doing: stage a", "stage a", "did: stage a", "doing: switch a"]


def test_a_host_that_has_seen_a_later_lease_ends_it_all() -> None:
    log: list[str] = []

    def refuse() -> None:
        raise Fenced("a: somebody has taken the lease over")

    with pytest.raises(Fenced):
        Run(Stream(), threading.Event()).walk([[Stub(log, "stage", "a", do_=refuse)]])
    assert log == ["stage a"]


def test_after_the_time_for_all_of_it_nothing_is_begun_and_all_is_put_back() -> None:
    log: list[str] = []
    times = iter([0.0, 1.0, 61.0])
    run = Run(Stream(), threading.Event(), limit=60, clock=lambda: next(times))
    failure = run.walk([[Stub(log, "stage", "a")], [Stub(log, "switch", "a")]])
    assert failure is not None
    assert failure.reverted
    assert "the 60 s for all of it are over (rollout.progress_deadline)" in failure.error.message
    assert log == ["stage a", "undo stage a"]

"""What is written down of a run, and a lease or a time that is over in its middle."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from deploy.errors import CommandFailed, Held
from deploy.events import Stream
from deploy.remote.arrows import Fenced
from deploy.run import Run

from .walk import Stub


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

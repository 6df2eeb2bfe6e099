"""Errors become exit codes and messages; a run gets its view and its signals."""

from __future__ import annotations

import io
import os
import select
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from invoke.exceptions import Exit

from deploy import errors
from deploy.errors import (
    Cancelled,
    CommandFailed,
    Fault,
    HeadwayError,
    KeyRefused,
    NeedsPerson,
    OutcomeUnknown,
    Refused,
    Reverted,
    SettingsError,
    TimedOut,
    Unreachable,
    UsageError,
)
from deploy.tasks.deploy import _sure
from deploy.tasks.edge import guarded

from .repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAULT = Fault("hosts/staging.yaml:3", "app", "is 5, expected a name", "write app: shop")
CODES: list[tuple[HeadwayError, int]] = [
    (HeadwayError("what happened", state="the state", mend="the mend"), 5),
    (UsageError("what happened", state="the state", mend="the mend"), 2),
    (SettingsError([FAULT]), 2),
    (Refused("what happened", faults=(FAULT,), mend="the mend"), 3),
    (Reverted("what happened"), 4),
    (NeedsPerson("what happened", mend="the mend"), 5),
    (Cancelled("what happened"), 130),
    (Unreachable("web-1", "what happened", mend="the mend"), 3),
    (KeyRefused("web-1", "what happened", mend="the mend"), 3),
    (CommandFailed("web-1", "what happened", exit_code=77, stderr="the state"), 5),
    (TimedOut("web-1", "what happened"), 5),
    (OutcomeUnknown("web-1", "what happened", state="the state"), 5),
]


@pytest.mark.parametrize(("error", "code"), CODES, ids=[type(one).__name__ for one, _ in CODES])
def test_each_error_has_its_code_and_its_message(error: HeadwayError, code: int) -> None:
    @guarded
    def task() -> None:
        raise error

    with pytest.raises(Exit) as caught:
        task()
    assert caught.value.code == code
    message = caught.value.message
    assert message is not None
    assert message == f"{error}\nexit {code}"
    for part in (error.message, error.state, error.mend):
        assert part in message
    # Nothing of where it was raised is shown with it.
    assert caught.value.__suppress_context__


def test_the_table_above_has_every_class() -> None:
    """All but the root of what hosts do, which is only ever raised as one of its kinds."""
    every = {
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, HeadwayError)
    }
    assert every - {type(error) for error, _ in CODES} == {errors.HostError}


def test_ctrl_c_while_it_looks() -> None:
    @guarded
    def task() -> None:
        raise KeyboardInterrupt

    with pytest.raises(Exit) as caught:
        task()
    assert (caught.value.code, caught.value.message) == (130, "stopped")


def test_a_fault_of_our_own_is_not_hidden() -> None:
    @guarded
    def task() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        task()


# --- asked before a terminal ---------------------------------------------------------------------


class Asked:
    """An intent whose plan is empty or not; nothing else of it is looked at."""

    def __init__(self, empty: bool) -> None:
        self.plan = self.order = self
        self.outlook = None
        self.empty = empty


@pytest.mark.parametrize(
    ("typed", "sure"),
    [("y\n", True), ("YES\n", True), (" y \n", True), ("\n", False), ("n\n", False), ("", False)],
)
def test_only_yes_is_yes(typed: str, sure: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.tasks.plan.rendered", lambda _plan, _outlook: "the plan")
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    intent: Any = Asked(empty=False)
    assert _sure(intent) is sure


def test_nothing_to_do_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    intent: Any = Asked(empty=True)
    assert _sure(intent) is True


# --- a run, and its signals ----------------------------------------------------------------------

TASKS = '''
import sys, threading, time
from deploy import api
from deploy.errors import {error}
from deploy.events import Outcome, RunEnded, RunStarted, StepStarted, StepDone
from deploy.tasks.edge import carry_out, verb
from invoke.collection import Collection

def stub(intent, stream, cancel, database_alone):
    """A run of two steps, which looks between them whether it shall stop, as the real one does."""
    stream.emit(RunStarted(id="d-1", verb="deploy", app="shop", environment="staging",
                           before="v1", after="v2", hosts=("web-1",)))
    stream.emit(StepStarted(step="stage", host="web-1"))
    print("READY", flush=True)
    {during}
    stream.emit(StepDone(step="stage", host="web-1", seconds=1))
    code = 130 if cancel.is_set() else {code}
    outcome = Outcome.CANCELLED if cancel.is_set() else Outcome.{outcome}
    ended = RunEnded(outcome=outcome, exit_code=code, seconds=1, message="the end")
    stream.emit(ended)
    return ended

api.carry_out = stub

def make():
    {make}

@verb(help={{}})
def run(_c):
    """Run."""
    carry_out(make)

ns = Collection(run)
'''


def tasks(
    during: str = "pass", make: str = "return object()", code: int = 0, outcome: str = "DONE"
) -> str:
    error = "Refused" if "Refused" in make else "UsageError"
    return TASKS.format(during=during, make=make, code=code, outcome=outcome, error=error)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "acme")


@pytest.mark.parametrize(
    ("code", "outcome"), [(0, "DONE"), (0, "NOTHING"), (4, "REVERTED"), (5, "NEEDS_PERSON")]
)
def test_the_end_of_a_run_is_the_exit_code(repository: Repository, code: int, outcome: str) -> None:
    repository.write("tasks.py", tasks(code=code, outcome=outcome))
    done = repository.inv("run")
    assert done.returncode == code
    assert "the end" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("make", "code"),
    [
        ("raise UsageError('no tag', mend='type another')", 2),
        ("raise Refused('no image', mend='push it')", 3),
    ],
)
def test_refused_before_it_began(repository: Repository, make: str, code: int) -> None:
    repository.write("tasks.py", tasks(make=make))
    done = repository.inv("run")
    assert done.returncode == code
    assert "READY" not in done.stdout
    assert make.split("'")[1] in done.stdout
    assert make.split("'")[3] in done.stdout


class Running:
    """`inv run`, and what it has printed so far."""

    def __init__(self, repository: Repository) -> None:
        argv, environ = repository.command("run")
        self.process = subprocess.Popen(
            argv,
            cwd=repository.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.text = ""

    def until(self, words: str) -> None:
        assert self.process.stdout
        deadline = time.monotonic() + 60
        while words not in self.text:
            assert time.monotonic() < deadline, self.text
            if select.select([self.process.stdout], [], [], 1)[0]:
                more = os.read(self.process.stdout.fileno(), 4096)
                assert more, self.text
                self.text += more.decode()

    def end(self) -> int:
        assert self.process.stdout
        self.text += self.process.stdout.read().decode()
        return self.process.wait(timeout=60)


@pytest.fixture
def running(repository: Repository) -> Iterator[Any]:
    made: list[Running] = []

    def start(during: str) -> Running:
        repository.write("tasks.py", tasks(during=during))
        made.append(Running(repository))
        made[0].until("READY")
        return made[0]

    yield start
    for one in made:
        one.process.kill()
        one.process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_between_two_steps(running: Any, number: signal.Signals) -> None:
    """The step at hand goes on to its end: a host is never left half-way."""
    run = running("assert cancel.wait(30); time.sleep(0.3)")
    run.process.send_signal(number)
    assert run.end() == 130
    assert "Traceback" not in run.text
    assert "the end" in run.text


def test_a_second_signal_says_why_it_still_runs(running: Any) -> None:
    run = running(
        "assert cancel.wait(30); heard = []; stream.listen(heard.append); "
        "print('ASKED', flush=True); assert any(heard or time.sleep(0.01) for _ in range(3000))"
    )
    run.process.send_signal(signal.SIGINT)
    run.until("ASKED")
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 130
    assert "still finishing the step at hand" in run.text
    assert "Traceback" not in run.text


def test_signals_in_a_row_hold_nothing_up() -> None:
    """Each may come while the one before it is being told."""
    from deploy.tasks.edge import _until_a_safe_point

    told: list[str] = []
    with _until_a_safe_point(told.append) as asked:
        for _ in range(500):
            os.kill(os.getpid(), signal.SIGINT)
    assert asked.is_set()
    assert told
    assert len(told) <= 499  # several at once come as one, as signals do


def test_afterwards_signals_are_what_they_were() -> None:
    from deploy.tasks.edge import _until_a_safe_point

    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with _until_a_safe_point(lambda _text: None) as asked:
        assert signal.getsignal(signal.SIGTERM) not in before
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.wait(5)
    after = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert after == before

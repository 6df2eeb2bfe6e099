"""A run before its view: its end is the exit code, and signals stop it at a safe point."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ..telemetry.collector import Collector
from .repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


TASKS = '''
import sys, threading, time
from types import SimpleNamespace as Some
from deploy import api
from deploy.errors import {error}
from deploy.events import Outcome, RunEnded, RunStarted, StepStarted, StepDone
from deploy.settings.notify import Notify
from deploy.tasks.edge import carry_out, verb
from invoke.collection import Collection

def stub(intent, stream, cancel, database_alone, record):
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
INTENT = Some(situation=Some(environment=Some(notify=Notify())))

def make():
    {make}

@verb(help={{}})
def run(_c):
    """Run."""
    carry_out(make)

ns = Collection(run)
'''


def tasks(
    during: str = "pass", make: str = "return INTENT", code: int = 0, outcome: str = "DONE"
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


@pytest.mark.parametrize("outcome", ["DONE", "NOTHING"])
def test_a_run_is_a_trace_where_somebody_takes_it(repository: Repository, outcome: str) -> None:
    collector = Collector()
    repository.write("tasks.py", tasks(outcome=outcome))
    repository.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    try:
        done = repository.inv("run")
    finally:
        collector.close()
    assert (done.returncode, done.stderr) == (0, "")
    names = [
        span.name
        for resource in collector.taken
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    assert sorted(names) == ([] if outcome == "NOTHING" else ["deploy", "roll web-1", "stage"])


def test_a_trace_that_cannot_be_sent_fails_nothing(repository: Repository) -> None:
    collector = Collector()
    collector.how = 500
    repository.write("tasks.py", tasks())
    repository.environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    try:
        done = repository.inv("run")
    finally:
        collector.close()
    assert done.returncode == 0
    assert "the end" in done.stdout
    assert re.fullmatch(r"  ! the trace was not sent: [^\n]*500[^\n]*\n", done.stderr)


def heard() -> None:
    """A run under nohup has it ignored, and so would what that starts."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


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
            preexec_fn=heard,  # noqa: PLW1509
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
        "heard = []; stream.listen(heard.append); print('ASKED', flush=True); "
        "assert any(len(heard) == 2 or time.sleep(0.01) for _ in range(3000))"
    )
    run.until("ASKED")
    run.process.send_signal(signal.SIGINT)
    run.until("stopping, as asked, once stage on web-1 has come to its end")
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 130
    assert f"still waiting for stage on web-1. To leave at once: kill {run.process.pid}" in run.text
    assert "Traceback" not in run.text


LEASED = """
import deploy.story.recorder as stories
class Lease:
    claim = None
    def leave(self, *lines):
        print("LEFT", *lines, flush=True)
    def release(self):
        print("RELEASED", flush=True)
class Recorder:
    def __init__(self, *_): pass
    def __call__(self, event): pass
    def keep(self, lease, warn):
        print("KEEPING", flush=True)
        time.sleep(30)
stories.Recorder = Recorder
INTENT.order = Some(release=None)

@verb(help={})
def run(_c):
    carry_out(make, lease=Lease())

ns = Collection(run)
"""


@pytest.mark.parametrize(
    ("at", "code", "said"), [("READY", 130, "LEFT {'what': 'stopped'"), ("KEEPING", 4, "RELEASED")]
)
def test_who_is_told_to_leave_after_the_end_has_nothing_to_recover(
    repository: Repository, at: str, code: int, said: str
) -> None:
    during = "time.sleep(30)" if at == "READY" else "pass"
    text = tasks(during=during, code=4, outcome="REVERTED") + LEASED
    repository.write("tasks.py", text)
    run = Running(repository)
    try:
        run.until(at)
        run.process.send_signal(signal.SIGTERM)
        assert run.end() == code
        assert said in run.text
        assert run.text.count("LEFT") + run.text.count("RELEASED") == 1
    finally:
        run.process.kill()
        run.process.wait()


@pytest.mark.parametrize(("database_alone", "after"), [(False, "v2"), (True, "v1")])
def test_the_story_of_a_migration_alone_changes_no_image(
    monkeypatch: pytest.MonkeyPatch, database_alone: bool, after: str
) -> None:
    from deploy.facts import HostFacts
    from deploy.release import Release
    from deploy.story import recorder
    from deploy.tasks import edge

    old, new = (Release(tag, tag, {}, "") for tag in ("v1", "v2"))
    situation = SimpleNamespace(
        environment=None, facts={"web-1": HostFacts(release="v1", releases={"v1": old})}
    )
    intent: Any = SimpleNamespace(situation=situation, order=SimpleNamespace(release=new))
    found: list[Any] = []
    monkeypatch.setattr(
        recorder, "Recorder", lambda _one, release, _redactor: found.append(release)
    )
    monkeypatch.setattr(edge, "shown", lambda *_: SimpleNamespace(exit_code=0))
    lease: Any = object()
    edge.carry_out(lambda: intent, database_alone=database_alone, lease=lease)
    assert [one.tag for one in found] == [after]


def test_signals_in_a_row_hold_nothing_up() -> None:
    """Each may come while the one before it is being told."""
    from deploy.tasks.signals import until_a_safe_point

    told: list[str] = []
    with until_a_safe_point(told.append) as asked:
        for _ in range(500):
            os.kill(os.getpid(), signal.SIGINT)
    assert asked.is_set()
    assert told
    assert len(told) <= 500  # several at once come as one, as signals do


def test_afterwards_signals_are_what_they_were() -> None:
    from deploy.tasks.signals import until_a_safe_point

    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with until_a_safe_point(lambda _text: None) as asked:
        assert signal.getsignal(signal.SIGTERM) not in before
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked.wait(5)
    after = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert after == before

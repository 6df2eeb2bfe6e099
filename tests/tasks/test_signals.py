"""What befalls a run before a terminal while it has the lease, and what becomes of the lease."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import termios
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from .repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASKS = '''
import time
from types import SimpleNamespace as Some
import deploy.story.recorder as stories
from deploy import api
from deploy.events import Outcome, RunEnded, RunStarted, StepStarted, StepDone
from deploy.lease.keeper import Keeper
from deploy.remote.arrows import Arrows
from deploy.settings.notify import Notify
from deploy.tasks.edge import carry_out, verb
from deploy.tasks.leased import leased
from invoke.collection import Collection
from pathlib import Path
from tests.localhost import LocalHost

class Recorder:
    """A story that is not kept."""
    def __init__(self, *_): pass
    def __call__(self, event): pass
    def keep(self, lease, warn): pass

def stub(intent, stream, cancel, database_alone, record):
    """A run of one step, which goes on until it may; then it looks whether it shall stop."""
    stream.emit(RunStarted(id="d-1", verb="deploy", app="shop", environment="staging",
                           before="v1", after="v2", hosts=("web-1",)))
    stream.emit(StepStarted(step="stage", host="web-1"))
    Path("at-work").touch()
    while not Path("go-on").exists():
        time.sleep(0.05)
    stream.emit(StepDone(step="stage", host="web-1", seconds=1))
    outcome, code = (Outcome.CANCELLED, 130) if cancel.is_set() else (Outcome.DONE, 0)
    ended = RunEnded(outcome=outcome, exit_code=code, seconds=1, message="the end")
    stream.emit(ended)
    Path("ended").write_text(outcome.value)
    return ended

api.carry_out = stub
stories.Recorder = Recorder
SETTINGS = dict.fromkeys("project network release deploy verb by token keep".split(), "")
SETTINGS |= {{"dir": str(Path.cwd()), "lock_wait": "5"}}
ABOUT = Some(name="staging", notify=Notify(), lease_host="web-1")
ONE = Some(run="d-1", fence=0, environment=ABOUT, facts={{}},
           keeper=Keeper(Arrows(LocalHost(), SETTINGS, ""), 40))
INTENT = Some(situation=ONE, order=Some(release=None))

def sure(intent):
    return input("Go ahead? ") == "y"

@verb(help={{}})
def run(_c):
    """Run."""
    with leased(ONE, "deploy") as lease:
        carry_out(lambda: INTENT, {confirm}, lease=lease)

ns = Collection(run)
'''


def at_terminal(slave: int) -> None:
    """Begin there; under nohup the tests have SIGHUP ignored, and so would what they start."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(slave, termios.TIOCSCTTY)


class Terminal:
    """`inv run` before a terminal of its own, and what it has printed there."""

    def __init__(self, folder: Path, *, asks: bool) -> None:
        repository = Repository(folder)
        repository.write("tasks.py", TASKS.format(confirm="sure" if asks else "None"))
        argv, environ = repository.command("run")
        self.folder = folder
        self.master, slave = pty.openpty()
        self.text = ""
        self.process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environ | {"TERM": "xterm", "COLUMNS": "200"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=partial(at_terminal, slave),  # noqa: PLW1509
        )
        os.close(slave)

    def until(self, words: str) -> None:
        deadline = time.monotonic() + 60
        while words not in self.text:
            assert time.monotonic() < deadline, self.text
            self._read(words)

    def _read(self, words: str) -> None:
        if not select.select([self.master], [], [], 1)[0]:
            return
        try:
            self.text += os.read(self.master, 4096).decode()
        except OSError:  # nobody has it open any more
            raise AssertionError(f"no {words!r} in {self.text}") from None

    def until_there(self, name: str) -> None:
        deadline = time.monotonic() + 60
        while not (self.folder / name).exists():
            assert time.monotonic() < deadline, self.text
            # What it draws meanwhile must not fill the terminal.
            self._read(name)

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def end(self) -> int:
        """The exit code, once all that was printed is read."""
        while True:
            try:
                more = os.read(self.master, 4096)
            except OSError:
                break
            if not more:
                break
            self.text += more.decode()
        return self.process.wait(60)

    def hang_up(self) -> None:
        os.close(self.master)
        self.master = -1

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.master >= 0:
            os.close(self.master)

    @property
    def has_the_lease(self) -> bool:
        return (self.folder / ".headway" / "lease" / "now").exists()

    @property
    def waited_for(self) -> bool:
        """Whether the next one waits for what may be at work on the hosts."""
        return (self.folder / ".headway" / "lease" / "broken").exists()


@pytest.fixture
def terminal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(tmp_path / "acme", asks=request.param == "asks")
    yield one
    one.close()


ASKS = pytest.mark.parametrize("terminal", ["asks"], indirect=True)
WORKS = pytest.mark.parametrize("terminal", ["works"], indirect=True)
CTRL_C = "\x03"


@WORKS
def test_ctrl_c_twice_while_a_step_is_at_work(terminal: Terminal) -> None:
    terminal.until_there("at-work")
    terminal.type(CTRL_C)
    terminal.until("stopping, as asked, once stage on web-1 has come to its end")
    terminal.type(CTRL_C)
    terminal.until(
        f"still waiting for stage on web-1. To leave at once: kill {terminal.process.pid}"
    )
    assert terminal.has_the_lease
    (terminal.folder / "go-on").touch()
    assert terminal.end() == 130
    assert "Traceback" not in terminal.text
    assert (terminal.folder / "ended").read_text() == "cancelled"
    assert not terminal.has_the_lease
    assert not terminal.waited_for


@WORKS
def test_a_terminal_that_goes_away_while_a_step_is_at_work(terminal: Terminal) -> None:
    terminal.until_there("at-work")
    terminal.hang_up()
    with pytest.raises(subprocess.TimeoutExpired):
        terminal.process.wait(0.5)
    (terminal.folder / "go-on").touch()
    assert terminal.process.wait(60) == 130
    assert (terminal.folder / "ended").read_text() == "cancelled"
    assert not terminal.has_the_lease
    assert not terminal.waited_for


@ASKS
@pytest.mark.parametrize("how", ["ctrl-c", "SIGTERM", "hang up"])
def test_at_the_question_the_lease_is_given_back(terminal: Terminal, how: str) -> None:
    terminal.until("Go ahead? ")
    # Between the prompt and the reading of the answer, a signal is heard with the next key alone.
    time.sleep(0.5)
    assert terminal.has_the_lease
    if how == "hang up":
        terminal.hang_up()
        assert terminal.process.wait(60) == 130
    else:
        if how == "ctrl-c":
            terminal.type(CTRL_C)
        else:
            terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 130
        assert "The lease of staging is given back." in terminal.text
        assert "Traceback" not in terminal.text
    assert not (terminal.folder / "at-work").exists()
    assert not terminal.has_the_lease
    assert not terminal.waited_for

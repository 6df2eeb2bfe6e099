"""What a signal does to what is at hand, and what is said then.

A runner of Actions that is cancelled sends SIGINT, 7.5 s later SIGTERM, and 2.5 s later SIGKILL.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.events import Event

RUN = (
    "what was begun on a host comes to its end there, and the next deploy, or inv recover, "
    "finishes what is left or takes it back"
)
"""What becomes of a run that is left at once."""

Leave = Callable[[], int]
"""Lets go of everything at once, and returns the exit code."""


@contextmanager
def until_a_safe_point(
    warn: Callable[[str], None],
    leave: Leave | None = None,
    doing: Callable[[], str] = lambda: "",
    after: str = RUN,
) -> Iterator[threading.Event]:
    """SIGINT and SIGHUP ask the run to stop between two steps; with `leave`, SIGTERM ends it.

    Args:
        warn: told what is waited for; asked again, how to leave at once.
        leave: writes down how far it has come, while there is time.
        doing: what is at hand, in words; "" between two steps.
        after: what becomes of it when it is left at once.
    """
    asked = threading.Event()

    def hear(number: int) -> None:
        if number == signal.SIGTERM and leave:
            _leave(leave)
        if number == signal.SIGHUP:
            _hung_up()
        again = asked.is_set()
        asked.set()
        warn(_still(doing(), after) if again else _stopping(doing()))

    with _heard((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), hear):
        yield asked


@contextmanager
def outside_of_a_run(leave: Leave) -> Iterator[None]:
    """While no step is at work: SIGHUP is as Ctrl-C, a KeyboardInterrupt; SIGTERM leaves."""

    def hang_up(_number: int, _frame: object) -> None:
        _hung_up()
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGHUP)
    with _heard((signal.SIGTERM,), lambda _number: _leave(leave)):
        if before is not signal.SIG_IGN:  # nohup
            signal.signal(signal.SIGHUP, hang_up)
        try:
            yield
        finally:
            signal.signal(signal.SIGHUP, before)


@contextmanager
def _heard(numbers: Sequence[int], hear: Callable[[int], None]) -> Iterator[None]:
    """Have a thread told of each signal.

    A handler interrupts the main thread anywhere, with a lock in its hands or in the middle of a
    line: what it does is put into a queue that is made for that, and the thread does the rest.
    """
    came: SimpleQueue[int] = SimpleQueue()

    def listen() -> None:
        while number := came.get():
            hear(number)

    def put(number: int, _frame: object) -> None:
        came.put(number)

    listener = threading.Thread(target=listen, name="signals", daemon=True)
    listener.start()
    before = {
        number: signal.signal(number, put)
        for number in numbers
        if (number, signal.getsignal(number)) != (signal.SIGHUP, signal.SIG_IGN)  # nohup
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        came.put(0)
        listener.join()


def _hung_up() -> None:
    """Where the terminal is gone nobody reads any more, and no line that is printed fails."""
    for number in (1, 2):
        try:
            termios.tcgetattr(number)
        except termios.error as error:
            if error.args[0] == errno.EIO:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, number)
                os.close(nowhere)


def _leave(leave: Leave) -> None:
    code = 130
    try:
        code = leave()
        sys.stdout.flush()
    finally:
        os._exit(code)


def _stopping(doing: str) -> str:
    if not doing:
        return "stopping, as asked, before the next step"
    return (
        f"stopping, as asked, once {doing} has come to its end: nothing is left half-way. Asked "
        "again, it stops no sooner, and says how to leave at once"
    )


def _still(doing: str, after: str) -> str:
    doing = doing or "the step at hand"
    return f"still waiting for {doing}. To leave at once: kill {os.getpid()}; {after}"


class AtHand:
    """Hears the events of a run, and says which of its steps are at work."""

    def __init__(self) -> None:
        self._hosts: dict[str, list[str]] = {}
        self._failed = False

    def __call__(self, event: Event) -> None:
        """Take one event."""
        from deploy.events import StepDone, StepFailed, StepStarted

        if isinstance(event, StepStarted):
            self._hosts.setdefault(event.step, []).append(event.host)
        elif isinstance(event, StepDone | StepFailed):
            self._failed = self._failed or isinstance(event, StepFailed)
            hosts = self._hosts.get(event.step, [])
            if event.host in hosts:
                hosts.remove(event.host)

    def __str__(self) -> str:
        said = []
        for step, hosts in list(self._hosts.items()):
            names = [host for host in hosts if host]
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            where = f" on {', '.join(names[:3])}{more}" if names else ""
            said += [f"{step}{where}"] if hosts else []
        if said or not self._failed:
            return " and ".join(said)
        return "what is put back"

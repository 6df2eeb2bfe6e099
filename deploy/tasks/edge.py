"""Between Invoke and Headway: errors become exit codes, and a run gets its view and its signals."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit
from invoke.tasks import Task

from deploy.errors import HeadwayError

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.api import Intent
    from deploy.situation import Situation


Body = Callable[..., None]
"""What a task does: a function of Invoke's context and of the task's own arguments."""


class Verb(Task[Body]):
    """A task that is equal to itself alone.

    Invoke compares tasks by their name and code, and all bodies here have the code of `guarded`: it
    would take `check.staging` and `status.staging` in one line for the same task typed twice.
    """

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


def verb(
    *,
    help: Mapping[str, str],
    name: str | None = None,
    doc: str | None = None,
    iterable: Sequence[str] = (),
) -> Callable[[Body], Verb]:
    """Make a function a guarded task, with long flags alone.

    Args:
        help: argument → one line.
        name: the task's name; None: the function's.
        doc: what `--list` and `--help` say; None: the function's docstring.
        iterable: arguments that may be given more than once.
    """

    def wrap(function: Body) -> Verb:
        body = guarded(function)
        body.__doc__ = doc or function.__doc__
        return Verb(
            body, name=name, auto_shortflags=False, help=dict(help), iterable=list(iterable)
        )

    return wrap


def guarded(function: Body) -> Body:
    """Turn a HeadwayError into Invoke's Exit: a message for people, and the code of the design."""

    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> None:
        try:
            function(*args, **kwargs)
        except HeadwayError as error:
            raise Exit(f"{error}\nexit {error.exit_code}", code=error.exit_code) from None
        except KeyboardInterrupt:
            raise Exit("stopped", code=130) from None

    return inner


@contextmanager
def situation(root: Path, name: str) -> Iterator[Situation]:
    """The environment `name`, its connections closed at the end."""
    from deploy.settings import load
    from deploy.situation import Situation

    found = Situation.of(load(root, name, os.environ))
    try:
        yield found
    finally:
        found.close()


@contextmanager
def _until_a_safe_point(warn: Callable[[str], None]) -> Iterator[threading.Event]:
    """SIGINT, SIGTERM and SIGHUP ask the run to stop between two steps."""
    asked = threading.Event()
    # A handler interrupts the main thread anywhere, with a lock in its hands or in the middle of a
    # line: what it does is put here, which is made for that, and a thread does the rest.
    came: SimpleQueue[bool] = SimpleQueue()

    def ask(_number: int, _frame: object) -> None:
        came.put(True)

    def listen() -> None:
        while came.get():
            if asked.is_set():
                warn(
                    "still finishing the step at hand: a host must not be left half-way. Killing "
                    "this process now is safe for the site; the next deploy takes back what is "
                    "unfinished"
                )
            asked.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        came.put(False)
        listener.join()


def carry_out(
    make: Callable[[], Intent],
    confirm: Callable[[Intent], bool] | None = None,
    *,
    database_alone: bool = False,
) -> None:
    """Make an intent, carry it out before the view that fits, and exit with its code.

    Args:
        make: looks at everything and returns what is to be done.
        confirm: asked before anything is changed, where somebody sits before a terminal.
        database_alone: see `deploy.api.carry_out`.
    """
    from deploy import api
    from deploy.events import Outcome, RunEnded, Stream, Warned
    from deploy.views.choose import choose

    try:
        intent = make()
        if confirm and sys.stdin.isatty() and sys.stdout.isatty() and not confirm(intent):
            raise Exit("Nothing has been changed.", code=130)
    except HeadwayError as error:
        view = choose(os.environ, sys.stdout)
        view(
            RunEnded(
                outcome=Outcome.REFUSED,
                exit_code=error.exit_code,
                seconds=0,
                message="\n".join(part for part in (error.message, error.state) if part),
                next=error.mend,
            )
        )
        view.close()
        raise Exit(code=error.exit_code) from None
    stream = Stream()
    view = choose(os.environ, sys.stdout)
    stream.listen(view)
    try:
        with _until_a_safe_point(lambda text: stream.emit(Warned(text=text))) as cancel:
            ended = api.carry_out(intent, stream, cancel, database_alone=database_alone)
    finally:
        view.close()
    if ended.exit_code:
        raise Exit(code=ended.exit_code)

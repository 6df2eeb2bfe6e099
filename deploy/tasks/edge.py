"""Between Invoke and Headway: errors become exit codes, and a run gets its view and its signals.

Whatever a task prints, and the message that ends it, passes the one sink (`deploy.redaction`).
"""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from invoke.exceptions import Exit
from invoke.tasks import Task

from deploy.errors import Cancelled, HeadwayError, NeedsPerson
from deploy.redaction.sink import current, redacted
from deploy.tasks.signals import AtHand, until_a_safe_point

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from deploy.api import Intent
    from deploy.events import RunEnded, Stream
    from deploy.lease.lease import Lease
    from deploy.settings import Environment
    from deploy.situation import Situation
    from deploy.story.recorder import Recorder


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
    """Turn a HeadwayError into Invoke's Exit: a message for people, and the code of the design.

    A fault in Headway itself ends so as well, with its traceback: Python would print that past the
    sink.
    """

    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> None:
        with redacted() as redactor:
            try:
                function(*args, **kwargs)
                return
            except Exit as error:
                message, code = error.message, error.code
            except HeadwayError as error:
                message, code = f"{error}\nexit {error.exit_code}", error.exit_code
                _cause(redactor.redact(str(error)))
            except KeyboardInterrupt:
                message, code = "stopped", 130
            except Exception:
                code = NeedsPerson.exit_code
                message = f"{traceback.format_exc()}a fault in Headway itself\nexit {code}"
                _cause("a fault in Headway itself: the log has its traceback")
            raise Exit(_last(redactor.redact(message)) if message else None, code=code) from None

    return inner


def _cause(text: str) -> None:
    """In Actions, the one error that is shown above the log: the first line of what ends a task."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from deploy.views.github import command

        print(command("error", text.partition("\n")[0], title="headway"), flush=True)


def _last(text: str) -> str:
    from deploy.views.page import page

    return page(text, os.environ)


def show(text: str, *, to: TextIO | None = None) -> None:
    """Print what is for people, without what foreign text in it would do to a terminal or a log.

    Args:
        text: of one line or many.
        to: standard output if None.
    """
    from deploy.views.page import page

    print(page(text, os.environ), file=to, flush=True)


@contextmanager
def situation(
    root: Path, name: str, only: Sequence[str] = (), *, doubtful: bool = False
) -> Iterator[Situation]:
    """The environment `name`, its connections closed at the end.

    Args:
        root: of the repository.
        name: the environment's.
        only: the hosts that it is about; empty: all.
        doubtful: even where the compose file and the hosts file do not fit together.
    """
    from deploy.settings import load
    from deploy.situation import Situation

    environment = load(root, name, os.environ)
    current().learn(one.reveal() for one in environment.secret_values)
    found = Situation.of(environment, doubtful=doubtful)
    if only:
        from deploy.tasks.hosts import chosen

        found = found.only([host.name for host in chosen(found, only)])
    try:
        yield found
    finally:
        found.close()


def shown(
    run: Callable[[Stream, threading.Event], RunEnded],
    environment: Environment,
    lease: Lease | None = None,
    recorder: Recorder | None = None,
) -> RunEnded:
    """Run something before the view that fits, with its signals, and return how it ended.

    Args:
        run: called with the stream, and with what is set when it shall stop.
        environment: it says who is told.
        lease: under which it is done; somebody may ask for it.
        recorder: hears the run, and keeps its story at the end, while the lease is still there.
    """
    from deploy.events import Outcome, RunEnded, Stream, Warned

    stream = Stream(current())

    def aside(text: str) -> None:
        show(f"  ! {text}", to=sys.stderr)

    ends: list[RunEnded] = []
    at_hand = AtHand()
    stream.listen(lambda event: ends.append(event) if isinstance(event, RunEnded) else None)
    stream.listen(at_hand)
    if recorder:
        stream.listen(recorder)
    closing = _listen(stream, environment, aside)

    def warn(text: str) -> None:
        stream.emit(Warned(text=text))

    def say(text: str) -> None:
        # After its end there is nothing to stop any more.
        if not ends:
            warn(text)

    def leave() -> int:
        assert lease is not None  # noqa: S101 - only handed on with one
        if ends:
            # Somebody is being told of it, or its story is being kept: there is nothing to recover.
            lease.release()
            return ends[0].exit_code
        lease.leave({"what": "stopped", "outcome": "interrupted"})
        stream.emit(
            RunEnded(
                outcome=Outcome.CANCELLED,
                exit_code=Cancelled.exit_code,
                seconds=0,
                message="left at once, as asked; what was begun on a host comes to its end there",
                next="inv recover takes it from here",
            )
        )
        for close in closing:
            close()
        return Cancelled.exit_code

    try:
        with until_a_safe_point(say, leave if lease else None, lambda: str(at_hand)) as cancel:
            if lease:
                lease.on_trouble = warn

                def stop(text: str) -> None:
                    warn(f"{text}; stopping at the next safe point")
                    cancel.set()

                lease.on_ask = stop
            ended = run(stream, cancel)
            if lease and recorder:
                recorder.keep(lease, aside)
            return ended
    finally:
        for close in closing:
            close()


def _listen(
    stream: Stream, environment: Environment, aside: Callable[[str], None]
) -> list[Callable[[], None]]:
    """Have everybody listen who is told; what waits for them, and closes them."""
    from deploy.github.deployment import deployments
    from deploy.notify.choose import Told, notifier
    from deploy.telemetry.listener import telemetry
    from deploy.views.choose import choose

    # Those that go on by themselves come before the notifier, which waits until all that it tells
    # are told: the seconds at the end are then the same for everybody.
    trace = telemetry(os.environ, stream.redactor, aside)
    known = Told(environment, os.environ, stream.redactor)
    view = choose(os.environ, sys.stdout, known.changes)
    github = deployments(os.environ, aside)
    for listener in (trace, github, notifier(environment, os.environ, stream), view):
        if listener:
            stream.listen(listener)
    return [one.close for one in (view, trace, github) if one]


def refused(error: HeadwayError) -> Exit:
    """Show why nothing was begun, as a run's end is shown."""
    from deploy.events import Outcome, RunEnded, Stream
    from deploy.views.choose import choose

    stream = Stream(current())
    view = choose(os.environ, sys.stdout)
    stream.listen(view)
    stream.emit(
        RunEnded(
            outcome=Outcome.REFUSED,
            exit_code=error.exit_code,
            seconds=0,
            message="\n".join(part for part in (error.message, error.state) if part),
            next=error.mend,
        )
    )
    view.close()
    return Exit(code=error.exit_code)


def somebody_is_here() -> bool:
    """Can a question be answered? A job of Actions may have a terminal, and nobody before it."""
    return sys.stdin.isatty() and os.environ.get("GITHUB_ACTIONS") != "true"


def carry_out(
    make: Callable[[], Intent],
    confirm: Callable[[Intent], bool] | None = None,
    *,
    database_alone: bool = False,
    lease: Lease | None = None,
) -> None:
    """Make an intent, carry it out before the view that fits, and exit with its code.

    Args:
        make: looks at everything and returns what is to be done.
        confirm: asked before anything is changed, where somebody sits before a terminal.
        database_alone: see `deploy.api.carry_out`.
        lease: under which it is done.
    """
    from deploy import api
    from deploy.history import running
    from deploy.story.recorder import Recorder

    try:
        intent = make()
    except HeadwayError as error:
        raise refused(error) from None
    if confirm and somebody_is_here() and sys.stdout.isatty() and not confirm(intent):
        raise Exit("Nothing has been changed.", code=130)

    def run(stream: Stream, cancel: threading.Event) -> RunEnded:
        return api.carry_out(intent, stream, cancel, database_alone=database_alone, record=lease)

    one, recorder = intent.situation, None
    if lease is not None:
        # Who migrates the database alone leaves every host on what it runs.
        after = running(one.facts) if database_alone else intent.order.release
        recorder = Recorder(one, after, current())
    ended = shown(run, one.environment, lease, recorder)
    if ended.exit_code:
        raise Exit(code=ended.exit_code)

"""Listens to a run, and sends its trace when it has ended: beside whatever else is told of that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from deploy.events import Event, Outcome, RunEnded, told_until
from deploy.telemetry.spans import Span, spans
from deploy.telemetry.wanted import lacking, secrets, wanted

if TYPE_CHECKING:
    from deploy.redaction.redactor import Redactor

_TRY = 4.0
"""Seconds for sending, so that there is a reason to tell before it is given up."""

Send = Callable[[Sequence[Span], Mapping[str, str], float], None]


class Telemetry:
    """A listener; `warn` is told what could not be sent."""

    def __init__(self, environ: Mapping[str, str], warn: Callable[[str], None], send: Send) -> None:
        self._environ, self._warn, self._send = environ, warn, send
        self._events: list[Event] = []
        self._sender: threading.Thread | None = None
        self._until = 0.0
        self._error = ""

    def __call__(self, event: Event) -> None:
        """Take an event; nothing is waited for. Where there was nothing to do, nothing is sent."""
        if self._sender:
            return
        self._events.append(event)
        if isinstance(event, RunEnded) and event.outcome is not Outcome.NOTHING:
            self._until = told_until(event)
            self._sender = threading.Thread(target=self._work, daemon=True)
            self._sender.start()

    def close(self) -> None:
        """Wait until it is sent, as long as there is time; harmless when repeated."""
        sender, self._sender = self._sender, None
        self._events = []
        if sender is None:
            return
        sender.join(max(0.0, self._until - time.monotonic()))
        error = "no answer in time" if sender.is_alive() else self._error
        if error:
            self._warn(f"the trace was not sent: {error}")

    def _work(self) -> None:
        try:
            found = spans(list(self._events))
            self._send(found, self._environ, min(_TRY, self._until - time.monotonic()))
        except Exception as error:  # no trace may fail a deploy
            self._error = str(error) or type(error).__name__


def telemetry(
    environ: Mapping[str, str], redactor: Redactor, warn: Callable[[str], None]
) -> Telemetry | None:
    """The listener, where the environment wants a trace; None, and a warning, where it can't be.

    Args:
        environ: the process environment.
        redactor: learns what the exporter sends as headers.
        warn: told what is missing, and what could not be sent.
    """
    if not wanted(environ):
        return None
    for fault in lacking(environ):
        warn(f"no trace is sent: {fault}")
        return None
    redactor.learn(secrets(environ))
    return Telemetry(environ, warn, _sent)


def _sent(found: Sequence[Span], environ: Mapping[str, str], timeout: float) -> None:
    # Only here: the SDK takes a third of a second to import, and not everybody has it.
    from deploy.telemetry.otlp import send

    send(found, environ, timeout)

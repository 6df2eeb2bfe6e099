"""Standard output and standard error of a task, through which no secret gets."""

from __future__ import annotations

import contextlib
import io
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TextIO

from deploy.redaction.redactor import Redactor

_CURRENT: ContextVar[Redactor | None] = ContextVar("redactor", default=None)


class Sink(io.TextIOBase):
    """A stream of text before another one.

    What could be the beginning of a secret is held back until what follows shows whether it is one,
    through every `flush` as well: one that comes in two pieces is found. `end` lets go of it.
    """

    def __init__(self, stream: TextIO, redactor: Redactor) -> None:
        self._stream = stream
        self._redactor = redactor
        self._held = ""
        # Views are drawn by threads of their own.
        self._lock = threading.RLock()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream behind."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """What the stream behind does with characters that its encoding lacks."""
        return self._stream.errors

    def isatty(self) -> bool:
        """Whether the stream behind is a terminal."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, text: str) -> int:
        """Pass on what can't be a part of a secret, and masks.

        Raises:
            OSError: the stream behind is gone.
        """
        with self._lock:
            whole = self._held + text
            settled = self._redactor.settled(whole)
            self._held = whole[settled:]
            self._pass(whole[:settled])
        return len(text)

    def flush(self) -> None:
        """Flush the stream behind; what is held back stays."""
        self._stream.flush()

    def end(self) -> None:
        """Pass on what is held back: nothing follows it. Harmless when called again."""
        with self._lock:
            text, self._held = self._held, ""
            self._pass(text)

    def close(self) -> None:
        """End; the stream behind stays open, as it belongs to somebody else."""
        self.end()

    def _pass(self, text: str) -> None:
        if text:
            self._stream.write(self._redactor.redact(text))


@contextlib.contextmanager
def redacted() -> Iterator[Redactor]:
    """Put a sink before standard output and standard error; yield the redactor of both."""
    redactor = Redactor()
    before = sys.stdout, sys.stderr
    sinks = [Sink(stream, redactor) for stream in before]
    sys.stdout, sys.stderr = sinks
    token = _CURRENT.set(redactor)
    try:
        yield redactor
    finally:
        _CURRENT.reset(token)
        sys.stdout, sys.stderr = before
        for sink in sinks:
            with contextlib.suppress(OSError):  # nobody reads any more
                sink.end()


def current() -> Redactor:
    """The redactor of the task at hand; outside of one, a redactor that knows nothing yet."""
    return _CURRENT.get() or Redactor()

"""Plain lines, for logs and pipes: no colour, no cursor, nothing that is written over."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from deploy.views.lines import Lines
from deploy.views.text import fit, tidy

if TYPE_CHECKING:
    from deploy.events import Event


class Plain:
    """Writes each event's lines to a stream, at once and whole."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines = Lines()

    def __call__(self, event: Event) -> None:
        """Write what this event has to say; raises OSError when nobody reads any more."""
        lines = self._lines.of(tidy(event))
        if lines:
            text = "".join(f"{line}\n" for line in lines)
            self._stream.write(fit(text, self._stream.encoding))
            self._stream.flush()

    def close(self) -> None:
        """Nothing is held open."""

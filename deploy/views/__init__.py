"""Who listens to a run: each view turns the events of one stream into words for one kind of reader.

A view hangs on `deploy.events` alone: it calls nothing of the run, and does not know which step
spoke. `choose.choose` picks the one for the process at hand.

```
text.py      foreign text made harmless; durations and sizes in words
lines.py     one event → the lines that say it
rows.py      a phase, a host → one row of a table
tally.py     all events so far → what they add up to, in such rows
plain.py     lines for logs and pipes
terminal.py  a table that stays in place
github.py    groups and one error in Actions
summary.py   the run as Markdown, for the job's summary
gantt.py     when each host was in which step, as a chart
actions.py   the files in which a step of a job leaves its summary and its outputs
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from deploy.events import Event


class View(Protocol):
    """A listener of the stream that may hold something open until it is closed."""

    def __call__(self, event: Event) -> None:
        """Say this event; called by one thread at a time."""

    def close(self) -> None:
        """Let go of the screen or of an open group; harmless when called again."""

"""A table that stays in place on a terminal: phases, hosts, and the last thing said."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deploy.events import Event, RunEnded, StepFailed
from deploy.views.lines import ending, header
from deploy.views.rows import Mark, Row
from deploy.views.tally import Tally
from deploy.views.text import elapsed, middle_out, tidy

_STYLE = {
    Mark.WAITING: "dim",
    Mark.ACTIVE: "cyan",
    Mark.DONE: "green",
    Mark.FAILED: "bold red",
    Mark.UNDONE: "yellow",
    Mark.STOPPED: "dim",
}
# Lines of a screen that are no rows of the table: the header (two on a narrow screen), the last
# thing said, three blank ones, and the one that the cursor stands on.
_AROUND = 7
# Hosts that the summary lists one by one; a larger fleet's is folded to what needs a look.
_LISTED = 16
# Columns that a sign and a name may take of a live screen, so that 40 columns have room for a step.
_NAME = 20


class Terminal:
    """Shows the run in a live table, and leaves its summary standing.

    The table is drawn four times a second by a thread of rich's. It stops with the run's last
    event, or with `close`, which gives the cursor back: whoever ends early calls that.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.time) -> None:
        self._console = console
        self._clock = clock
        self._lock = threading.Lock()
        self._tally = Tally()
        self._live = Live(
            console=console,
            get_renderable=self.picture,
            refresh_per_second=4,
            vertical_overflow="crop",
        )
        self._closed = False

    def __call__(self, event: Event) -> None:
        """Take in this event; the table shows it with its next drawing."""
        with self._lock:
            self._tally.take(tidy(event))
        # Not under our lock: the drawing thread holds rich's while it waits for ours.
        if not isinstance(event, RunEnded):
            if not self._closed:
                self._live.start()
        elif self._live.is_started:
            self.close()
        else:
            self._console.print(self.picture())

    def close(self) -> None:
        """Draw a last time, stop drawing, and give the cursor back."""
        self._closed = True
        self._live.stop()

    def picture(self) -> RenderableType:
        """What stands on the screen now."""
        with self._lock:
            return self._summary() if self._tally.ended else self._progress()

    def _progress(self) -> RenderableType:
        tally, now = self._tally, self._clock()
        before = tally.phase_rows(now, after_roll=False)
        after = tally.phase_rows(now, after_roll=True)
        room = max(3, self._console.size.height - _AROUND - len(before) - len(after))
        hosts = tally.host_rows(now, room)
        return Group(
            self._header(elapsed(now - tally.began)),
            "",
            _table([*before, *hosts, *after], cut=True),
            "",
            Text(tally.said, style="dim", no_wrap=True, overflow="ellipsis"),
        )

    def _summary(self) -> RenderableType:
        tally = self._tally
        ended = tally.ended
        assert ended is not None  # noqa: S101  (for the type checker; `picture` has looked)
        now = ended.at
        rows = [
            *tally.phase_rows(now, after_roll=False),
            *tally.host_rows(now, _LISTED),
            *tally.phase_rows(now, after_roll=True),
        ]
        parts: list[RenderableType] = []
        if tally.run:
            parts += [self._header(ending(ended)), ""]
        if rows:
            parts += [_table(rows, cut=False), ""]
        for failure in tally.failures:
            parts += [*_failure(failure), ""]
        parts += [
            Text(f"! {warned.host}  {warned.text}" if warned.host else f"! {warned.text}", "yellow")
            for warned in tally.warnings
        ]
        if tally.warnings:
            parts.append("")
        parts.append(Text(ended.message))
        last = [ended.next, f"exit {ended.exit_code}" if ended.exit_code else ""]
        if any(last):
            parts.append(Text("    ".join(part for part in last if part)))
        return Group(*parts)

    def _header(self, state: str) -> Text:
        run = self._tally.run
        if run is None:
            return Text(state)
        named = Text(header(run), style="bold")
        fits = named.cell_len + 3 + len(state) <= self._console.width
        return Text.assemble(named, "   " if fits else "\n", state)


def _table(rows: list[Row], *, cut: bool) -> RenderableType:
    """The rows in three columns; notes are cut at the screen's edge, or else go on below."""
    names = [Text.assemble((row.mark.value, _STYLE[row.mark]), " ", row.name) for row in rows]
    table = Table.grid(padding=(0, 3, 0, 0))
    # A narrow screen takes its columns from the notes: names and times keep theirs.
    table.add_column(
        no_wrap=cut,
        overflow="ellipsis" if cut else "fold",
        min_width=min(_NAME, max((name.cell_len for name in names), default=0)),
        max_width=_NAME if cut else None,
    )
    table.add_column(
        no_wrap=True, justify="right", min_width=max((len(row.took) for row in rows), default=0)
    )
    # Not the column but each text in it is kept on one line: rich narrows such columns last.
    table.add_column(overflow="ellipsis" if cut else "fold")
    for name, row in zip(names, rows, strict=True):
        style = _STYLE[row.mark] if row.mark in (Mark.FAILED, Mark.UNDONE) else ""
        table.add_row(name, Text(row.took), Text(row.note, style, no_wrap=cut))
    return Padding(table, (0, 0, 0, 2))


def _failure(failure: StepFailed) -> list[RenderableType]:
    """The failure, and below it the first and the last lines of what the host had to say."""
    who = f"{failure.host}  {failure.step}" if failure.host else failure.step
    head = Text.assemble((f"✗ {who}", "bold red"), f"  {failure.reason}")
    if not failure.detail:
        return [head]
    detail = middle_out(failure.detail.split("\n"), head=10, tail=30)
    return [head, Padding(Text("\n".join(detail)), (0, 0, 0, 4))]

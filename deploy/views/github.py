"""In Actions: the plain lines, a group for each phase, one error, and the job's summary.

What the runner takes for a command (actions/runner, ActionCommand.cs and OutputManager.cs): a line
that begins, after white space, with `::NAME ...::`, and a line that holds `##[NAME ...]` anywhere.
So a line from outside gets a sign of ours in front of it, and `##[` a space inside; then it is no
command, whatever it says, and the log's own reader doesn't take it for one either. The runner's
`stop-commands` would leave `##[endgroup]` to the latter, and silence everything if it were not
ended.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

from deploy.events import (
    Event,
    Outcome,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepSaid,
    StepStarted,
    StepUndone,
)
from deploy.views.actions import SUMMARY_LIMIT, outputs, room, summarise
from deploy.views.lines import Lines, subject
from deploy.views.rows import ROLL
from deploy.views.summary import markdown
from deploy.views.tally import Tally
from deploy.views.text import fit, tidy

_OUR_START = re.compile(r"\s*[\w✓✗↩·!│]")


def inert(line: str) -> str:
    """The line in a form that the runner never takes for a command."""
    line = _broken(line)
    return line if not line.strip() or _OUR_START.match(line) else f"│ {line}"


def command(name: str, data: str = "", **properties: str) -> str:
    """A workflow command, with its values escaped as the runner reads them back."""
    pairs = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name}{' ' if pairs else ''}{pairs}::{_data(data)}"


Changes = Callable[[RunStarted], str]
"""What comes with a run's release, as a block of Markdown."""


def no_changes(_run: RunStarted) -> str:
    """Of which nothing is known."""
    return ""


class GitHub:
    """Writes plain lines in groups; where something failed, nothing is folded away any more."""

    def __init__(
        self,
        stream: TextIO,
        environ: Mapping[str, str] | None = None,
        changes: Changes = no_changes,
    ) -> None:
        self._stream = stream
        self._environ = environ or {}
        self._changes = changes
        self._lines = Lines()
        self._tally = Tally()
        self._group = ""
        self._open = False

    def __call__(self, event: Event) -> None:
        """Write what this event has to say; raises OSError when the log is gone."""
        event = tidy(event)
        self._tally.take(event)
        lines = [*self._turn(event), *self._say(event)]
        if isinstance(event, RunEnded):
            lines += self._end(event)
        self._write(lines)

    def close(self) -> None:
        """End the group that is open."""
        self._write(self._fold())

    def _say(self, event: Event) -> list[str]:
        if isinstance(event, StepFailed):
            said = [self._lines.failure(event), *self._lines.detail(event, "│ ")]
        else:
            said = self._lines.of(event)
        return [inert(line) for line in said]

    def _turn(self, event: Event) -> list[str]:
        """The commands that end one group and begin the next, where this event belongs to it."""
        if isinstance(event, StepFailed | StepUndone | RunEnded):
            self._open = True
        if self._open:
            return self._fold()
        if not isinstance(event, StepStarted | StepSaid | StepDone):
            return []
        phase = "roll" if event.step in ROLL else event.step
        if phase == self._group:
            return []
        ends = self._fold()
        self._group = phase
        return [*ends, command("group", phase)]

    def _fold(self) -> list[str]:
        ends = [command("endgroup")] if self._group else []
        self._group = ""
        return ends

    def _end(self, ended: RunEnded) -> list[str]:
        """The one error, and what could not be left for later steps."""
        lines = [inert(f"  ! {trouble}") for trouble in self._summarise()]
        if ended.exit_code:
            lines.append(command("error", self._cause(ended), title=self._title(ended)))
        return lines

    def _cause(self, ended: RunEnded) -> str:
        """The first line of the failure."""
        if self._tally.failures:
            first = self._tally.failures[0]
            return f"{subject(first.step, first.host)}: {first.reason}"
        return ended.message.split("\n")[0] or ended.outcome.value

    def _title(self, ended: RunEnded) -> str:
        run = self._tally.run
        what = f"{run.verb} of {run.after} to {run.environment}" if run else "headway"
        return f"{what}: {ended.outcome.value}"

    def _summarise(self) -> list[str]:
        """Leave the summary and the outputs; what went wrong is told, and fails no run."""
        ended, run = self._tally.ended, self._tally.run
        values = {"outcome": ended.outcome.value if ended else ""}
        if run:
            values |= {"tag": run.after, "before": run.before, "url": run.url}
        trouble = [outputs(self._environ, values)]
        try:
            left = room(Path(self._environ["GITHUB_STEP_SUMMARY"]))
        except (KeyError, OSError):
            left = SUMMARY_LIMIT  # writing it tells what is wrong, if anything is
        idle = ended is None or ended.outcome is Outcome.NOTHING
        changes = self._changes(run) if run and not idle else ""
        trouble.append(summarise(self._environ, markdown(self._tally, left, changes)))
        return [one for one in trouble if one]

    def _write(self, lines: list[str]) -> None:
        if lines:
            text = "".join(f"{line}\n" for line in lines)
            self._stream.write(fit(text, self._stream.encoding))
            self._stream.flush()


def _data(value: str) -> str:
    return _broken(value).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def _broken(text: str) -> str:
    return text.replace("##[", "## [")

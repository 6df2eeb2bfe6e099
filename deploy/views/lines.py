"""The words for each event: one line for one thing, the host always named. No I/O, no colour."""

from __future__ import annotations

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
    Warned,
)
from deploy.views.text import duration, pad

# Columns of a step's name: the longest that a deploy has of itself is `rehearsal`.
_STEP = 9


def header(run: RunStarted) -> str:
    """What is about to change, as `shop · production · v1.4.2 → v1.5.0`."""
    if not run.before:
        change = f"first {run.verb} of {run.after}"
    elif run.before == run.after:
        change = run.after
    else:
        change = f"{run.before} → {run.after}"
    if run.verb != "deploy" and run.before:
        change = f"{run.verb} {change}"
    return " · ".join((run.app, run.environment, change))


def ending(ended: RunEnded) -> str:
    """How the run ended and how long it took, in a few words."""
    took = duration(ended.seconds)
    match ended.outcome:
        case Outcome.DONE:
            return f"done in {took}"
        case Outcome.NOTHING | Outcome.REFUSED:
            return ended.outcome.value
        case Outcome.REVERTED:
            return f"failed, and reverted in {took}"
        case Outcome.NEEDS_PERSON:
            return f"failed after {took}: a person must look"
        case Outcome.CANCELLED:
            return f"cancelled after {took}"


def subject(step: str, host: str) -> str:
    """Whom a failure is about: the host and the step, or the step alone."""
    return f"{host} {step}" if host else step


def saw(event: StepFailed) -> tuple[str, str]:
    """Who was given the answer that failed, and the answer; both "" where it is not about one.

    What is staged has no visitors yet.
    """
    who = "Users would have seen" if event.step == "stage" else "Users saw"
    return (who, event.seen) if event.seen else ("", "")


def log(event: StepFailed) -> str:
    """What the host had to say beside the answer, whose first line may be the first of it."""
    first, _, rest = event.detail.partition("\n")
    return rest if first.strip() and event.seen.endswith(f" {first.strip()}") else event.detail


def undone(event: StepUndone) -> str:
    """What was put back and how long it took; the time stands before the first comma.

    What took no time at all was left as it is, and has no figure.
    """
    took = duration(event.seconds)
    if event.ok and event.seconds < 0.005:
        return event.text
    if not event.ok:
        return f"not put back, after {took}: {event.text}"
    first, comma, rest = event.text.partition(", ")
    return f"{first} in {took}{comma}{rest}"


class Lines:
    """Turns events into lines; remembers only how wide the column of names is."""

    def __init__(self) -> None:
        self._width = 9

    def of(self, event: Event) -> list[str]:
        """The lines that say this event, which must be tidy; some events need none."""
        lines: list[str] = []
        match event:
            case RunStarted():
                self._width = max(self._width, *(len(host) for host in event.hosts), 0)
                lines = [self._start(event), ""]
            case StepStarted():
                lines = [self._row("·", event.step, event.host)]
            case StepSaid():
                lines = [self._row("·", event.step, event.host, "", event.text)]
            case StepDone():
                took = duration(event.seconds)
                lines = [self._row("✓", event.step, event.host, took, event.detail)]
            case StepFailed():
                lines = [self.failure(event), *self.detail(event)]
            case StepUndone():
                mark = "↩" if event.ok else "✗"
                lines = [f"  {mark} {pad(event.host or event.step, self._width)} {undone(event)}"]
            case Warned():
                named = f"{pad(event.host, self._width)} " if event.host else ""
                lines = [f"  ! {named}{event.text}"]
            case RunEnded():
                message = event.message.split("\n") if event.message else []
                lines = ["", *message, self._last(event)]
        return lines

    def failure(self, event: StepFailed) -> str:
        """The line of a failure: the host, the step, the reason."""
        if event.host:
            name = f"{pad(event.host, self._width)} {pad(event.step, _STEP)}"
        else:
            name = pad(event.step, self._width)
        return f"✗ {name} {event.reason}"

    def detail(self, event: StepFailed, bar: str = "") -> list[str]:
        """What the host had to say, indented below the failure, each line after `bar`."""
        indent = " " * (self._width + 3) + bar
        return [f"{indent}{line}".rstrip() for line in event.detail.split("\n") if event.detail]

    def _start(self, run: RunStarted) -> str:
        return "   ".join(part for part in (header(run), run.id, run.summary) if part)

    def _row(self, mark: str, step: str, host: str, took: str = "", text: str = "") -> str:
        named = pad(host, self._width) if host else pad(step, self._width)
        second = step if host else ""
        return f"  {mark} {named} {pad(second, _STEP)} {took:>9}   {text}".rstrip()

    def _last(self, ended: RunEnded) -> str:
        parts = (ended.next, f"exit {ended.exit_code}")
        return "    ".join(part for part in parts if part)

"""A run's events as spans: the run, what is done on each host, each step, what was undone. Pure.

Steps of a host belong to that host's span once it is rolled; before that, such as pulls, those of
one name have a span together. Names of attributes are OpenTelemetry's where it has one
(semantic conventions 1.38: `deployment.*`, `vcs.*`, `host.name`, `exception.*`), else `headway.*`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from deploy.events import (
    Event,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepSaid,
    StepStarted,
    StepUndone,
    Warned,
)
from deploy.views.rows import ROLL
from deploy.views.text import tidy

Value = str | int | float | bool

DETAIL = 4000
"""Characters of the hosts' own words in one span, the last ones."""


@dataclass(frozen=True)
class Mark:
    """Something that happened within a span, at `at` seconds since the epoch."""

    at: float
    name: str
    attributes: Mapping[str, Value]


@dataclass
class Span:
    """One of them: times in seconds since the epoch; `parent` is None for the run alone.

    `error` says why it failed, "" where it did not.
    """

    name: str
    began: float
    ended: float
    parent: Span | None = None
    attributes: dict[str, Value] = field(default_factory=dict)
    error: str = ""
    marks: list[Mark] = field(default_factory=list)


def spans(events: Iterable[Event]) -> list[Span]:
    """The spans of one run, each after its parent; none where it has not begun.

    Args:
        events: redacted, in their order; the first has begun the run. What has not ended by the
            last of them ends there.
    """
    trace = _Trace()
    for event in events:
        trace.take(tidy(event))
    return trace.close()


class _Trace:
    def __init__(self) -> None:
        self._run: Span | None = None
        self._all: list[Span] = []
        self._open: dict[tuple[str, str], Span] = {}
        self._groups: dict[str, Span] = {}
        self._rolls: dict[str, Span] = {}
        self._last = 0.0

    def take(self, event: Event) -> None:
        """Add one event; those before the run has begun belong to nothing."""
        self._last = max(self._last, event.at)
        if isinstance(event, RunStarted):
            self._run = self._add(event.verb, event.at, None, _about(event))
        run = self._run
        if run is None:
            return
        match event:
            case StepStarted():
                self._begin(event.step, event.host, event.at)
            case StepSaid():
                where = self._open.get((event.step, event.host), run)
                where.marks.append(Mark(event.at, "said", {"headway.text": event.text}))
            case StepDone():
                span = self._end(event.step, event.host, event.at)
                if event.detail:
                    span.attributes["headway.detail"] = event.detail
            case StepFailed():
                span = self._end(event.step, event.host, event.at)
                span.error = event.reason
                span.marks.append(Mark(event.at, "exception", _failure(event)))
                if span.parent not in (None, run):
                    span.parent.error = f"{event.step} failed"
            case StepUndone():
                self._undo(event)
            case Warned():
                about = {"headway.text": event.text, "host.name": event.host}
                run.marks.append(Mark(event.at, "warned", _known(about)))
            case RunEnded():
                self._over(run, event)

    def close(self) -> list[Span]:
        """All of them; those still open were cut short."""
        for span in self._open.values():
            span.attributes["headway.unfinished"] = True
            self._stretch(span, self._last)
        if self._run:
            self._run.ended = max(self._run.ended, self._last)
        return self._all

    def _add(
        self, name: str, began: float, parent: Span | None, attributes: Mapping[str, Value]
    ) -> Span:
        span = Span(name, began, began, parent, dict(attributes))
        self._all.append(span)
        return span

    def _begin(self, step: str, host: str, at: float) -> Span:
        name = step
        about = _known({"headway.step": step, "host.name": host})
        span = self._add(name, at, self._parent(step, host, at), about)
        self._open[step, host] = span
        return span

    def _parent(self, step: str, host: str, at: float) -> Span | None:
        if not host:
            return self._run
        if step in ROLL and host not in self._rolls:
            self._rolls[host] = self._add(f"roll {host}", at, self._run, {"host.name": host})
        if host in self._rolls:
            return self._rolls[host]
        if step not in self._groups:
            self._groups[step] = self._add(step, at, self._run, {"headway.step": step})
        return self._groups[step]

    def _end(self, step: str, host: str, at: float) -> Span:
        """The span of a step that has ended; one that was refused before it began has no length."""
        span = self._open.pop((step, host), None)
        if span is None:
            span = self._begin(step, host, at)
            del self._open[step, host]
        self._stretch(span, at)
        return span

    def _undo(self, event: StepUndone) -> None:
        began = event.at - event.seconds
        self._open.pop((event.step, event.host), None)
        span = self._add(
            f"undo {event.step}",
            began,
            self._parent(event.step, event.host, began),
            _known({"headway.step": event.step, "host.name": event.host}),
        )
        span.error = "" if event.ok else event.text
        span.marks.append(Mark(event.at, "undone", {"headway.text": event.text}))
        self._stretch(span, event.at)

    def _stretch(self, span: Span, at: float) -> None:
        """Have it end at `at`, and what it is in not before it."""
        one: Span | None = span
        while one:
            one.ended = max(one.ended, at)
            one = one.parent

    def _over(self, run: Span, event: RunEnded) -> None:
        run.ended = event.at
        run.attributes |= {
            "deployment.status": "failed" if event.exit_code else "succeeded",
            "headway.outcome": event.outcome.value,
            "headway.exit_code": event.exit_code,
            "headway.message": event.message,
        }
        if event.exit_code:
            run.error = event.message.partition("\n")[0] or event.outcome.value


def _about(run: RunStarted) -> dict[str, Value]:
    return _known(
        {
            "deployment.environment.name": run.environment,
            "deployment.id": run.id,
            "deployment.name": f"{run.verb} {run.app}",
            "vcs.ref.head.revision": run.commit,
            "vcs.ref.base.revision": run.commit_before,
            "headway.app": run.app,
            "headway.verb": run.verb,
            "headway.before": run.before,
            "headway.after": run.after,
            "headway.by": run.by,
            "headway.approved_by": run.approved_by,
        }
    )


def _failure(event: StepFailed) -> dict[str, Value]:
    return _known(
        {
            "exception.type": "headway.StepFailed",
            "exception.message": event.reason,
            "headway.seen": event.seen,
            "headway.detail": event.detail[-DETAIL:],
        }
    )


def _known(attributes: Mapping[str, Value]) -> dict[str, Value]:
    """Those that say anything."""
    return {name: value for name, value in attributes.items() if value != ""}

"""Walks a run's phases; when a step fails, walks back over what was done.

A phase is a set of steps that go at once, one for each host. When one fails, the others of its
phase are waited for, and then every place is put back by undoing the furthest step that was tried
there: undoing that one covers those before it.
"""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from deploy.errors import Cancelled, HeadwayError, Held, HostError, Refused
from deploy.events import (
    Outcome,
    RunEnded,
    StepDone,
    StepFailed,
    StepSaid,
    StepStarted,
    StepUndone,
    Stream,
    Warned,
)
from deploy.steps.step import Say, Step

AT_ONCE = 16
"""Hosts worked on at the same time in one phase; more would only wait for the two ends of SSH."""

Phase = Sequence[Step]
Line = Mapping[str, Any]


class Record(Protocol):
    """What is written down, a line before and after every change; `deploy.lease.lease.Lease`."""

    @property
    def unheard(self) -> str:
        """Why nothing more may be begun, as nothing could be written for too long; or ""."""
        ...

    def note(self, *lines: Line) -> None:
        """Write the lines soon, at the latest with the next that are written before going on."""
        ...

    def record(self, *lines: Line) -> None:
        """Write the lines before going on.

        Raises:
            Held: somebody else may change the environment now, and this run may not.
        """
        ...


@dataclass
class Failure:
    """The step that failed, why, and what could not be put back.

    `started` is whether any host had got as far as to start something of the release.
    """

    step: Step
    error: HeadwayError
    started: bool = True
    stuck: list[tuple[str, HeadwayError]] = field(default_factory=list)
    reverted: bool = True


class Run:
    """One walk. `cancel` is looked at between phases, where every host is in a defined state.

    `record` is where it is written down, if anywhere, `first` before all else. After `limit`
    seconds by `clock`, or where the record could not be written for too long, no phase is begun any
    more, and what was done is put back.
    """

    def __init__(
        self,
        stream: Stream,
        cancel: threading.Event,
        record: Record | None = None,
        *,
        first: Sequence[Line] = (),
        limit: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stream = stream
        self.cancel = cancel
        self._limit, self._clock = limit, clock
        self._until = clock() + limit
        self._record = record
        self._note(*first)
        self.furthest: dict[tuple[str, str], Step] = {}

    def walk(self, phases: Sequence[Phase], *, revert: bool = True) -> Failure | None:
        """Do every phase; None when all went well.

        Raises:
            Cancelled: `cancel` was set; what was done stays as it is.
            Held: somebody else may change the environment now; nothing is put back.
            Refused: a step refused, and none before it has touched anything that serves.
        """
        for phase in phases:
            if self.cancel.is_set():
                raise Cancelled("stopped, as asked, between two steps")
            failed = self._late(phase)
            if not failed:
                self._write("doing", phase)
                failed = self._unheard(phase) or self._phase(phase)
            if failed:
                step, error = failed
                if isinstance(error, Held):
                    raise error
                if isinstance(error, Refused) and not self._touched_before(step):
                    raise error
                started = any(one.host and one.touches for one in self.furthest.values())
                failure = Failure(step, error, started, reverted=revert and step.reverts)
                if failure.reverted:
                    self._write("undoing", list(self.furthest.values()))
                    failure.stuck = self._revert()
                return failure
        return None

    def _late(self, phase: Phase) -> tuple[Step, HeadwayError] | None:
        """The first step that does not begin any more, where the time is over."""
        if self._clock() < self._until:
            return None
        why = f"the {self._limit:g} s for all of it are over (rollout.progress_deadline)"
        return self._not_begun(phase[0], why)

    def _unheard(self, phase: Phase) -> tuple[Step, HeadwayError] | None:
        """The first step that does not begin, where nobody can write down that it does."""
        why = self._record.unheard if self._record else ""
        return self._not_begun(phase[0], why) if why else None

    def _not_begun(self, step: Step, why: str) -> tuple[Step, HeadwayError] | None:
        if not (step.touches or step.reverts):
            # Nothing is changed by it and nothing put back after it: it is never too late.
            return None
        error = HeadwayError(f"not begun: {why}")
        self.stream.emit(StepFailed(step=step.name, host=step.host, reason=error.message))
        return step, error

    def _write(self, what: str, steps: Sequence[Step]) -> None:
        """Write what comes now, and with it how what came before has ended."""
        if self._record:
            self._record.record(*({"what": what, **_named(step)} for step in steps))

    def _note(self, *lines: Line) -> None:
        if self._record:
            self._record.note(*lines)

    def _note_end(self, step: Step, error: HeadwayError | None, ill: str, well: str) -> None:
        line = {"what": ill if error else well, **_named(step)}
        if error:
            line["reason"] = self.stream.redactor.redact(error.message)
        self._note(line)

    def _touched_before(self, step: Step) -> bool:
        return any(one.touches for one in self.furthest.values() if one is not step)

    def _phase(self, phase: Phase) -> tuple[Step, HeadwayError] | None:
        for step in phase:
            # A step that concerns no host stands for itself; a host may have any name.
            self.furthest[step.host, "" if step.host else step.name] = step
        with ThreadPoolExecutor(max_workers=max(1, min(AT_ONCE, len(phase)))) as pool:
            errors = list(pool.map(self._do, phase))
        return next(
            ((step, error) for step, error in zip(phase, errors, strict=True) if error), None
        )

    def _do(self, step: Step) -> HeadwayError | None:
        error = self._done(step)
        self._note_end(step, error, "failed", "did")
        return error

    def _done(self, step: Step) -> HeadwayError | None:
        self.stream.emit(StepStarted(step=step.name, host=step.host))
        began = time.monotonic()
        try:
            detail = _called(step.do, self._say(step))
        except HeadwayError as error:
            reason = error.reason if isinstance(error, HostError) else error.message
            shown = [getattr(error, "detail", "") or error.state]
            if not isinstance(error, Refused) or self._touched_before(step):
                # A run that ends as refused says at its end what to type.
                shown.append(error.mend)
            detail = "\n".join(filter(None, shown))
            self.stream.emit(
                StepFailed(
                    step=step.name, host=step.host, reason=reason, detail=detail, seen=error.seen
                )
            )
            return error
        seconds = time.monotonic() - began
        self.stream.emit(StepDone(step=step.name, host=step.host, seconds=seconds, detail=detail))
        return None

    def _revert(self) -> list[tuple[str, HeadwayError]]:
        steps = list(self.furthest.values())
        with ThreadPoolExecutor(max_workers=max(1, min(AT_ONCE, len(steps)))) as pool:
            errors = list(pool.map(self._undo, steps))
        return [
            (step.host or step.name, error)
            for step, error in zip(steps, errors, strict=True)
            if error
        ]

    def _undo(self, step: Step) -> HeadwayError | None:
        error = self._undone(step)
        self._note_end(step, error, "stuck", "undone")
        return error

    def _undone(self, step: Step) -> HeadwayError | None:
        began = time.monotonic()
        try:
            text = _called(step.undo, self._say(step))
        except HeadwayError as error:
            self.stream.emit(
                StepUndone(
                    step=step.name,
                    host=step.host,
                    seconds=time.monotonic() - began,
                    ok=False,
                    text=str(error),
                )
            )
            return error
        if text:
            self.stream.emit(
                StepUndone(
                    step=step.name,
                    host=step.host,
                    seconds=time.monotonic() - began,
                    ok=True,
                    text=text,
                )
            )
        return None

    def _say(self, step: Step) -> Say:
        def say(text: str, warning: bool) -> None:
            if warning:
                self.stream.emit(Warned(text=text, host=step.host))
            else:
                self.stream.emit(StepSaid(step=step.name, host=step.host, text=text))

        return say


def _named(step: Step) -> dict[str, str]:
    return {"step": step.name, "host": step.host}


def _called(function: Callable[[Say], str], say: Say) -> str:
    """Do or undo a step.

    Raises:
        HeadwayError: the step's own, or what a fault in Headway itself is turned into: the fleet
            has to be put back after that as well.
    """
    try:
        return function(say)
    except HeadwayError:
        raise
    except Exception as error:
        name = type(error).__name__
        raise HeadwayError(
            f"a fault in Headway itself ({name}: {error})", state=traceback.format_exc().strip()
        ) from error


def ended(
    outcome: Outcome, exit_code: int, began: float, message: str, following: str = ""
) -> RunEnded:
    """The last event of a run that began at `began` on the monotonic clock."""
    return RunEnded(
        outcome=outcome,
        exit_code=exit_code,
        seconds=time.monotonic() - began,
        message=message,
        next=following,
    )

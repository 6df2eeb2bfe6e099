"""What a run says while it goes: one stream of small frozen values, and nothing else.

The console, the journal and whoever else wants to know are listeners (`deploy.views`). A listener
that fails is dropped with one warning on the stream; it never fails the run. No listener hears a
secret: events are redacted before anybody cuts, escapes or wraps what is in them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Self, TypeVar

from deploy.redaction.redactor import Redactor

TOLD = 5.0
"""Seconds that the end of a run waits for all who are told of it, at most."""
TOLD_CANCELLED = 1.5
"""Of a run that was cancelled: its runner is about to kill it."""


class Outcome(StrEnum):
    """How a run ended."""

    DONE = "done"
    NOTHING = "nothing to do"
    REFUSED = "refused"
    REVERTED = "reverted"
    NEEDS_PERSON = "needs a person"
    CANCELLED = "cancelled"


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened; `at` is seconds since the epoch on the machine that runs this."""

    at: float = field(default_factory=time.time)

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: it never changes, and whoever keeps many has them copied for nothing."""
        return self


@dataclass(frozen=True, kw_only=True)
class RunStarted(Event):
    """A deploy or a rollback begins.

    `verb` is what was typed (deploy, rollback); `before` and `after` are tags, and `before` is
    empty on a first deploy; `hosts` are the names of all hosts taking part, in their order; `url`
    is where the site answers, if anybody has said so. `by` ordered it, `approved_by` let it be
    done; `commit`, `author` and `subject` are the release's, `commit_before` that of the release
    which runs, each empty where it is not known.
    """

    id: str
    verb: str
    app: str
    environment: str
    before: str
    after: str
    hosts: tuple[str, ...]
    summary: str = ""
    url: str = ""
    by: str = ""
    commit: str = ""
    author: str = ""
    subject: str = ""
    commit_before: str = ""
    approved_by: str = ""


@dataclass(frozen=True, kw_only=True)
class StepStarted(Event):
    """A step begins; `host` is empty for a step that concerns no single host."""

    step: str
    host: str = ""


@dataclass(frozen=True, kw_only=True)
class StepSaid(Event):
    """A step has something to tell while it goes, in one short line."""

    step: str
    host: str = ""
    text: str


@dataclass(frozen=True, kw_only=True)
class StepDone(Event):
    """A step ended well after `seconds`; `detail` is one short line, and may be empty."""

    step: str
    host: str = ""
    seconds: float
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class StepFailed(Event):
    """A step failed: the reason in one line, and below it what the host had to say (many lines).

    `seen` is what whoever asked was answered, as `500 {"status":"error"}`: the status and the
    body's first line; "" where that is not what failed.
    """

    step: str
    host: str = ""
    reason: str
    detail: str = ""
    seen: str = ""


@dataclass(frozen=True, kw_only=True)
class StepUndone(Event):
    """What a step had done was put back (`ok`), or could not be (`text` says why)."""

    step: str
    host: str = ""
    seconds: float
    ok: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Warned(Event):
    """Something that nobody has to act on now, but should know."""

    text: str
    host: str = ""


@dataclass(frozen=True, kw_only=True)
class RunEnded(Event):
    """The last event: how it ended, what state things are in, and what to type next."""

    outcome: Outcome
    exit_code: int
    seconds: float
    message: str
    next: str = ""


def told_until(ended: RunEnded) -> float:
    """When the end of a run waits for nobody any more, on the monotonic clock.

    Whoever takes time to be told asks when it hears of the end: they have the same seconds then,
    and not one after the other.
    """
    cancelled = ended.outcome is Outcome.CANCELLED
    return time.monotonic() + (TOLD_CANCELLED if cancelled else TOLD)


Listener = Callable[[Event], None]
E_ = TypeVar("E_", bound=Event)


class Stream:
    """Hands each event to every listener, one event at a time, from whichever thread it comes.

    `redactor` knows the secrets; whoever starts a run teaches it those of the environment.
    """

    def __init__(self, redactor: Redactor | None = None) -> None:
        self.redactor = redactor or Redactor()
        self._listeners: list[Listener] = []
        self._lock = threading.RLock()

    def listen(self, listener: Listener) -> None:
        """Add a listener; it sees every event from now on."""
        with self._lock:
            self._listeners.append(listener)

    def emit(self, event: Event) -> None:
        """Tell every listener; one that raises is dropped, and the others hear of it."""
        event = redacted(event, self.redactor)
        with self._lock:
            for listener in list(self._listeners):
                try:
                    listener(event)
                except Exception as error:  # a view must never end a deploy
                    self._listeners.remove(listener)
                    self.emit(Warned(text=f"a view failed and was switched off: {error!r}"))


def redacted(event: E_, redactor: Redactor) -> E_:
    """The same event, with every secret in its texts masked."""
    changed: dict[str, Any] = {}
    for one in fields(event):
        value = getattr(event, one.name)
        if type(value) is str:  # an Outcome is a string too, and is ours
            changed[one.name] = redactor.redact(value)
        elif isinstance(value, tuple):
            changed[one.name] = tuple(map(redactor.redact, value))
    return replace(event, **changed)

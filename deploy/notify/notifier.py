"""The listener of a run: hands each moment to a thread for each receiver, and waits for none.

At the end alone the run waits until they are through, all of them together as long as
`deploy.events.told_until` says.
"""

from __future__ import annotations

import copy
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from deploy.events import (
    Event,
    Outcome,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepStarted,
    StepUndone,
    Warned,
    told_until,
)
from deploy.views.tally import Tally
from deploy.views.text import tidy

GAP = 2.0
"""Seconds between two changes of a message: Slack takes about 50 in a minute (tier 3)."""


class Kind(StrEnum):
    """Which moment of a run."""

    STARTED = "started"
    STEP = "step"
    HOST = "host"
    ENDED = "ended"


@dataclass(frozen=True)
class Moment:
    """What had happened by then, in seconds since the epoch; `host` is one that has settled."""

    kind: Kind
    tally: Tally
    at: float
    host: str = ""


class Receiver(Protocol):
    """Somebody who is told; only in its own thread, but for `stop`."""

    @property
    def name(self) -> str:
        """As in the hosts file."""
        ...

    @property
    def wants(self) -> frozenset[Kind]:
        """The moments it is told of."""
        ...

    @property
    def whole(self) -> bool:
        """Does each message say all that those before it did?"""
        ...

    def take(self, moment: Moment) -> None:
        """Tell.

        Raises:
            web.NoAnswer: it could not be told.
        """
        ...

    def stop(self) -> None:
        """There is no time left; called from another thread."""
        ...


class Worker:
    """One receiver's thread; of steps that come quickly it tells the last one alone."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.errors: list[str] = []
        self.through = threading.Event()
        self._queue: queue.Queue[Moment] = queue.Queue()
        self._ready = 0.0
        threading.Thread(target=self._work, daemon=True).start()

    def offer(self, moment: Moment) -> None:
        """Have it told, as soon as there is time."""
        if moment.kind in self.receiver.wants:
            self._queue.put(moment)

    def _next(self) -> Moment:
        moment = self._queue.get()
        while moment.kind is Kind.STEP:
            try:
                moment = self._queue.get(timeout=max(0.0, self._ready - time.monotonic()))
            except queue.Empty:
                break
        return moment

    def _work(self) -> None:
        while True:
            moment = self._next()
            try:
                self.receiver.take(moment)
                if self.receiver.whole:
                    self.errors.clear()
            except Exception as error:  # nobody who is told may end a deploy
                self.errors.append(_words(error))
            self._ready = time.monotonic() + GAP
            if moment.kind is Kind.ENDED:
                self.through.set()
                return


def _words(error: Exception) -> str:
    from deploy.web import NoAnswer

    return str(error) if isinstance(error, NoAnswer) else f"{type(error).__name__}: {error}"


class Notifier:
    """Listens before the views do, so that what could not be told is said before the end is."""

    def __init__(self, receivers: Sequence[Receiver], emit: Callable[[Event], None]) -> None:
        self._receivers = receivers
        self._emit = emit
        self._workers: list[Worker] = []
        self._tally = Tally()
        self._over = False

    def __call__(self, event: Event) -> None:
        """Take an event; only the last one takes time."""
        if self._over:
            return
        event = tidy(event)
        self._tally.take(event)
        if self._tally.run is None:
            return
        if isinstance(event, RunStarted):
            return
        if isinstance(event, RunEnded):
            self._end(event)
        elif isinstance(event, StepStarted | StepDone | StepFailed | StepUndone):
            # Where there is nothing to do, no step begins, and nobody has to know.
            self._begin(event)
            self._offer(Kind.STEP, event)
            if isinstance(event, StepDone) and event.step == "settle" and event.host:
                self._offer(Kind.HOST, event, event.host)

    def _begin(self, event: Event) -> None:
        if not self._workers:
            self._workers = [Worker(receiver) for receiver in self._receivers]
            self._offer(Kind.STARTED, event)

    def _offer(self, kind: Kind, event: Event, host: str = "") -> None:
        if not any(kind in receiver.wants for receiver in self._receivers):
            return
        # A copy: what is told is what was then, whatever has happened when its turn comes.
        moment = Moment(kind, copy.deepcopy(self._tally), event.at, host)
        for worker in self._workers:
            worker.offer(moment)

    def _end(self, ended: RunEnded) -> None:
        if ended.outcome is Outcome.NOTHING:
            return
        self._begin(ended)
        self._over = True
        self._offer(Kind.ENDED, ended)
        until = told_until(ended)
        for worker in self._workers:
            if not worker.through.wait(max(0.0, until - time.monotonic())):
                worker.receiver.stop()
                worker.errors.append("it had no time left at the end of the run")
        for worker in self._workers:
            for error in dict.fromkeys(worker.errors):
                self._emit(Warned(text=f"notify.{worker.receiver.name}: {error}"))

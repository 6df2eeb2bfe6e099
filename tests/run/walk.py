"""A walk over phases with a log of its steps and of its events."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.events import (
    Event,
    StepDone,
    StepFailed,
    StepSaid,
    StepStarted,
    StepUndone,
    Stream,
    Warned,
)
from deploy.run import Run

if TYPE_CHECKING:
    from deploy.steps.step import Say

Action = Callable[[], None]


@dataclass
class Stub:
    """A step that writes down what is done with it."""

    log: list[str]
    name: str
    host: str = ""
    do_: Action = lambda: None
    undo_: Action = lambda: None
    undone: str = "put back"
    says: list[tuple[str, bool]] = field(default_factory=list)
    touches: bool = True
    reverts: bool = True

    @property
    def label(self) -> str:
        return f"{self.name} {self.host}".strip()

    def do(self, say: Say) -> str:
        self.log.append(self.label)
        for text, warning in self.says:
            say(text, warning)
        self.do_()
        return f"{self.label} done"

    def undo(self, say: Say) -> str:
        del say
        self.log.append(f"undo {self.label}")
        self.undo_()
        return self.undone


class Walk:
    """A run with a log of its steps and of its events."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.events: list[Event] = []
        self.stream = Stream()
        self.stream.listen(self.events.append)
        self.cancel = threading.Event()
        self.run = Run(self.stream, self.cancel)

    def step(self, name: str, host: str = "", do: Action = lambda: None, **more: object) -> Stub:
        return Stub(self.log, name, host, do, **more)  # type: ignore[arg-type]

    def seen(self) -> list[str]:
        return [shown(event) for event in self.events]


def shown(event: Event) -> str:
    where = f"{getattr(event, 'step', '')} {getattr(event, 'host', '')}".strip()
    match event:
        case StepStarted():
            return f"{where}: started"
        case StepDone():
            return f"{where}: done, {event.detail}"
        case StepFailed():
            return f"{where}: failed, {event.reason}"
        case StepUndone():
            return f"{where}: {'undone' if event.ok else 'stuck'}, {event.text}"
        case StepSaid() | Warned():
            return f"{where}: {type(event).__name__} {event.text}"
        case _:
            raise AssertionError(event)


def raises(error: BaseException) -> Action:
    def act() -> None:
        raise error

    return act

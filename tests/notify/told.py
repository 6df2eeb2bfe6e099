"""A run of events before a notifier, as a hosts file makes it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.events import Event, Stream, Warned
from deploy.notify.choose import notifier
from deploy.redaction.redactor import Redactor

from ..settings.repository import GOOD, loaded

if TYPE_CHECKING:
    from deploy.settings import Environment

SECRETS = {"TOKEN": "hunter2-hunter2", "KEY": "correct-horse-battery"}


def environment(root: Path, section: str, more: Mapping[str, str] | None = None) -> Environment:
    return loaded(root, f"{GOOD}notify: {{{section}}}\n", {**SECRETS, **(more or {})})


def tell(
    one: Environment, events: Sequence[Event], environ: Mapping[str, str] | None = None
) -> tuple[list[str], float]:
    """Emit the events as a run does; returns the warnings, and the seconds that it took."""
    stream = Stream(Redactor(secret.reveal() for secret in one.secret_values))
    heard: list[Event] = []
    told = notifier(one, environ or {}, stream)
    assert told is not None
    stream.listen(told)
    stream.listen(heard.append)
    began = time.monotonic()
    for event in events:
        stream.emit(event)
    seconds = time.monotonic() - began
    # What could not be told is said before the end is.
    assert type(heard[-1]) is type(events[-1])
    own = {event.text for event in events if isinstance(event, Warned)}
    return [one.text for one in heard if isinstance(one, Warned) and one.text not in own], seconds

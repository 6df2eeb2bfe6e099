"""The shell that runs on a host: its parts put together into one text for one exec.

Every arrow of a host's state machine is a function in one of the `*.sh` beside this file. What goes
over the wire is the settings as quoted assignments, all the parts, and a last line that calls the
arrow. It travels as an argument of `sh -c`: about 25 kB of a limit of 128 kB for one argument, and
standard input stays free for what must not be seen in a process list.
"""

from __future__ import annotations

import functools
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

PARTS = ("lib", "compose", "health", "prepare", "stage", "switch", "settle", "abandon", "facts")
"""The files of this folder, in the order in which they are put together."""


LIB = ("deploy.remote", "lib")
"""What every script that changes something begins with."""

CALL = "# headway"
"""The line between the parts and the call: up to it the text is the same for everybody, but for the
settings before it (`gate.sh`)."""


@functools.cache
def _part(package: str, name: str) -> str:
    text = (resources.files(package) / f"{name}.sh").read_text(encoding="utf-8")
    # Comments are for readers of the repository; without them the text is half as long.
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return "\n".join(line for line in lines if line)


def script(
    settings: Mapping[str, str],
    proxy: str,
    arrow: str,
    arguments: Sequence[str] = (),
    *,
    locked: bool = True,
) -> str:
    """Return the text that does one arrow on a host.

    Args:
        settings: what becomes shell variables; every value is quoted.
        proxy: the name of the proxy's part in `deploy/proxy/`, without `.sh`.
        arrow: the function to call.
        arguments: its arguments.
        locked: take the host's lock and keep a record of the run under its token (all that change
            something); without it the script only reads.
    """
    parts = [*(("deploy.remote", name) for name in PARTS), ("deploy.proxy", proxy)]
    return assemble(settings, parts, call_of(arrow, arguments, locked=locked))


def call_of(arrow: str, arguments: Sequence[str] = (), *, locked: bool = True) -> str:
    """Return the last lines of a script: the call, under the lock and on record if it is locked."""
    call = shlex.join([arrow, *arguments])
    return f"begin\n{call}\nfinish $?" if locked else call


def assemble(settings: Mapping[str, str], parts: Sequence[tuple[str, str]], call: str) -> str:
    """Return a text for `sh -c`: the settings as assignments, the parts, and the call.

    Args:
        settings: what becomes shell variables; every value is quoted.
        parts: (package, name of a `.sh` in it), in the order in which they are put together.
        call: the last lines.
    """
    text = [f"{name}={shlex.quote(value)}" for name, value in sorted(settings.items())]
    text += [_part(package, name) for package, name in parts]
    return "\n".join([*text, CALL, call]) + "\n"


FENCED = 6
"""The exit code of `guard` in `lib.sh`."""


@dataclass
class Report:
    """What a script said: its events in order, each a dictionary with the key `event`."""

    events: list[dict[str, Any]] = field(default_factory=list)

    def add(self, line: str) -> dict[str, Any] | None:
        """Take one line of output; None for a line that is no event."""
        try:
            event = json.loads(line)
        except ValueError:
            return None
        if not isinstance(event, dict) or "event" not in event:
            return None
        self.events.append(event)
        return event

    def all(self, name: str) -> list[dict[str, Any]]:
        """Every event of that name, in order."""
        return [event for event in self.events if event["event"] == name]

    def last(self, name: str) -> dict[str, Any] | None:
        """The last event of that name."""
        found = self.all(name)
        return found[-1] if found else None

"""What can go wrong, as one tree; each class knows the exit code that it ends the process with.

```
HeadwayError
├── UsageError          2   wrong usage; nothing was changed
│   └── SettingsError   2   faults in what the user wrote, all of them at once
├── Refused             3   the checks say no; nothing was changed
├── Reverted            4   it failed, and everything is as it was
├── NeedsPerson         5   it failed, and a person must look
├── Held                6   somebody else may change the environment, and we may not
├── Cancelled         130   somebody asked it to stop
└── HostError           5   one host did not do what was asked (steps turn it into one of the above)
    ├── Unreachable     3   no connection; nothing was sent
    │   ├── KeyRefused  3   the host's key is unknown or changed; nothing was sent
    │   └── Gated       3   our key may not run this there; it was not run
    ├── CommandFailed       the command ended with an exit code that is not 0
    ├── TimedOut            the command ran into its deadline and was ended on the host
    └── OutcomeUnknown      the connection went away: the command may or may not have been done
```

A message says what happened and on which host. `state` says what things are like now, `mend` what
to type next; both may be empty.
"""

from __future__ import annotations

from dataclasses import dataclass


class HeadwayError(Exception):
    """The root: a message for people, the state that things are in, and what to type next.

    `seen` is what a visitor was answered, in one line, where that is what failed.
    """

    exit_code = 5
    seen = ""

    def __init__(self, message: str, *, state: str = "", mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.state = state
        self.mend = mend

    def __str__(self) -> str:
        return "\n".join(part for part in (self.message, self.state, self.mend) if part)


class UsageError(HeadwayError):
    """What was typed makes no sense here."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Fault:
    """One thing that is wrong in what the user wrote, or on a host, with its mend.

    `where` is `file:line` for a file, a host's name for a host; `path` is the dotted key within the
    file, or what was looked at.
    """

    where: str
    path: str
    message: str
    mend: str = ""

    def __str__(self) -> str:
        head = "  ".join(part for part in (self.where, self.path) if part)
        text = f"{head}: {self.message}" if self.path else f"{head}  {self.message}"
        return f"{text}; {self.mend}" if self.mend else text


class SettingsError(UsageError):
    """Faults in the user's own files, all of them at once."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(
            "\n".join(str(fault) for fault in faults), state="Nothing has been changed."
        )
        self.faults = tuple(faults)


class Refused(HeadwayError):
    """The checks found that it can't be done; nothing was changed."""

    exit_code = 3

    def __init__(
        self, message: str, *, faults: tuple[Fault, ...] = (), state: str = "", mend: str = ""
    ) -> None:
        text = "\n".join([message, *(f"  {fault}" for fault in faults)])
        super().__init__(text, state=state or "Nothing has been changed.", mend=mend)
        self.faults = faults


class Reverted(HeadwayError):
    """It failed, and every host is on the release that it was on before."""

    exit_code = 4


class NeedsPerson(HeadwayError):
    """It failed, and at least one host is not as it was."""

    exit_code = 5


class Held(HeadwayError):
    """Somebody else has the lease of the environment, or has taken it over from us."""

    exit_code = 6


class Cancelled(HeadwayError):
    """Somebody asked it to stop, and it has stopped."""

    exit_code = 130


class HostError(HeadwayError):
    """One host did not do what was asked."""

    def __init__(self, host: str, message: str, *, state: str = "", mend: str = "") -> None:
        super().__init__(f"{host}: {message}", state=state, mend=mend)
        self.host = host
        self.reason = message


class Unreachable(HostError):
    """No connection could be made, so nothing was sent."""

    exit_code = 3


class KeyRefused(Unreachable):
    """The host's key is not the pinned one, or none is pinned; refused before authentication."""


class Gated(Unreachable):
    """Our key may run Headway's own scripts alone, and this was none of them; it was not run."""


class CommandFailed(HostError):
    """The command ended by itself with an exit code that is not 0."""

    def __init__(self, host: str, message: str, *, exit_code: int, stderr: str = "") -> None:
        super().__init__(host, message, state=stderr.strip())
        self.remote_exit_code = exit_code
        self.stderr = stderr


class TimedOut(HostError):
    """The command did not end within its deadline; the host has ended it."""


class OutcomeUnknown(HostError):
    """The connection was lost after the command was sent: it may or may not have been done."""

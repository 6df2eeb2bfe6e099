"""A command in a one-off container of a release's image, on a host that has the release.

Compose makes it from the release's own files, so it has the service's image, variables, networks
and binds; none of its values is in an argument. It has no terminal, no input, and a deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.errors import HostError, Unreachable
from deploy.redaction.redactor import Redactor
from deploy.remote.arrows import ArrowFailed, Arrows

if TYPE_CHECKING:
    from deploy.database.migrations.script import Limits
    from deploy.settings.secret import Secret

Say = Callable[[str, bool], None]
"""Told (one short line, is it a warning) while something goes."""

PARTS = (
    ("deploy.remote", "lib"),
    ("deploy.remote", "compose"),
    ("deploy.database.command", "oneoff"),
)
_LONGEST = 60
"""Characters of a command that are shown beside what it does."""
_WIDEST = 500
"""Characters of a line that is shown of what it printed."""
_SPARE = 180.0
"""Seconds for Docker's own work on a slow disk."""


@dataclass(frozen=True)
class Ran:
    """How a command ended.

    `how` is in words, after "the command"; `said` its last lines. `good` is whether it ended with
    exit code 0, `ended` whether it is known that it runs no more.
    """

    how: str
    said: str = ""
    good: bool = False
    ended: bool = True


@dataclass(frozen=True)
class OneOff:
    """A command that is run as a service of a release.

    `arrows` has the host and what the scripts of its application share; `timeout` is in seconds.
    `limits` go to the session by `PGOPTIONS`, which the libraries of PostgreSQL read. `secrets` are
    masked in what the command prints.
    """

    arrows: Arrows
    release: str
    service: str
    command: str
    timeout: float
    limits: Limits
    secrets: Sequence[Secret] = field(default=(), repr=False)

    @property
    def host(self) -> str:
        """The host's name."""
        return self.arrows.host.name

    @property
    def shown(self) -> str:
        """The command in one line, cut short."""
        line = " ".join(self.command.split())
        return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"

    def session(self, token: str) -> str:
        """By which name the database knows the session of a run; PostgreSQL cuts it at 63."""
        return f"headway {token}"[:63]

    def run(self, token: str, say: Say) -> Ran:
        """Run it once, whatever becomes of the connection.

        Args:
            token: names this run; the same one is never done twice on a host.
            say: told what goes on.

        Raises:
            Unreachable: nothing was sent.
        """
        try:
            report = self._arrows(token).send(
                "once",
                [self.service, self.command],
                token=token,
                # An earlier run may have to be waited for, first for its script and then itself.
                timeout=3 * self.timeout + _SPARE,
                say=say,
            )
        except Unreachable:
            raise
        except ArrowFailed as error:
            detail = self._masked(error.detail)
            if error.report.last("failed"):
                return Ran(f"was not run: {error.reason}", detail)
            return Ran(f"may still be running: {error.reason}", detail, ended=False)
        except HostError as error:
            return Ran(f"may still be running: {error.reason}", ended=False)
        ended = report.last("ended") or {}
        said, code = self._masked(ended.get("said", "")), ended.get("code", "")
        if code == "":
            return Ran(f"did not end within {self.timeout:g} s, and was stopped", said)
        if code == "gone":
            return Ran("was removed by somebody while it ran", said)
        return Ran(f"ended with exit code {code}", said, good=code == "0")

    def _arrows(self, token: str) -> Arrows:
        limits = self.limits
        settings = self.arrows.settings | {
            "release": self.release,
            "lock": "migrate",
            "lock_wait": f"{round(self.timeout)}",
            "box": f"{self.arrows.settings['project']}-headway-migrate",
            "limit": f"{max(1, round(self.timeout))}",
            "application": self.session(token),
            "pgoptions": f"-c lock_timeout={round(limits.lock_timeout * 1000)} "
            f"-c statement_timeout={round(limits.statement_timeout * 1000)}",
        }
        return replace(self.arrows, settings=settings, parts=PARTS)

    def _masked(self, text: str) -> str:
        # Before anything is cut, which hides a secret's end and with it the secret.
        text = Redactor(one.reveal() for one in self.secrets).redact(text)
        return "\n".join(line[:_WIDEST] for line in text.split("\n"))

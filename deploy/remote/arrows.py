"""One arrow of a host's state machine, as one exec; and what to do when its outcome is unknown.

Each run of an arrow has a token. The host keeps what a token's run said until the next day, so
after a lost connection the same arrow with the same token is sent again: if it has ended, the host
answers with what it said then; if it is still going, it waits for it; if it never began, it is done
now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from deploy.errors import CommandFailed, HeadwayError, Held, OutcomeUnknown, TimedOut, Unreachable
from deploy.remote.script import Report, assemble, call_of, script

if TYPE_CHECKING:
    from deploy.remote.host import Host

ASK_AGAIN_FOR = 60.0
"""Seconds for which a host that went away in the middle of an arrow is asked again, by default."""

TOLD_TO_END = 124
"""The exit code of a script that got SIGTERM (`lib.sh`), from its deadline or from anybody else."""


class ArrowFailed(CommandFailed):
    """An arrow ended and said why it failed; `detail` is what the host showed, in many lines.

    `seen` is the answer to the probe that failed: its status and its body's first line.
    """

    def __init__(self, host: str, reason: str, detail: str, report: Report, seen: str = "") -> None:
        super().__init__(host, reason, exit_code=1)
        self.detail = detail
        self.seen = seen.strip()
        self.report = report


class Fenced(Held):
    """The host has seen a later lease than ours: it has changed nothing, and will not."""


def fenced(host: str) -> Fenced:
    """The error where a host has said so."""
    return Fenced(
        f"{host}: somebody has taken the lease over meanwhile, and this host takes no more orders "
        "from us"
    )


@dataclass(frozen=True)
class Arrows:
    """Sends arrows to one host.

    `settings` are the shell variables that all arrows of this run share; `proxy` names the proxy's
    part of the script. `parts`, if there are any, are what the script is made of instead of the
    arrows' own: (package, name of a `.sh` in it).
    """

    host: Host
    settings: dict[str, str]
    proxy: str
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    ask_again_for: float = ASK_AGAIN_FOR
    parts: tuple[tuple[str, str], ...] = ()
    _ignore: Callable[[str, bool], None] = field(default=lambda _text, _warned: None, repr=False)

    def send(
        self,
        arrow: str,
        arguments: Sequence[str] = (),
        *,
        token: str,
        timeout: float,
        stdin: bytes = b"",
        say: Callable[[str, bool], None] | None = None,
        overrides: dict[str, str] | None = None,
        of: str = "",
    ) -> Report:
        """Do one arrow, and return what it said.

        Args:
            arrow: the function of the script.
            arguments: its arguments.
            token: names this run of it; the same token is never done twice on a host.
            timeout: seconds after which the host ends it.
            stdin: what it reads.
            say: called with (text, is it a warning) as the script speaks.
            overrides: settings that differ for this arrow alone.
            of: which settings the time-out comes from, in words, for who meets it.

        Raises:
            ArrowFailed: it ended, and said that it failed.
            Fenced: the lease under which it was sent is not the latest.
            Unreachable: nothing was sent.
            TimedOut: the host ended it at its deadline.
            OutcomeUnknown: the host went away and did not come back in time.
        """
        settings = self.settings | (overrides or {}) | {"token": token}
        text = self._text(settings, arrow, arguments, locked=True)
        late = self._late(arrow, timeout, of)
        return self._send(text, late, timeout=timeout, stdin=stdin, say=say or self._ignore)

    def read(
        self,
        arrow: str,
        arguments: Sequence[str] = (),
        *,
        timeout: float,
        stdin: bytes = b"",
        of: str = "",
    ) -> list[str]:
        """Run a part that only reads, and return its lines; the arguments are those of `send`.

        Raises:
            HostError: as `Host.exec`; CommandFailed where it failed.
        """
        text = self._text(self.settings, arrow, arguments, locked=False)
        try:
            result = self.host.exec(["sh", "-c", text, "headway"], stdin=stdin, timeout=timeout)
        except TimedOut as error:
            late = self._late(arrow, timeout, of)
            late.state = error.state
            raise late from error
        if result.exit_code != 0:
            raise CommandFailed(
                self.host.name,
                f"{arrow} ended with exit code {result.exit_code}",
                exit_code=result.exit_code,
                stderr=result.stderr.decode("utf-8", "replace"),
            )
        return result.text.splitlines()

    def _text(
        self, settings: Mapping[str, str], arrow: str, arguments: Sequence[str], *, locked: bool
    ) -> str:
        if self.parts:
            return assemble(settings, self.parts, call_of(arrow, arguments, locked=locked))
        return script(settings, self.proxy, arrow, arguments, locked=locked)

    def _late(self, arrow: str, timeout: float, of: str) -> TimedOut:
        said = f"{arrow} did not end within {timeout:g} s, and the host has ended it"
        return TimedOut(self.host.name, f"{said} ({of})" if of else said)

    def _send(
        self,
        text: str,
        late: TimedOut,
        *,
        timeout: float,
        stdin: bytes,
        say: Callable[[str, bool], None],
    ) -> Report:
        lost: HeadwayError | None = None
        until = 0.0
        told: list[dict[str, Any]] = []
        while True:
            report = Report()

            def heard(line: str, report: Report = report) -> None:
                event = report.add(line)
                if event is None:
                    return
                # A host that is asked again begins from the beginning.
                index = len(report.events) - 1
                if told[index : index + 1] == [event]:
                    return
                told[index:] = [event]
                if event["event"] in {"said", "warned"}:
                    say(event["text"], event["event"] == "warned")

            try:
                result = self.host.exec(
                    ["sh", "-c", text, "headway"], stdin=stdin, timeout=timeout, on_line=heard
                )
            except TimedOut as error:
                late.state = error.state
                raise late from error
            except (OutcomeUnknown, Unreachable) as error:
                if lost is None and isinstance(error, Unreachable):
                    raise  # nothing was ever sent
                if lost is None:
                    say("the connection was lost; asking the host again", True)
                    until = self.clock() + self.ask_again_for
                lost = lost or error
                if self.clock() >= until:
                    raise OutcomeUnknown(
                        self.host.name,
                        f"the connection was lost and did not come back within "
                        f"{self.ask_again_for:.0f} s",
                    ) from error
                self.sleep(1)
                continue
            break
        if report.last("fenced"):
            raise fenced(self.host.name)
        if result.exit_code == TOLD_TO_END and result.seconds >= timeout:
            raise late
        failed = report.last("failed")
        if result.exit_code == 0 and failed is None:
            return report
        if failed is None:
            tail = result.stderr.decode("utf-8", "replace").strip()
            failed = {
                "reason": f"the script ended with exit code {result.exit_code}",
                "detail": tail,
            }
        detail, seen = failed.get("detail", ""), failed.get("answer", "")
        raise ArrowFailed(self.host.name, failed["reason"], detail, report, seen)

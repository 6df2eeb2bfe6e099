"""A host that is not there, for tests of the logic that talks to hosts."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deploy.errors import OutcomeUnknown, TimedOut
from deploy.remote.host import Result


@dataclass(frozen=True)
class Call:
    """One command that a fake host was given."""

    host: str
    argv: tuple[str, ...]
    stdin: bytes
    timeout: float

    @property
    def line(self) -> str:
        """The command as one would type it."""
        return shlex.join(self.argv)


Answer = Result | Exception | Callable[[Call], Result]
"""What a command gets: a result, an exception to raise, or a function that does either."""

Matcher = str | re.Pattern[str] | Callable[[Call], bool]
"""Which commands: a part of the line, a pattern found in it, or a function."""


def says(text: str = "", exit_code: int = 0, *, stderr: str = "", seconds: float = 0.0) -> Result:
    """Return the result of a command that printed `text`."""
    return Result(exit_code, text.encode(), stderr.encode(), seconds)


def lost_before(call: Call) -> Result:
    """Answer: the connection goes away, and the host never saw the command."""
    raise OutcomeUnknown(call.host, "the connection was cut while a command ran")


def lost_after(answer: Answer) -> Callable[[Call], Result]:
    """Answer: the host carries the command out, but the connection goes away before it says so."""

    def lose(call: Call) -> Result:
        _give(answer, call)
        return lost_before(call)

    return lose


def hangs(call: Call) -> Result:
    """Answer: the command does not end by itself; its whole timeout passes."""
    raise TimedOut(call.host, f"the command did not end within {call.timeout:g} s")


@dataclass
class FakeHost:
    """A host that answers from a script and remembers what it was asked.

    `script` is a function, or pairs of a matcher and an answer, of which the first that fits is
    given. `sleep` is told how many seconds each command took, so that a test's clock can move on.
    """

    name: str
    script: Callable[[Call], Result] | Sequence[tuple[Matcher, Answer]]
    sleep: Callable[[float], None] = lambda _seconds: None
    calls: list[Call] = field(default_factory=list)
    closed: bool = False

    def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Result:
        """Answer from the script.

        Raises:
            AssertionError: the script has no answer.
        """
        call = Call(self.name, tuple(argv), stdin, timeout)
        self.calls.append(call)
        try:
            result = _give(self._answer(call), call)
        except TimedOut:
            self.sleep(timeout)
            raise
        self.sleep(result.seconds)
        if on_line:
            for line in result.text.splitlines():
                on_line(line)
        return result

    def dial(self, port: int, *, timeout: float) -> socket.socket:
        """Connect to that port of this machine: what answers there is the test's own server."""
        return socket.create_connection(("127.0.0.1", port), timeout)

    def close(self) -> None:
        """Remember that the connection was closed."""
        self.closed = True

    def _answer(self, call: Call) -> Answer:
        if callable(self.script):
            return self.script
        for matcher, answer in self.script:
            if _fits(matcher, call):
                return answer
        raise AssertionError(f"{self.name}: the script has no answer to: {call.line}")


def _fits(matcher: Matcher, call: Call) -> bool:
    if isinstance(matcher, str):
        return matcher in call.line
    if isinstance(matcher, re.Pattern):
        return matcher.search(call.line) is not None
    return matcher(call)


def _give(answer: Answer, call: Call) -> Result:
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, Result):
        return answer
    return answer(call)

"""How a host is spoken to: by commands, and by connections to what answers on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from deploy.errors import CommandFailed


@dataclass(frozen=True)
class Result:
    """What a command left: its exit code, what it printed, and how long it took in seconds."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are not UTF-8 become U+FFFD."""
        return self.stdout.decode("utf-8", "replace")


class Dialled(Protocol):
    """A connection to a port of a host: what a socket and a channel of SSH have in common."""

    def recv(self, nbytes: int, /) -> bytes:
        """Wait for some bytes; none: no more will come."""
        ...

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""
        ...

    def shutdown(self, how: int, /) -> None:
        """End one direction, or both (`socket.SHUT_WR`, `socket.SHUT_RDWR`)."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Host(Protocol):
    """One machine that takes commands."""

    @property
    def name(self) -> str:
        """The host's name in the hosts file."""
        ...

    def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Result:
        """Run one command to its end and return what it left, whatever its exit code.

        Args:
            argv: the command's words, as they are; quoting is the implementation's business.
            stdin: sent whole, then standard input is closed. The only way for a secret.
            timeout: seconds. The host itself ends the command (SIGTERM, then SIGKILL) at that time.
            on_line: called with each whole line of standard output as it arrives, without its end.

        Raises:
            Unreachable: nothing was sent.
            KeyRefused: nothing was sent, as the host's key is not the pinned one.
            TimedOut: the command was ended at its deadline.
            OutcomeUnknown: the connection was lost, and the command may have been carried out.
        """
        ...

    def dial(self, port: int, *, timeout: float) -> Dialled:
        """Connect, on the host, to a port of its own loopback; `timeout` is in seconds.

        Raises:
            ConnectionRefusedError: nothing answers on that port.
            Unreachable: the host can't be reached, or lets nobody do this.
        """
        ...

    def close(self) -> None:
        """End the connection; closing twice is harmless."""
        ...


def checked(host: Host, what: str, result: Result) -> Result:
    """Return `result` if it is a success.

    Raises:
        CommandFailed: it is not; `what` says in words what was tried.
    """
    if result.exit_code != 0:
        stderr = result.stderr.decode("utf-8", "replace")
        raise CommandFailed(
            host.name,
            f"{what} (exit {result.exit_code})",
            exit_code=result.exit_code,
            stderr=stderr,
        )
    return result

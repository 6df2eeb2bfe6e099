"""One command on one channel: input, output and the end of it, without threads.

Why not Fabric's `run`: it sends 93 bytes of input a second, takes a minute for 20 MB of output,
and can't be interrupted.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import paramiko

BLOCK = 4 * 1024 * 1024
AFTER_EXIT = 5.0
"""Seconds of quiet that are given to output after the exit code.

The command's own output is on its way then; what is left beyond is a process that it started in
the background and that holds its standard output open, perhaps for ever.
"""


class Exchange:
    """A command that runs on a channel; the outcome is in its attributes."""

    def __init__(
        self, channel: paramiko.Channel, stdin: bytes, on_line: Callable[[str], None] | None
    ) -> None:
        self._channel = channel
        self._stdin = memoryview(stdin)
        self._lines = Lines(on_line) if on_line else None
        self._closed_stdin = False
        self._ended = [False, False]
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.overdue = False
        """Whether `run` gave up at its deadline."""

    @property
    def exit_code(self) -> int | None:
        """The exit code; None as long as there is none, and if there will be none."""
        if not self._channel.exit_status_ready() or self._channel.exit_status < 0:
            return None
        return self._channel.exit_status

    @property
    def whole(self) -> bool:
        """Whether the output came to its end, rather than the connection."""
        return bool(self._channel.eof_received)

    @property
    def unsent(self) -> bool:
        """Whether a part of the input has not been sent."""
        return not self._closed_stdin

    def run(self, deadline: float) -> None:
        """Talk until the command has ended, the channel is closed, or `deadline` has come.

        `deadline` is a time of `time.monotonic`.
        """
        channel = self._channel
        channel.settimeout(0.0)
        poll = select.poll()
        poll.register(channel.fileno(), select.POLLIN)
        quiet_since: float | None = None
        while True:
            self._send()
            received = self._receive()
            now = time.monotonic()
            if channel.exit_status_ready():
                if all(self._ended):
                    break
                if received or quiet_since is None:
                    quiet_since = now
                elif now - quiet_since > AFTER_EXIT:
                    break
            if now > deadline:
                self.overdue = True
                break
            # Nothing wakes us when the window for input opens, so that is looked at every 10 ms.
            seconds = 0.01 if self.unsent else 0.1
            if all(self._ended):
                channel.status_event.wait(seconds)
            else:
                poll.poll(seconds * 1000)
        if self._lines:
            self._lines.end()

    def _send(self) -> None:
        while not self._closed_stdin:
            if not self._stdin:
                self._closed_stdin = True
                self._channel.shutdown_write()
                break
            try:
                sent = self._channel.send(bytes(self._stdin[:32768]))
            except TimeoutError:
                break
            except OSError:
                # The command has closed its input, or ended: nobody reads the rest.
                sent = 0
            if sent == 0:
                self._closed_stdin = True
            self._stdin = self._stdin[sent:]

    def _receive(self) -> bool:
        out = self._read(0, self._channel.recv)
        err = self._read(1, self._channel.recv_stderr)
        self.stdout += out
        self.stderr += err
        if self._lines:
            self._lines.feed(out)
        return bool(out or err)

    def _read(self, stream: int, recv: Callable[[int], bytes]) -> bytes:
        if self._ended[stream]:
            return b""
        try:
            data = recv(BLOCK)
        except TimeoutError:
            return b""
        self._ended[stream] = not data
        return data


class Lines:
    """Cuts a stream of bytes into lines of text."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes; pass on each line that they complete."""
        if b"\n" not in data:
            self._rest += data
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._pass(line)

    def end(self) -> None:
        """Pass on what stands after the last newline."""
        if self._rest:
            self._pass(self._rest)
        self._rest = b""

    def _pass(self, line: bytes) -> None:
        self._on_line(line.removesuffix(b"\r").decode("utf-8", "replace"))

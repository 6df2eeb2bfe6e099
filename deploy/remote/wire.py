"""Finding out that the other end is gone when nothing tells us so.

A host that loses its power or its network sends no FIN: a command on it would seem to run for
ever, and paramiko's own keep-alive asks for no answer. So a `Pulse` asks for an answer every two
seconds, and the `Wire`, the socket that paramiko reads from, breaks when it has heard nothing at
all for eight: every waiter is then told by paramiko as if the connection had been reset.
Whatever arrives counts as a sign of life, since on a slow line an answer queues behind megabytes
of output.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
import time
from typing import Any

import paramiko

PULSE = 2.0
"""Seconds between two questions."""
SILENCE = 8.0
"""Seconds without one byte after which the other end is taken for gone; < 10 s with all slack."""


class Wire:
    """A socket, or a channel through a gateway, that knows when it last heard something."""

    def __init__(self, sock: socket.socket | paramiko.Channel) -> None:
        self._sock: Any = sock
        self._armed = False
        self._heard = self._listened = time.monotonic()
        self.silent = False
        """Whether this wire broke because nothing was heard."""

    def arm(self) -> None:
        """From now on silence breaks it; until then the time-outs of the handshake apply."""
        self._heard = time.monotonic()
        self._armed = True

    def recv(self, size: int) -> bytes:
        """Read, as a socket does."""
        now = time.monotonic()
        if now - self._listened > PULSE:
            # This process itself stood still (a laptop's lid, SIGSTOP): it was not listening.
            self._heard = now
        try:
            data: bytes = self._sock.recv(size)
        except TimeoutError:
            self._listened = time.monotonic()
            self._break_if_silent()
            raise
        self._heard = self._listened = time.monotonic()
        return data

    def send(self, data: bytes) -> int:
        """Write, as a socket does."""
        try:
            sent: int = self._sock.send(data)
        except TimeoutError:
            self._break_if_silent()
            raise
        return sent

    def settimeout(self, seconds: float | None) -> None:
        """Set the time-out of one read or write."""
        self._sock.settimeout(seconds)

    def getpeername(self) -> Any:
        """Return the other end's address."""
        return self._sock.getpeername()

    def close(self) -> None:
        """Close it; closing twice is harmless."""
        self._sock.close()

    @property
    def _closed(self) -> bool:
        # Transport.stop_thread asks sockets for this name.
        return bool(self._sock._closed)

    def _break_if_silent(self) -> None:
        if self._armed and time.monotonic() - self._heard > SILENCE:
            self.silent = True
            # Not ETIMEDOUT: that is a TimeoutError, after which paramiko goes on reading.
            raise ConnectionAbortedError(errno.ECONNABORTED, f"nothing heard for {SILENCE:.0f} s")


class Pulse:
    """A thread that keeps asking the other end for an answer, as long as the connection stands."""

    def __init__(self, name: str, transport: paramiko.Transport) -> None:
        self._transport = transport
        self._ended = threading.Event()
        threading.Thread(target=self._beat, name=f"pulse {name}", daemon=True).start()

    def end(self) -> None:
        """Stop asking; does not wait."""
        self._ended.set()

    def _beat(self) -> None:
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            while self._transport.is_active() and not self._ended.wait(PULSE):
                # The answer is "no such request"; that it comes is what counts. A transport that
                # ends lets this return.
                self._transport.global_request("keepalive@openssh.com", wait=True)

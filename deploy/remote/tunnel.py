"""A port on 127.0.0.1 here whose connections come out at a port of a host, as with `ssh -L`.

What a host's proxy answers can be asked so though nothing but SSH leads to that host; a browser can
be sent through as well.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

from deploy.errors import HeadwayError

if TYPE_CHECKING:
    from types import TracebackType

    from deploy.remote.host import Dialled, Host

_DIAL = 10.0
"""Seconds for the host to open a connection to itself."""
_PIECE = 65536


class Tunnel:
    """Listens until it is closed. Each connection is one of the host's own to its port.

    `failure` says why the last connection through it could not be made, where it could not; who
    came then finds it closed at once.
    """

    def __init__(self, host: Host, port: int) -> None:
        self.failure: HeadwayError | ConnectionError | None = None
        self._host, self._target = host, port
        self._open: set[socket.socket | Dialled] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, name=f"tunnel {host.name}", daemon=True).start()

    def close(self) -> None:
        """End it and all that goes through it; closing twice is harmless."""
        with self._lock:
            self._closed = True
            ends, self._open = self._open, set()
        # Closing alone does not wake the thread that waits in accept().
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for end in ends:
            _end(end)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        try:
            far = self._host.dial(self._target, timeout=_DIAL)
        except (HeadwayError, ConnectionError) as error:
            self.failure = error
            near.close()
            return
        self.failure = None
        with self._lock:
            closed = self._closed
            if not closed:
                self._open |= {near, far}
        if not closed:
            back = threading.Thread(target=_carry, args=(far, near), daemon=True)
            back.start()
            _carry(near, far)
            back.join()
        with self._lock:
            self._open -= {near, far}
        _end(near)
        _end(far)


def _carry(source: socket.socket | Dialled, target: socket.socket | Dialled) -> None:
    """Pass on what comes, and that no more will come."""
    # EOFError: the SSH connection went away.
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(_PIECE):
            target.sendall(data)
    with contextlib.suppress(OSError, EOFError):
        target.shutdown(socket.SHUT_WR)


def _end(end: socket.socket | Dialled) -> None:
    with contextlib.suppress(OSError, EOFError):
        end.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError, EOFError):
        end.close()

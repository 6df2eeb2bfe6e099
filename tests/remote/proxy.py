"""A TCP proxy that can turn into a dead network."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading


class Proxy:
    """Forwards a port of its own to another one, until it is told not to."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._frozen: set[socket.socket] = set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """From now on, the connections there are carry nothing, and stay open."""
        for pair in self._pairs:
            self._frozen.update(pair)

    def reset(self) -> None:
        """Break the connections there are with an RST."""
        for pair in self._pairs:
            for sock in pair:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    sock.shutdown(socket.SHUT_RD)
                    sock.close()

    def close(self) -> None:
        """Stop."""
        self._server.close()
        for pair in self._pairs:
            for sock in pair:
                sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                self.accepted += 1
                self._pairs.append((near, far))
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if source in self._frozen:
                    # Swallow nothing more: what is sent from now on piles up, as in a dead network.
                    threading.Event().wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

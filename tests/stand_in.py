"""A small real HTTP server that stands for somebody else's, and behaves as badly as they may."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Reply = Callable[["Request"], None]


@dataclass(frozen=True)
class Seen:
    """One question."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Request(BaseHTTPRequestHandler):
    """One request; the server's next reply answers it."""

    protocol_version = "HTTP/1.1"
    server: StandIn

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        one = Seen(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        with self.server.lock:
            self.server.seen.append(one)
            replies = self.server.replies
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
        reply(self)

    def log_message(self, format: str, *args: Any) -> None:
        del format, args


class StandIn(ThreadingHTTPServer):
    """Gives its replies one after the other, the last one for ever; remembers all questions."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.seen: list[Seen] = []
        self.replies: list[Reply] = [says({})]
        self.over = threading.Event()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        del request, client_address  # a client that gives up is what some tests are about


def says(body: object, status: int = 200, **headers: str) -> Reply:
    """Answer with JSON, or with bytes as they are."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def reply(request: Request) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return reply


def hangs(request: Request) -> None:
    """Say nothing until the test is over."""
    request.server.over.wait(60)


def trickles(request: Request) -> None:
    """Always a byte more, and never an end."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not request.server.over.wait(0.05):
        request.wfile.write(b"x")
        request.wfile.flush()


def closes(request: Request) -> None:
    """Hang up without a word."""
    # With a linger of 0 the other end gets a reset, which is the rudest there is.
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.close_connection = True
    request.connection.close()


def breaks_off(request: Request) -> None:
    """Promise more than comes."""
    request.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    request.wfile.flush()
    request.close_connection = True


@contextmanager
def stand_in(*replies: Reply) -> Iterator[StandIn]:
    """A server while the test lasts."""
    with StandIn() as one:
        one.replies = list(replies) or one.replies
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield one
        finally:
            one.over.set()
            one.shutdown()
            thread.join()


def nobody() -> str:
    """An address at which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{one.getsockname()[1]}"

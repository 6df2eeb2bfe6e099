"""A GitHub on 127.0.0.1: it answers what a test has written down, and keeps what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class GitHubServer:
    """`answers`: "METHOD /path" → a status with a body, or a list of them, one for each time."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.hang = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                raw = self.rfile.read(length)
                key = f"{self.command} {self.path}"
                outer.asked.append((key, dict(self.headers), json.loads(raw) if raw else None))
                found = outer.answers.get(key, (404, {"message": "Not Found"}))
                if isinstance(found, list):
                    found = found.pop(0) if len(found) > 1 else found[0]
                if found == "hang":
                    outer.hang.wait(20)
                    return
                if found == "trickle":
                    self.send_response(200)
                    self.send_header("Content-Length", "200")
                    self.end_headers()
                    with contextlib.suppress(OSError):  # who asked has gone away
                        while not outer.hang.wait(0.1):
                            self.wfile.write(b" ")
                    return
                status, body = found
                text = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = _answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def keys(self) -> list[str]:
        return [key for key, _, _ in self.asked]

    def close(self) -> None:
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()

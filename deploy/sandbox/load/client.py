"""Sends one request to the end of its answer, and says truly what became of it.

As a browser does, it keeps connections, looks whether one has ended before it writes to it, and
sends a GET again that a kept connection swallowed. It never sends anything else twice, and opens as
many connections as there are requests in flight.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from deploy.sandbox.load.connection import Answer, Connection, Garbled, Lost, Unreachable, connect
from deploy.sandbox.load.options import Kind

TIMEOUT = 15.0
"""Seconds for a request with its retry, for a handshake, and for a message's echo: more than the
10 s for which a proxy holds a request while it looks for a host that answers."""
BODY = 512
"""Bytes of a POST's body: in one segment, so that no answer hangs on the order of two."""
DETAIL = 120
"""Characters of a detail that are kept."""

CALLS = {
    Kind.GET: ("GET", "/"),
    Kind.POST: ("POST", "/echo"),
    Kind.FRESH: ("GET", "/slow?ms=0"),
    Kind.SLOW: ("POST", "/slow?ms=2000"),
}


@dataclass(frozen=True)
class Outcome:
    """What became of one request: it went well if `reason` is empty.

    `version` is the answer's X-Version, empty without an answer or without the header.
    """

    reason: str = ""
    detail: str = ""
    version: str = ""
    retried: bool = False


class Client:
    """A pool of kept-alive connections beside a way to fresh ones, both to one server."""

    def __init__(self, url: str) -> None:
        """Take `http://HOST:PORT`, as `Options` allows it; nothing is opened yet."""
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._requests = {kind: _request(kind, parts.netloc) for kind in CALLS}
        self._idle: deque[Connection] = deque()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for connection in self._idle:
            connection.close()

    async def request(self, kind: Kind) -> Outcome:
        """Send one request, to the end of its answer."""
        request, keep, retried = self._requests[kind], kind is not Kind.FRESH, False
        try:
            async with asyncio.timeout(TIMEOUT):
                connection = (self._take() if keep else None) or await self._connect()
                try:
                    answer = await connection.ask(request)
                except Lost as lost:
                    if kind is not Kind.GET or not lost.swallowed:
                        raise
                    keep, retried = False, True
                    connection = await self._connect()
                    answer = await connection.ask(request)
        except TimeoutError:
            return Outcome("timeout", f"no whole answer within {TIMEOUT:g} s", retried=retried)
        except Unreachable as error:
            return Outcome("connect", shorten(str(error)), retried=retried)
        except Lost as error:
            return Outcome("reset", shorten(str(error)), retried=retried)
        except Garbled as error:
            return Outcome("protocol", shorten(str(error)), retried=retried)
        if keep and connection.open:
            self._idle.append(connection)
        else:
            connection.close()
        return _judge(kind, answer, retried)

    async def _connect(self) -> Connection:
        return await connect(self._host, self._port)

    def _take(self) -> Connection | None:
        """The connection that has been idle longest, so that none of them grows old."""
        while self._idle:
            connection = self._idle.popleft()
            if connection.is_quiet():
                return connection
            connection.close()  # nothing was sent on it: no harm is done
        return None


def _request(kind: Kind, host: str) -> bytes:
    method, path = CALLS[kind]
    body = b"." * BODY if method == "POST" else b""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Accept: */*", "User-Agent: headway"]
    if kind is Kind.FRESH:
        lines.append("Connection: close")
    if body:
        lines += ["Content-Type: text/plain", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _judge(kind: Kind, answer: Answer, retried: bool) -> Outcome:
    version = answer.headers.get(b"x-version", b"").decode("utf-8", "replace")
    if not 200 <= answer.status < 300:
        words = shorten(answer.content.decode("utf-8", "replace"))
        return Outcome(f"status-{answer.status}", words, version, retried)
    # `/echo` says how many bytes have arrived.
    if kind is Kind.POST and _length(answer.content) != BODY:
        words = shorten(answer.content.decode("utf-8", "replace"))
        return Outcome("body", f"{words} in answer to {BODY} bytes", version, retried)
    return Outcome(version=version, retried=retried)


@lru_cache(maxsize=16)  # good answers are all alike
def _length(content: bytes) -> object:
    """What `{"length": …}` says; None for anything else."""
    try:
        answer = json.loads(content)
    except ValueError:
        return None
    return answer.get("length") if isinstance(answer, dict) else None


def shorten(text: str) -> str:
    """The text on one line, and no more of it than a report needs."""
    return " ".join(text.split())[:DETAIL]

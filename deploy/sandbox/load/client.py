"""Sends one request, or opens one websocket, and says truly what became of it.

Three things that aiohttp does by itself would falsify the count, and are dealt with here:

- It sends a GET again when the connection ends without an answer, even on a new connection. A
  middleware turns the error into one that it does not know, so that every attempt is seen.
- It learns of a FIN only when its event loop comes round to it. `_Request` asks the kernel right
  before it writes, as browsers do, and takes another connection.
- It lets 100 connections be open and queues the rest. Here there is no limit.
"""

from __future__ import annotations

import asyncio
import json
import select
from dataclasses import dataclass, replace
from types import SimpleNamespace, TracebackType
from typing import TYPE_CHECKING, Self

import aiohttp

from deploy.sandbox.load.options import Kind

if TYPE_CHECKING:
    from aiohttp.connector import Connection

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


class Gone(aiohttp.ClientConnectionError):
    """The connection had ended before anything was written to it."""


class _Unanswered(aiohttp.ClientError):
    """The connection could not be made, or ended before the head of an answer: see `__cause__`."""


class _Request(aiohttp.ClientRequest):
    """A request that looks at its connection before it writes."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        transport = conn.transport
        if transport is None or transport.is_closing():
            raise Gone
        # An idle HTTP/1.1 connection has nothing to read: if it has, that is a FIN or a reset.
        poll = select.poll()
        poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        if poll.poll(0):
            raise Gone
        return await super().send(conn)


@dataclass
class _Course:
    """How one request goes: whether its connection was used before, whether it is sent again."""

    reused: bool = False
    retried: bool = False


async def _note_reuse(
    _session: aiohttp.ClientSession,
    context: SimpleNamespace,
    _params: aiohttp.TraceConnectionReuseconnParams,
) -> None:
    context.trace_request_ctx.reused = True


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Unanswered from error


class Client:
    """A pool of kept-alive connections beside a way to fresh ones, both to one server."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def __aenter__(self) -> Self:
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_note_reuse)
        self._pooled = _session(aiohttp.TCPConnector(limit=0), trace)
        self._fresh = _session(aiohttp.TCPConnector(limit=0, force_close=True))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._pooled.close()
        await self._fresh.close()

    async def request(self, kind: Kind) -> Outcome:
        """Send one request, to the end of its answer."""
        course = _Course()
        try:
            async with asyncio.timeout(TIMEOUT):
                outcome = await self._request(kind, course)
        except (aiohttp.ClientError, TimeoutError) as error:
            outcome = failure(error)
        return replace(outcome, retried=True) if course.retried else outcome

    async def _request(self, kind: Kind, course: _Course) -> Outcome:
        method, path = CALLS[kind]
        session = self._fresh if kind is Kind.FRESH else self._pooled
        headers = {"Connection": "close"} if kind is Kind.FRESH else None
        while True:
            course.reused = False
            try:
                async with session.request(
                    method,
                    self._url + path,
                    data="." * BODY if method == "POST" else None,
                    headers=headers,
                    allow_redirects=False,
                    trace_request_ctx=course,
                ) as response:
                    return _judge(kind, response, await response.read())
            except Gone:
                if not course.reused:
                    raise
                # Nothing was sent, and the pool has one dead connection less.
            except _Unanswered as error:
                if kind is not Kind.GET or not course.reused or not _silent(error.__cause__):
                    raise
                session, course.retried = self._fresh, True

    async def websocket(self) -> aiohttp.ClientWebSocketResponse:
        """Open a websocket on a connection of its own.

        Raises:
            aiohttp.ClientError, TimeoutError: it could not be opened.
        """
        async with asyncio.timeout(TIMEOUT):
            return await self._fresh.ws_connect(
                self._url + "/ws",
                # Seconds to wait for the answer to our close frame; nobody counts on it.
                timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
            )


def _session(
    connector: aiohttp.TCPConnector, *traces: aiohttp.TraceConfig
) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        request_class=_Request,
        middlewares=(_once,),
        trace_configs=list(traces),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # TIMEOUT is ours
    )


def _silent(cause: BaseException | None) -> bool:
    """Whether no byte of an answer had come: then a head cut short is not in the error."""
    return not isinstance(cause, aiohttp.ServerDisconnectedError) or isinstance(cause.message, str)


def _judge(kind: Kind, response: aiohttp.ClientResponse, content: bytes) -> Outcome:
    version = response.headers.get("X-Version", "")
    if not 200 <= response.status < 300:
        words = _short(content.decode("utf-8", "replace"))
        return Outcome(f"status-{response.status}", words, version)
    # `/echo` says how many bytes have arrived.
    if kind is Kind.POST and _length(content) != BODY:
        words = _short(content.decode("utf-8", "replace"))
        return Outcome("body", f"{words} in answer to {BODY} bytes", version)
    return Outcome(version=version)


def _length(content: bytes) -> object:
    """What `{"length": …}` says; None for anything else."""
    try:
        answer = json.loads(content)
    except ValueError:
        return None
    return answer.get("length") if isinstance(answer, dict) else None


def failure(error: Exception) -> Outcome:
    """The class and the words of what went wrong without an answer that could be judged."""
    cause = error.__cause__ if isinstance(error, _Unanswered) else error
    words = _short(str(cause)) or type(cause).__name__
    match cause:
        case TimeoutError():
            return Outcome("timeout", f"no whole answer within {TIMEOUT:g} s")
        case aiohttp.ClientConnectorError():
            return Outcome("connect", words)
        case aiohttp.WSServerHandshakeError():
            # 101 with a handshake that is wrong otherwise is no refusal by status.
            return Outcome("protocol" if cause.status == 101 else f"status-{cause.status}", words)
        case aiohttp.ClientConnectionError() | aiohttp.ClientPayloadError():
            return Outcome("reset", words)
    return Outcome("protocol", words)


def _short(text: str) -> str:
    return " ".join(text.split())[:DETAIL]

"""Opens websockets, with aiohttp, and says truly what became of one that did not open.

aiohttp sends a handshake again when the connection ends without an answer. A middleware turns the
error into one that it does not know, so that every attempt is seen.
"""

from __future__ import annotations

import asyncio

import aiohttp

from deploy.sandbox.load.client import TIMEOUT, Outcome, shorten


class _Unanswered(aiohttp.ClientError):
    """The connection could not be made, or ended before the head of an answer: see `__cause__`."""


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Unanswered from error


def session() -> aiohttp.ClientSession:
    """What `open_websocket` needs: no limit of connections, and each is a new one."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        middlewares=(_once,),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # TIMEOUT is ours
    )


async def open_websocket(
    handshakes: aiohttp.ClientSession, url: str
) -> aiohttp.ClientWebSocketResponse:
    """Open a websocket on a connection of its own.

    Raises:
        aiohttp.ClientError, TimeoutError: it could not be opened; `failure` has the words for it.
    """
    async with asyncio.timeout(TIMEOUT):
        return await handshakes.ws_connect(
            url.rstrip("/") + "/ws",
            # Seconds to wait for the answer to our close frame; nobody counts on it.
            timeout=aiohttp.ClientWSTimeout(ws_close=2.0),
        )


def failure(error: Exception) -> Outcome:
    """The class and the words of what went wrong with a handshake."""
    cause = error.__cause__ if isinstance(error, _Unanswered) else error
    words = shorten(str(cause)) or type(cause).__name__
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

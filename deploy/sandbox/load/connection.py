"""One HTTP/1.1 connection: a request goes out in one piece, its answer is read to its end."""

from __future__ import annotations

import asyncio
import select
from typing import NamedTuple, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

SWITCHING = 101
"""The one status below 200 that is an answer; the others announce one."""


class Answer(NamedTuple):
    """A whole answer; names of headers are in lower case, and of two alike the first is kept."""

    status: int
    headers: dict[bytes, bytes]
    content: bytes


class Unreachable(Exception):
    """The connection could not be made."""


class Lost(Exception):
    """The connection ended before the whole answer.

    `swallowed` if it was a kept one that ended without a byte of an answer: the server may have
    closed it before the request arrived.
    """

    def __init__(self, words: str, *, swallowed: bool = False) -> None:
        super().__init__(words)
        self.swallowed = swallowed


class Garbled(Exception):
    """What came is not HTTP."""


async def connect(host: str, port: int) -> Connection:
    """Make a connection.

    Raises:
        Unreachable: nobody listens there, or this process has too many files open.
    """
    loop = asyncio.get_running_loop()
    try:
        _, connection = await loop.create_connection(Connection, host, port)
    except OSError as error:
        raise Unreachable(str(error)) from error
    return connection


class Connection(asyncio.Protocol):
    """Asks one thing after another. It closes by itself once nothing more can be asked on it.

    The methods `on_…` are the parser's to call, as the others of a Protocol are the event loop's.
    """

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._arrivals = select.poll()
        self._waiter: asyncio.Future[Answer] | None = None  # while something is asked
        self._kept = False  # it has answered before
        self._begun = False  # a byte of the answer has come
        self._until_end = False  # what ends the answer is the connection's end
        self._headers: dict[bytes, bytes] = {}
        self._content: list[bytes] = []
        self._answer: Answer | None = None

    @property
    def open(self) -> bool:
        """Whether it can be kept for another request, as far as this process has been told."""
        return not self._transport.is_closing()

    def is_quiet(self) -> bool:
        """Whether it can be used again: by what the kernel knows, neither an end nor data has come.

        The event loop may learn of a FIN only when it next comes round.
        """
        return self.open and not self._arrivals.poll(0)

    async def ask(self, request: bytes) -> Answer:
        """Send a request, and wait for the end of its answer; given up, the connection is closed.

        Raises:
            Lost, Garbled: there is no whole answer, and there will be none.
        """
        if not self.open:
            raise Lost("Server disconnected", swallowed=self._kept)
        self._begun = False
        self._answer = None
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._waiter
        except asyncio.CancelledError:
            self.close()
            raise

    def close(self) -> None:
        """Send a FIN; once is enough."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._arrivals.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Read on in the answer, or close if nothing was asked."""
        if self._waiter is None:
            self.close()
            return
        self._begun = True
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.close()
        except HttpParserError as error:
            self.close()
            self._end(Garbled(str(error)))
        if self._answer:
            self._end(self._answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer, if a FIN is what ends it; else there is none."""
        if self._until_end and exc is None:
            self.on_message_complete()
        if self._answer:
            self._end(self._answer)
            return
        words = f"Server disconnected{' within its answer' if self._begun else ''}"
        self._end(Lost(str(exc or words), swallowed=self._kept and not self._begun))

    def on_message_begin(self) -> None:
        """Take the next answer; a second one, that nobody has asked for, is the last."""
        if self._answer:
            self.close()
        self._headers = {}
        self._content = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers.setdefault(name.lower(), value)

    def on_headers_complete(self) -> None:
        """Find out what ends the answer: the parser is not told of the connection's end."""
        self._until_end = (
            b"content-length" not in self._headers
            and b"chunked" not in self._headers.get(b"transfer-encoding", b"").lower()
        )

    def on_body(self, body: bytes) -> None:
        """Keep a piece of the body."""
        self._content.append(body)

    def on_message_complete(self) -> None:
        """Put the answer together, unless it only announces one, as 100 and 103 do."""
        self._until_end = False
        status = self._parser.get_status_code()
        if self._answer or (status < 200 and status != SWITCHING):
            return
        self._answer = Answer(status, self._headers, b"".join(self._content))
        if not self._parser.should_keep_alive():
            self.close()

    def _end(self, end: Answer | Exception) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is None or waiter.done():
            return
        if isinstance(end, Exception):
            waiter.set_exception(end)
        else:
            self._kept = True
            waiter.set_result(end)

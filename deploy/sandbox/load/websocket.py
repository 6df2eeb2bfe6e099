"""Keeps a websocket open, sends a numbered message a second, and expects each back in its turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import aiohttp

from deploy.sandbox.load.client import TIMEOUT
from deploy.sandbox.load.handshake import failure, open_websocket
from deploy.sandbox.load.options import Kind
from deploy.sandbox.load.report import ABNORMAL, Closed

if TYPE_CHECKING:
    from deploy.sandbox.load.tally import Tally

EVERY = 1.0
"""Seconds between two messages, and at least between two attempts to open."""
NO_CODE = 1005
"""RFC 6455, 7.1.5: stands for the code of a close frame that names none."""


class Websocket:
    """One place in the load for a websocket: where one ends, the next is opened.

    `offset` (seconds) is when its messages are due within each second, so that the websockets of
    one load don't all speak at once. `clock` gives seconds from the start of the load.
    """

    def __init__(
        self,
        number: int,
        offset: float,
        *,
        url: str,
        handshakes: aiohttp.ClientSession,
        tally: Tally,
        clock: Callable[[], float],
        stop: asyncio.Event,
    ) -> None:
        self._number = number
        self._due = offset
        self._url = url
        self._handshakes = handshakes
        self._tally = tally
        self._clock = clock
        self._stop = stop
        self._count = 0
        self._pending: deque[tuple[str, float]] = deque()
        self._leaving = False

    async def run(self) -> None:
        """Go on until the load stops and the last echo has come, or is overdue."""
        while not self._stop.is_set():
            began = self._clock()
            self._tally.sent(Kind.OPEN, began)
            try:
                connection = await open_websocket(self._handshakes, self._url)
            except (aiohttp.ClientError, TimeoutError) as error:
                outcome = failure(error)
                self._tally.failed(Kind.OPEN, began, outcome.reason, outcome.detail)
            else:
                self._tally.ok(Kind.OPEN, began, self._clock())
                await self._converse(connection)
            await self._pause(began + EVERY)

    async def _converse(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        opened = self._clock()
        self._pending.clear()
        self._leaving = False
        async with asyncio.TaskGroup() as group:
            speaker = group.create_task(self._speak(connection))
            code = await self._listen(connection)
            if code is not None:
                speaker.cancel()
                now = self._clock()
                self._tally.closed(
                    Closed(round(now, 3), round(now - opened, 3), code, len(self._pending))
                )

    async def _speak(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        while not self._stop.is_set() and not self._overdue():
            # Seconds in which there was no websocket to send on are gone.
            while self._due < self._clock() - EVERY:
                self._due += EVERY
            await self._pause(self._due)
            if not self._stop.is_set():
                self._count += 1
                self._pending.append((f"{self._number} {self._count}", self._due))
                try:
                    await connection.send_str(self._pending[-1][0])
                except (aiohttp.ClientError, ConnectionError):
                    self._pending.pop()  # it was not sent: the listener has the rest to tell
                    return
                self._tally.sent(Kind.MESSAGE, self._due, self._clock() - self._due)
                self._due += EVERY
        while self._pending and not self._overdue():
            await asyncio.sleep(0.02)
        for text, due in self._pending:
            self._tally.failed(
                Kind.MESSAGE, due, "timeout", f"no echo of {text!r} within {TIMEOUT:g} s"
            )
        self._pending.clear()
        self._leaving = True
        await connection.close()

    async def _listen(self, connection: aiohttp.ClientWebSocketResponse) -> int | None:
        """Take echoes until the end; return the code with which the server ended it, if it did."""
        while True:
            message = await connection.receive()
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                self._heard(message.data)
            elif message.type is aiohttp.WSMsgType.CLOSE:
                return message.data or NO_CODE
            else:
                return None if self._leaving else ABNORMAL

    def _heard(self, echo: str | bytes) -> None:
        if not self._pending:
            return  # nothing was asked: a greeting, say
        text, due = self._pending.popleft()
        if echo == text:
            self._tally.ok(Kind.MESSAGE, due, self._clock())
        else:
            self._tally.failed(Kind.MESSAGE, due, "body", f"{echo[:40]!r} in answer to {text!r}")

    def _overdue(self) -> bool:
        return bool(self._pending) and self._clock() > self._pending[0][1] + TIMEOUT

    async def _pause(self, until: float) -> None:
        """Wait until that time on the load's clock, or until the load stops."""
        delay = until - self._clock()
        if delay > 0:
            try:
                async with asyncio.timeout(delay):
                    await self._stop.wait()
            except TimeoutError:
                return

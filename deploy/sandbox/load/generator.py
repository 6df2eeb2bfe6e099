"""Starts each request when it is due, and waits for nothing but the clock."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from deploy.sandbox.load import handshake
from deploy.sandbox.load.client import Client
from deploy.sandbox.load.options import REQUESTS, Kind, Options
from deploy.sandbox.load.tally import Tally
from deploy.sandbox.load.websocket import Websocket

if TYPE_CHECKING:
    from deploy.sandbox.load.report import LoadReport

DESCRIPTORS = 65536
"""Open files to ask for: a site that holds 400 requests/s for 15 s needs 6000, and the usual 1024
would make failures out of a pause that loses nothing."""
EVERY = 10.0
"""Seconds between two lines of progress."""


async def generate(
    options: Options,
    *,
    stop: asyncio.Event | None = None,
    ready: Callable[[], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> LoadReport:
    """Make the load, wait for what is in flight at its end (at most 15 s), and report.

    Args:
        options: what to send.
        stop: set to end it before its time; what is in flight is still waited for.
        ready: called once, when a first request has been answered well and each websocket has
            been opened or refused a first time.
        say: called every 10 s with a line of progress.
    """
    _allow_descriptors()
    return await _Generator(options, stop or asyncio.Event()).run(ready, say)


class _Generator:
    def __init__(self, options: Options, stop: asyncio.Event) -> None:
        self._options = options
        self._stop = stop
        self._tally = Tally()
        self._start = time.monotonic()

    def _clock(self) -> float:
        return time.monotonic() - self._start

    async def run(
        self, ready: Callable[[], None] | None, say: Callable[[str], None] | None
    ) -> LoadReport:
        started, cpu = time.time(), time.process_time()
        # A task that fails is a fault of the generator's own: the group then ends all of it.
        async with (
            Client(self._options.url) as client,
            handshake.session() as handshakes,
            asyncio.TaskGroup() as group,
        ):
            self._start = time.monotonic()
            for number in range(self._options.websockets):
                socket = Websocket(
                    number,
                    number / self._options.websockets,
                    url=self._options.url,
                    handshakes=handshakes,
                    tally=self._tally,
                    clock=self._clock,
                    stop=self._stop,
                )
                group.create_task(socket.run())
            watchers = []
            if ready:
                watchers.append(group.create_task(self._announce(ready)))
            if say:
                watchers.append(group.create_task(self._progress(say)))
            await self._dispatch(client, group)
            seconds = self._clock()
            self._stop.set()
            for watcher in watchers:
                watcher.cancel()
        return self._tally.report(
            self._options, started=started, seconds=seconds, cpu=time.process_time() - cpu
        )

    async def _dispatch(self, client: Client, group: asyncio.TaskGroup) -> None:
        for number, kind in enumerate(self._options.sequence()):
            due = number / self._options.rate
            # Without a wait when it is late: each due time gets its request, however late.
            if due < self._options.duration and due > self._clock():
                await asyncio.sleep(due - self._clock())
            if due >= self._options.duration or self._stop.is_set():
                break
            group.create_task(self._send(client, kind, due))
        try:
            async with asyncio.timeout(max(0.0, self._options.duration - self._clock())):
                await self._stop.wait()
        except TimeoutError:
            return

    async def _send(self, client: Client, kind: Kind, due: float) -> None:
        self._tally.sent(kind, due, self._clock() - due)
        outcome = await client.request(kind)
        now = self._clock()
        if outcome.retried:
            self._tally.retried()
        if outcome.version:
            self._tally.version(outcome.version, now)
        if outcome.reason:
            self._tally.failed(kind, due, outcome.reason, outcome.detail)
        else:
            self._tally.ok(kind, due, now)

    async def _announce(self, ready: Callable[[], None]) -> None:
        requests = any(self._options.shares.values())
        while (requests and not self._tally.answered(*REQUESTS)) or (
            self._tally.ended(Kind.OPEN) < self._options.websockets
        ):
            await asyncio.sleep(0.02)
        ready()

    async def _progress(self, say: Callable[[str], None]) -> None:
        while True:
            await asyncio.sleep(EVERY)
            say(
                f"{self._clock():4.0f} s  {self._tally.answered(*Kind):,} answered  "
                f"{self._tally.failures:,} failed"
            )


def _allow_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

"""A second connection that sees who blocks the session that migrates."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from deploy.database.migrations.blockers import Blocker, blockers, watch
from deploy.errors import HostError

if TYPE_CHECKING:
    from types import TracebackType

    from deploy.database.server import Server

_SLOWEST = 0.5
"""Seconds between two looks at most."""
_AT_ONCE = 1000
"""Looks in one session; then another one is begun."""


class Watcher:
    """Watches while it is entered; afterwards `seen` has whoever was waited for.

    It begins only after a while, so that what is done at once costs no second connection.

    Args:
        server: the database's.
        token: of the session that is watched.
        lock_timeout: its own, in seconds: within that time it is looked at several times.
    """

    def __init__(self, server: Server, token: int, lock_timeout: float) -> None:
        self._server = server
        self._token = token
        self._interval = min(_SLOWEST, lock_timeout / 8)
        self._delay = min(1.0, lock_timeout / 4)
        self._over = threading.Event()
        self._seen: dict[int, Blocker] = {}
        # A daemon, since the interpreter would wait for any other when a run is interrupted.
        self._thread = threading.Thread(target=self._watch, name="lock watcher", daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if kind is None or issubclass(kind, HostError):
            # It ends by itself as soon as the session is gone.
            self._thread.join(timeout=10)

    @property
    def seen(self) -> tuple[Blocker, ...]:
        """Who was waited for; each session once, as it was seen last."""
        return tuple(self._seen.values())

    def _watch(self) -> None:
        text = watch(self._token, interval=self._interval, times=_AT_ONCE)
        while not self._over.wait(self._delay):
            try:
                printed = self._server.psql(
                    text,
                    timeout=60 + _AT_ONCE * self._interval * 2,
                    doing="nobody could look who holds the locks",
                )
            except HostError:
                # The migration's own session tells how things are.
                continue
            self._seen.update({one.pid: one for one in blockers(printed.splitlines())})

"""A second session beside the one that migrates, for the locks of a file without a transaction."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from deploy.database.measure.samples import add_samples, sample_sql
from deploy.database.migrations.blockers import APPLICATION
from deploy.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Collection
    from types import TracebackType

    from deploy.database.measure.watch import Measured
    from deploy.database.server import Server

_NAME = "headway-sampler"
_THERE = f"select count(*) from pg_catalog.pg_stat_activity where application_name = '{_NAME}'"  # noqa: S608
# Who comes and goes: a migration so short that no look has met its session ends the looking, too.
_VISIT = f"set application_name = '{APPLICATION}'; select pg_catalog.pg_sleep(0.2)"
_COMES = 10.0
"""Seconds in which the second session is to be there."""


class Beside:
    """Looks for locks while it is entered, if it is to watch at all; then `add` has them.

    Args:
        server: a throw-away server; on it nobody else migrates.
        watching: False for a file in a transaction, whose own session knows them all.
    """

    def __init__(self, server: Server, *, watching: bool) -> None:
        self._server = server
        self._watching = watching
        self._seen = ""
        # A daemon, since the interpreter would wait for any other when a run is interrupted.
        self._thread = threading.Thread(target=self._look, name="lock sampler", daemon=True)

    def __enter__(self) -> Beside:
        if self._watching:
            self._thread.start()
            deadline = time.monotonic() + _COMES
            while self._asked(_THERE).strip() in {"", "0"} and time.monotonic() < deadline:
                time.sleep(0.05)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._watching and (kind is None or issubclass(kind, Exception)):
            self._thread.join(timeout=2)
            if self._thread.is_alive():
                self._asked(_VISIT)
                self._thread.join(timeout=_COMES)

    def add(self, measured: Measured, *, ignore: Collection[str]) -> Measured:
        """Return a measurement with the locks that were seen, but those of the tables to ignore."""
        return add_samples(measured, self._seen, ignore=ignore)

    def _asked(self, sql: str) -> str:
        try:
            return self._server.psql(sql, timeout=10, doing="nobody could look for locks")
        except HostError:
            # Without it the locks stay unknown; the migration's own session tells the rest.
            return ""

    def _look(self) -> None:
        text = f"set application_name = '{_NAME}';\n{sample_sql(APPLICATION)}"
        try:
            self._seen = self._server.psql(text, timeout=3660, doing="nobody could look for locks")
        except HostError:
            self._seen = ""

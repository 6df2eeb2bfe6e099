"""Somebody who uses the site all the while: what they got, and what they did not get."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

TRIES_EVERY = 0.02
START_SECONDS = 30.0
"""Within which a proxy listens and has found its servers, on a busy machine."""


class Visitor:
    """Asks for `/` on a new connection fifty times a second, from the `with` to its end."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._visit, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def ask(self) -> str:
        """The version that answers now."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            body = answer.read().decode()
            if answer.status != 200:
                raise http.client.HTTPException(f"status {answer.status}: {body}")
            return answer.headers["X-Version"]
        finally:
            connection.close()

    def _visit(self) -> None:
        while not self._stop.wait(TRIES_EVERY):
            began = time.monotonic()
            try:
                self.answers[self.ask()] += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{error!r} after {time.monotonic() - began:.2f} s")


def wait_for(port: int, version: str) -> None:
    """A proxy that has just been started answers, with `version`."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            assert Visitor(port).ask() == version
        except (AssertionError, OSError, http.client.HTTPException):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
        else:
            return

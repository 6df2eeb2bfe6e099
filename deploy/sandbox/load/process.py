"""The load as a run in this process, or in one of its own that a test starts and stops."""

from __future__ import annotations

import asyncio
import importlib.util
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

from deploy.errors import HeadwayError, UsageError
from deploy.sandbox.load.options import Options
from deploy.sandbox.load.report import LoadReport

EXTRA = ("aiohttp", "httptools")
"""What the load needs beside Headway's own dependencies: for websockets, and for requests."""
READY = "answering"
"""What the process prints when a first answer has come and the websockets are open."""
READY_WITHIN = 20.0
"""Seconds: a first request may take 15 until it is given up, and the process 1 or 2 to start."""
STOP_WITHIN = 30.0
"""Seconds: 15 for what is in flight, 2 for close frames, and the report of a long load."""


def require_extra() -> None:
    """Say what to install where the sandbox's extra was left out.

    Raises:
        UsageError: a package of it is not there.
    """
    for name in EXTRA:
        if importlib.util.find_spec(name) is None:
            raise UsageError(
                f"The load needs {name}, which is not installed.",
                state="Nothing has been sent.",
                mend="pip install 'headway[sandbox]'",
            )


def run(
    options: Options,
    *,
    ready: Callable[[], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> LoadReport:
    """Make the load in this process, which has to be its main thread; SIGINT or SIGTERM end it.

    What is in flight then is waited for, at most 15 s. `ready` and `say` are as for `generate`.

    Raises:
        UsageError: a package of the sandbox's extra is not installed.
    """
    require_extra()
    from deploy.sandbox.load.generator import generate

    async def generate_until_signal() -> LoadReport:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        return await generate(options, stop=stop, ready=ready, say=say)

    return asyncio.run(generate_until_signal())


class Load:
    """A load in a process of its own; `report` is there once it has been stopped."""

    def __init__(self, options: Options) -> None:
        """Start the process.

        Raises:
            UsageError: a package of the sandbox's extra is not installed.
        """
        require_extra()
        self._url = options.url
        self._report: LoadReport | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="headway-load-")
        self._path = Path(self._folder.name) / "load.json"
        self._errors = Path(self._folder.name) / "errors"
        flags = [f"--{name}={value}" for name, value in asdict(options).items()]
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 (this interpreter, checked options)
                [sys.executable, "-m", __package__, *flags, f"--json={self._path}"],
                cwd=Path(__file__).parents[3],  # so that `deploy` is found, installed or not
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    @property
    def report(self) -> LoadReport:
        """What it saw.

        Raises:
            HeadwayError: it has not been stopped yet.
        """
        if self._report is None:
            raise HeadwayError("The load is still running.", mend="stop it, then read its report")
        return self._report

    def wait_ready(self, timeout: float = READY_WITHIN) -> None:
        """Wait until the first answer has come and the websockets are open, `timeout` seconds.

        Raises:
            HeadwayError: nothing has answered by then, or the process ended before.
        """
        output = cast("IO[bytes]", self._process.stdout)
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            if select.select([output], [], [], left)[0]:
                line = output.readline()
                if line.decode().strip() == READY:
                    return
                if not line:
                    self._process.wait()
                    raise self._broken("ended before a first answer")
        raise HeadwayError(
            f"{self._url} answered nothing good within {timeout:g} s.",
            mend="for the sandbox: inv sandbox.up",
        )

    def stop(self) -> LoadReport:
        """End it, wait for what is in flight, and return the report; again, if called again.

        Raises:
            HeadwayError: the process left no report.
        """
        if self._report is None:
            self._report = self._stop()
        return self._report

    def _stop(self) -> LoadReport:
        try:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.communicate(timeout=STOP_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.communicate()
                raise self._broken(f"did not end within {STOP_WITHIN:g} s") from None
            if self._process.returncode != 0 or not self._path.exists():
                raise self._broken("left no report")
            return LoadReport.from_json(self._path.read_text(encoding="utf-8"))
        finally:
            self._folder.cleanup()

    def _broken(self, what: str) -> HeadwayError:
        words = self._errors.read_text(encoding="utf-8", errors="replace").strip()
        return HeadwayError(f"The load {what} (exit {self._process.returncode}).", state=words)


@contextmanager
def running(url: str, rate: float = 100.0, duration: float = 600.0, **rest: Any) -> Iterator[Load]:
    """Keep a load on `url` for as long as the block runs, at most `duration` seconds.

    The block starts when the first answer has come and the websockets are open; after it,
    `load.report` says what was seen. `rest` are further fields of `Options`.

    Raises:
        UsageError: options out of bounds, or a package of the sandbox's extra is not installed.
        HeadwayError: nothing answered, or the load broke down.
    """
    load = Load(Options(url=url, rate=rate, duration=duration, **rest))
    try:
        load.wait_ready()
        yield load
    except BaseException:
        with suppress(HeadwayError):  # what went wrong first is what matters
            load.stop()
        raise
    load.stop()

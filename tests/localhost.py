"""This machine as a host: what tests of real commands talk to where SSH is not the question."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from deploy.errors import TimedOut
from deploy.remote.host import Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass
class LocalHost:
    """A `Host` whose commands are processes of this machine, each in a session of its own.

    `environ` is laid over the environment of this process; `cwd` is where commands start.
    """

    name: str = "localhost"
    environ: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None

    def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Result:
        """Run one command; see `Host.exec`. At its deadline the whole session is killed."""
        began = time.monotonic()
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **self.environ},
            cwd=self.cwd,
            start_new_session=True,
        )
        assert process.stdin
        assert process.stdout
        assert process.stderr
        late = threading.Event()

        def end() -> None:
            late.set()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        deadline = threading.Timer(timeout, end)
        stderr: list[bytes] = []
        helpers = [
            threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True),
            threading.Thread(
                target=lambda pipe: stderr.append(pipe.read()), args=(process.stderr,), daemon=True
            ),
        ]
        for one in (deadline, *helpers):
            one.start()
        stdout = bytearray()
        try:
            for line in process.stdout:
                stdout += line
                if on_line:
                    on_line(line.decode("utf-8", "replace").rstrip("\n"))
            code = process.wait()
        except BaseException:
            end()
            raise
        finally:
            deadline.cancel()
        for one in helpers:
            one.join()
        if late.is_set():
            raise TimedOut(self.name, f"the command did not end within {timeout:g} s")
        seconds = time.monotonic() - began
        return Result(code if code >= 0 else 128 - code, bytes(stdout), b"".join(stderr), seconds)

    def close(self) -> None:
        """Nothing is open."""


def _feed(pipe: IO[bytes], content: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(content)

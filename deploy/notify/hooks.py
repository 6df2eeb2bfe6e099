"""Commands of the team's own, run beside the deploy, on the machine that runs it.

What they have in their environment is in docs/notifications.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy import web
from deploy.notify.notifier import Kind, Moment
from deploy.views.text import one_line

TIMEOUT = 30.0
"""Seconds for one command while the run goes on; at its end, all that is left have 5 s together."""


@dataclass
class Hooks:
    """`commands` by the name of the moment; `build` makes the record, which they read."""

    commands: Mapping[str, str]
    folder: Path
    build: Callable[[Moment], dict[str, Any]]
    name: str = "hooks"
    wants: frozenset[Kind] = frozenset({Kind.STARTED, Kind.HOST, Kind.ENDED})
    whole: bool = False
    _running: subprocess.Popen[bytes] | None = None
    _stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, moment: Moment) -> None:
        """Run the command of this moment, if there is one.

        Raises:
            web.NoAnswer: it failed, or took too long.
        """
        record = self.build(moment)
        hook = name_of(moment.kind, record)
        if hook in self.commands:
            self._run(hook, record, moment.host)

    def _run(self, hook: str, record: dict[str, Any], host: str) -> None:
        # Files, not pipes: what a command leaves in the background holds nobody up.
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(json.dumps(record).encode())
            given.seek(0)
            with self._lock:
                if self._stopped:
                    return
                process = self._running = subprocess.Popen(  # noqa: S603 - the user's own command
                    ["/bin/sh", "-c", self.commands[hook]],
                    cwd=self.folder,
                    env={**os.environ, **variables(hook, record, host)},
                    stdin=given,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C is for the deploy; and what the command starts ends with it.
                    start_new_session=True,
                )
            try:
                code = process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self._end(process)
                process.wait()
                raise web.NoAnswer(f"{hook} did not end within {TIMEOUT:g} s") from None
            if code:
                said.seek(max(0, said.seek(0, os.SEEK_END) - 4000))
                lines = said.read().decode("utf-8", "replace").strip().splitlines()
                last = f": {one_line(lines[-1])[:200]}" if lines else ""
                raise web.NoAnswer(f"{hook} ended with {code}{last}")

    def stop(self) -> None:
        """End the command that runs, and run no other."""
        with self._lock:
            self._stopped = True
            if self._running:
                self._end(self._running)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def name_of(kind: Kind, record: Mapping[str, Any]) -> str:
    """The hook for a moment of a run, or "" where there is none."""
    if kind is Kind.HOST:
        return "after_host"
    if kind is Kind.STARTED:
        return "before_deploy" if record["verb"] == "deploy" else ""
    if record["exit_code"]:
        return "after_failure"
    return {"deploy": "after_deploy", "rollback": "after_rollback"}.get(record["verb"], "")


def variables(hook: str, record: Mapping[str, Any], host: str) -> dict[str, str]:
    """What a command has in its environment; NUL can't be there, and nothing is None."""
    found = {
        "HOOK": hook,
        "RUN": record["id"],
        "VERB": record["verb"],
        "APP": record["app"],
        "ENVIRONMENT": record["environment"],
        "BEFORE": record["before"],
        "AFTER": record["after"],
        "COMMIT": record["commit"],
        "COMMIT_BEFORE": record["commit_before"],
        "BY": record["by"],
        "APPROVED_BY": record["approved_by"],
        "URL": record["links"]["run"],
        "HOST": host,
        "OUTCOME": record["outcome"],
        "EXIT_CODE": record["exit_code"],
        "SECONDS": record["seconds"],
        "MESSAGE": record["message"],
    }
    return {
        f"HEADWAY_{name}": "" if value is None else str(value).replace("\0", "")
        for name, value in found.items()
    }

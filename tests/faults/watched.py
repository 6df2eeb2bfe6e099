"""A run that is watched line by line, and a host that breaks in its middle."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.sandbox.breaking import breaking
from deploy.sandbox.docker import Docker
from tests.fleet.project import Done, Project

DOCKER = Docker()
Window = tuple[float, float]
"""From when to when, in seconds since the epoch."""


def until(process: subprocess.Popen[str], words: str) -> list[str]:
    """Read what it prints up to the first line with these words."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if words in line:
            return lines
    raise AssertionError("\n".join(lines))


def end_of(process: subprocess.Popen[str], said: list[str]) -> Done:
    assert process.stdout is not None
    lines = [(0.0, line) for line in said]
    lines += [(time.time(), line.rstrip("\n")) for line in process.stdout]
    return Done(process.wait(timeout=120), lines)


def broken_at(
    shop: Project, words: str, fault: str, host: str, seconds: float | None = None
) -> Done:
    """Deploy `shop.new`, and break a host at the first line with these words.

    It is mended after so many seconds; with None, when the run has ended.
    """
    process = shop.start("deploy", "--tag", shop.new)
    said = until(process, words)
    with breaking(DOCKER, fault, host):
        if seconds is None:
            return end_of(process, said)
        time.sleep(seconds)
    return end_of(process, said)


@contextmanager
def gone_for(host: str, windows: list[Window]) -> Iterator[None]:
    """Note from when to when a web host, broken in the block, may not have answered."""
    began = time.time()
    try:
        yield
        answering(host)
    finally:
        windows.append((began, time.time()))


def answering(host: str) -> None:
    """Wait until a web host's proxy answers for the application again, three times in a row."""
    ask = "curl -fsS -m 3 -o /dev/null http://127.0.0.1/healthz"
    deadline = time.monotonic() + 90
    good = 0
    while good < 3:
        assert time.monotonic() < deadline, f"{host} does not answer"
        good = good + 1 if DOCKER.works("exec", f"headway-{host}", "sh", "-c", ask) else 0
        time.sleep(0.3)


def forget_images(host: str) -> None:
    """Remove the shop's images from a host, but what runs."""
    listed = "docker images -q --filter reference=localhost:5050/shop | sort -u"
    remove = "xargs -r -n 1 docker image rm -f >/dev/null 2>&1 || :"
    DOCKER("exec", f"headway-{host}", "sh", "-c", f"{listed} | {remove}")

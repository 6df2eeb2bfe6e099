"""Processes of tests share the sandbox's images; whoever takes these away waits for the others."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_FILE = Path(tempfile.gettempdir()) / f"headway-tests-images-{os.getuid()}"
_used: list[IO[bytes]] = []


def use() -> None:
    """From now on this process uses the images."""
    if not _used:
        file = _FILE.open("ab")
        fcntl.flock(file, fcntl.LOCK_SH)
        _used.append(file)


def leave() -> None:
    """This process needs them no more."""
    while _used:
        _used.pop().close()


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other process uses the images."""
    leave()
    with _FILE.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

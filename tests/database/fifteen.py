"""PostgreSQL 15 for tests: Debian 12's packages in an image made as the sandbox's own is."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.sandbox import images

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "headway-test/postgres:{major}"
"""The image, and what a URL to its server takes for its client."""
_SOURCE = "deb http://deb.debian.org/debian bookworm main"
_LABEL = "headway.test.postgres"


def fifteen(docker: Callable[..., str]) -> str:
    """Have the image; it is built once, and again when the sandbox's own has changed.

    Args:
        docker: runs it and returns what it printed. The sandbox's base image is here.
    """
    files = {path.name: path.read_text() for path in (images.FOLDER / "postgres").iterdir()}
    files = {name: text.replace("17", "15") for name, text in files.items()}
    # Of what both releases have, apt takes the newer: only what is called 15 comes from Debian 12.
    source = f"RUN echo '{_SOURCE}' >/etc/apt/sources.list.d/12.list \\\n && apt-get update"
    files["Dockerfile"] = files["Dockerfile"].replace("RUN apt-get update", source)
    digest = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()
    tag = NAME.format(major=15)
    if not docker("image", "ls", "-q", "--filter", f"label={_LABEL}={digest}", tag):
        with tempfile.TemporaryDirectory(prefix="headway-test-") as folder:
            for name, text in files.items():
                (Path(folder) / name).write_text(text)
            argv = images.build_argv(Path(folder), tag, {})
            docker(*argv, "--label", f"{_LABEL}={digest}", timeout=500)
    return tag

"""The real Compose: what `docker compose config` makes of a file. It needs no Docker Engine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """The model, None where Compose refuses the file; and what it said."""

    model: dict[str, Any] | None
    said: str

    @property
    def services(self) -> dict[str, Any]:
        assert self.model is not None, self.said
        return self.model["services"]


def config(
    folder: Path,
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> Answer:
    """Ask Compose; `arguments` stand before `config`, and only `environ` is in its environment."""
    output = run(folder, *arguments, "config", "--format", "json", environ=environ, stdin=stdin)
    model = json.loads(output.stdout) if output.returncode == 0 else None
    return Answer(model, output.stderr)


def run(
    folder: Path,
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", "compose", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **(environ or {})},
        input=stdin or "",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def plain(value: str) -> str:
    """A text of the model as a container sees it: `config` writes `$$` for a dollar."""
    return value.replace("$$", "$")

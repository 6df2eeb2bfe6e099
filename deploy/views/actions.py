"""The files in which a step of a job in Actions leaves its summary and its outputs.

Nobody fails because of them: what can't be written is said by whoever has a log to say it in.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

# A step's summary may have this many bytes; one that is larger is thrown away as a whole.
# docs.github.com, "Workflow commands for GitHub Actions", step isolation and limits.
SUMMARY_LIMIT = 1024 * 1024


def room(file: Path) -> int:
    """The bytes that are left in a summary; what else this step has written is in it already.

    Raises:
        OSError: it can't be looked at.
    """
    return SUMMARY_LIMIT - (file.stat().st_size if file.exists() else 0)


def summarise(environ: Mapping[str, str], text: str) -> str:
    """Add to the job's summary, where there is one; returns what went wrong, or nothing."""
    name = environ.get("GITHUB_STEP_SUMMARY")
    if not name:
        return ""
    try:
        if len(text.encode()) > room(Path(name)):
            return "the job's summary has no room left"
        _append(Path(name), text)
    except OSError as error:
        return f"the job's summary could not be written: {_reason(error)}"
    return ""


def outputs(environ: Mapping[str, str], values: Mapping[str, str]) -> str:
    """Set the step's outputs; returns what went wrong, or nothing.

    A value has one line: a second one would be another output.
    """
    name = environ.get("GITHUB_OUTPUT")
    if not name:
        return ""
    lines = [f"{key}={' '.join(value.split())}\n" for key, value in values.items()]
    try:
        _append(Path(name), "".join(lines))
    except OSError as error:
        return f"the step's outputs could not be written: {_reason(error)}"
    return ""


def _append(file: Path, text: str) -> None:
    with file.open("a", encoding="utf-8", errors="replace") as stream:
        stream.write(text)


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else "no reason given"

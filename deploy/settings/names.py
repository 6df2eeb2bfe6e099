"""The names of environments and of tags; the one part that is read before any task runs."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from deploy.errors import UsageError

_ENVIRONMENT = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_NONE = ("reference", "smoke")
# The grammar of a tag in the distribution specification, "Pulling manifests".
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def environments(root: Path) -> list[str]:
    """Return the names of all environments of the repository at `root`, sorted.

    Each is a file `hosts/NAME.yaml`; `reference.yaml` only explains, and `smoke.yaml` is what hosts
    files name. Other files there, and names that could not be part of a task's name, are passed
    over.
    """
    names = (path.stem for path in (root / "hosts").glob("*.yaml"))
    return sorted(n for n in names if n not in _NONE and _ENVIRONMENT.fullmatch(n))


def known(root: Path, name: str) -> str:
    """Return `name` if it is an environment of the repository at `root`.

    Raises:
        UsageError: it is none; the near ones and all choices are named.
    """
    choices = environments(root)
    if name in choices:
        return name
    if not choices:
        raise UsageError(
            f"there is no environment {name!r}, and none at all in {root / 'hosts'}",
            state="Nothing has been changed.",
            mend="inv init writes a first one",
        )
    near = difflib.get_close_matches(name, choices, cutoff=0.5)
    guess = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UsageError(
        f"there is no environment {name!r}{guess}",
        state="Nothing has been changed.",
        mend=f"The environments are: {', '.join(choices)}",
    )


def valid_tag(text: str) -> bool:
    """Tell whether a registry would take `text` as a tag; nothing else may reach a command line."""
    return _TAG.fullmatch(text) is not None

"""What git knows of the checkout: the commit, its author, and which files it tracks."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT = 20


@dataclass(frozen=True)
class Commit:
    """A commit: its full hash, its author's name, and the first line of its message."""

    sha: str
    author: str
    subject: str


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603 - arguments are a list, and `--` stands before paths
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def commit(folder: Path, revision: str = "HEAD") -> Commit | None:
    """Return a commit, or None where there is no git, no checkout, or no such commit."""
    if revision.startswith("-"):
        return None
    text = _git(folder, "log", "-1", "--format=%H%x00%an%x00%s", revision, "--")
    fields = (text or "").strip("\n").split("\0")
    return Commit(*fields) if len(fields) == 3 else None


def tracked(folder: Path, path: str) -> list[str] | None:
    """Return the tracked files at or below `path`, from `folder`; None without a checkout."""
    text = _git(folder, "--literal-pathspecs", "ls-files", "-z", "--", path)
    return None if text is None else [name for name in text.split("\0") if name]


def tracked_at(folder: Path, revision: str) -> list[str] | None:
    """Return the files at or below `folder` that a commit has, from `folder`; None: no such commit.

    A folder that the commit does not have yet has no files.
    """
    if commit(folder, revision) is None:
        return None
    text = _git(folder, "ls-tree", "-r", "-z", "--name-only", revision, "--", ".")
    return None if text is None else [name for name in text.split("\0") if name]


def changed_since(folder: Path, revision: str) -> list[str] | None:
    """Return the tracked files below `folder` that are not as a commit has them, from `folder`."""
    if revision.startswith("-"):
        return None
    text = _git(folder, "diff", "--name-only", "-z", "--relative", revision, "--", ".")
    return None if text is None else [name for name in text.split("\0") if name]


def place(folder: Path) -> str | None:
    """Return where a folder is within its checkout, as `a/b/`, "" at its root; None without one."""
    text = _git(folder, "rev-parse", "--show-prefix")
    return None if text is None else text.rstrip("\n")

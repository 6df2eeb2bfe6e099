"""What git knows of the checkout: the commit, its author, and which files it tracks."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT = 20
_HASH = re.compile(r"[0-9a-f]{7,64}")
_MERGED = re.compile(r"Merge pull request #([0-9]+) from ")


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
            # A name of a file, or an old commit's subject, need not be UTF-8.
            encoding="utf-8",
            errors="surrogateescape",
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


def between(folder: Path, older: str, newer: str) -> list[Commit] | None:
    """Return what came with `newer` since `older`, the newest first; None: a commit is not there.

    Of what was merged, the merge alone; one of a pull request has its title and `(#NUMBER)`, as
    GitHub writes it where it squashes.
    """
    if not (_HASH.fullmatch(older) and _HASH.fullmatch(newer)):
        return None
    form = "--format=%H%x00%an%x00%s%x00%b"
    text = _git(folder, "log", "-z", "--first-parent", form, f"{older}..{newer}", "--")
    if text is None:
        return None
    fields = text.split("\0")
    return [
        Commit(sha.strip(), author, _title(subject, body))
        for sha, author, subject, body in zip(*(fields[n::4] for n in range(4)), strict=False)
    ]


def committed(folder: Path, older: str, newer: str) -> list[int]:
    """Return when the commits that came with `newer` since `older` were made: Unix seconds.

    Merges are none of them. `older` may be "": then it is `newer` alone. Of commits that are not
    here nothing is known.
    """
    if not _HASH.fullmatch(newer) or (older and not _HASH.fullmatch(older)):
        return []
    which = [f"{older}..{newer}"] if older else ["-1", newer]
    text = _git(folder, "log", "--no-merges", "--format=%ct", *which, "--")
    return [int(line) for line in (text or "").split()]


def authors(folder: Path, older: str, newer: str) -> list[str]:
    """Return who wrote what came with `newer` since `older`, each once, the newest first."""
    if not (_HASH.fullmatch(older) and _HASH.fullmatch(newer)):
        return []
    text = _git(folder, "log", "-z", "--no-merges", "--format=%an", f"{older}..{newer}", "--")
    return list(dict.fromkeys(name for name in (text or "").split("\0") if name))


def origin(folder: Path) -> str:
    """Return the address of the remote named origin, as it is written; "" where there is none."""
    return (_git(folder, "remote", "get-url", "origin") or "").strip()


def _title(subject: str, body: str) -> str:
    found = _MERGED.match(subject)
    title = body.strip().partition("\n")[0]
    return f"{title} (#{found[1]})" if found and title else subject


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

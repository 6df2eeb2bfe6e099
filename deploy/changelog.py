"""What came with a release since the one that was running, and what of that is not known.

`make` decides and is pure; `read` asks git.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from deploy import git

if TYPE_CHECKING:
    from deploy.redaction.redactor import Redactor

_PULL = re.compile(r"\(#([0-9]{1,9})\)\s*$")


@dataclass(frozen=True)
class Change:
    """One commit; `pull` is the number of its pull request, "" without one."""

    sha: str
    author: str
    subject: str
    pull: str = ""


@dataclass(frozen=True)
class Changelog:
    """From `before` to `after`, two commits, each "" where it is not known; the newest first.

    `taken_back` are those that `before` had and `after` has not. `lacking` says in words what could
    not be found out, and why.
    """

    before: str
    after: str
    changes: tuple[Change, ...] = ()
    taken_back: tuple[Change, ...] = ()
    authors: tuple[str, ...] = ()
    lacking: str = ""


def make(
    release: git.Commit,
    before: str,
    *,
    first: bool,
    forward: Sequence[git.Commit] | None,
    back: Sequence[git.Commit] | None,
    authors: Sequence[str],
    checkout: bool,
) -> Changelog:
    """Make it of what git and the release say.

    Args:
        release: the release's own commit; each part is "" where it is not known.
        before: the commit of the release that runs, or "".
        first: nothing ran before.
        forward: the commits from `before` to the release's; None: git has not got them.
        back: the commits the other way.
        authors: who wrote the former.
        checkout: is there a checkout here at all?
    """
    own = _change(release) if release.subject else None
    alone = Changelog(
        before,
        release.sha,
        (own,) if own else (),
        authors=(release.author,) if release.author else (),
    )
    if not release.sha:
        return replace(alone, lacking="the image does not say its commit, nor does its tag")
    if first or before == release.sha:
        return alone
    if not before:
        return replace(alone, lacking="the release before does not say its commit")
    if not checkout:
        return replace(alone, lacking="there is no checkout here to read the commits from")
    if forward is None or back is None:
        return replace(
            alone,
            lacking=f"the checkout has not got {before[:7]} and {release.sha[:7]} "
            "(a shallow one? fetch-depth: 0)",
        )
    return Changelog(
        before,
        release.sha,
        tuple(map(_change, forward)),
        tuple(map(_change, back)),
        tuple(authors),
    )


def _change(commit: git.Commit) -> Change:
    found = _PULL.search(commit.subject)
    subject = commit.subject[: found.start()].rstrip() if found else commit.subject
    return Change(commit.sha, commit.author, subject, found[1] if found else "")


def read(folder: Path, release: git.Commit, before: str, *, first: bool) -> Changelog:
    """Ask the checkout at `folder`, if there is one."""
    known = bool(before and release.sha) and before != release.sha
    return make(
        release,
        before,
        first=first,
        forward=git.between(folder, before, release.sha) if known else None,
        back=git.between(folder, release.sha, before) if known else None,
        authors=git.authors(folder, before, release.sha) if known else (),
        checkout=git.place(folder) is not None,
    )


def redacted(found: Changelog, redactor: Redactor) -> Changelog:
    """The same, with every secret in a subject or a name masked: git's words pass no stream."""

    def masked(one: Change) -> Change:
        return replace(
            one, author=redactor.redact(one.author), subject=redactor.redact(one.subject)
        )

    return replace(
        found,
        changes=tuple(map(masked, found.changes)),
        taken_back=tuple(map(masked, found.taken_back)),
        authors=tuple(map(redactor.redact, found.authors)),
    )

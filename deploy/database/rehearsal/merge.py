"""The findings of the text and of the rehearsal, made one list. Pure.

The text knows lines and exceptions, the catalogue what really came of a file: so what both have
found keeps the text's line, what the catalogue alone has found is added, and what the text could
not tell is told by the catalogue.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from deploy.database.lint.rules import Finding, Level

_SAME = {"update-all": "update"}
"""Rules that the text tells apart and a measurement can't: an UPDATE with a condition may meet
every row, as a backfill does. Where the text has read one of them, its word counts."""


def merge(
    text: Iterable[Finding],
    catalogue: Iterable[Finding],
    *,
    decided: Collection[str],
    allowed: Mapping[str, Mapping[str, str]],
) -> list[Finding]:
    """Return every finding once, by file in the text's order, then by line.

    Args:
        text: of `lint`.
        catalogue: `Rehearsed.findings`.
        decided: `Rehearsed.decided`: there, what was opaque to the text is no finding any more.
        allowed: `lint.allowances` of each file: what is found without a line is allowed by them.
    """
    read = list(text)
    opaque = [one for one in read if one.level is Level.OPAQUE]
    kept = [one for one in read if one.level is not Level.OPAQUE or not _is_decided(one, decided)]
    found = list(catalogue)
    added = [
        replace(
            one,
            # Where it can only have come from.
            line=next((other.line for other in opaque if other.file == one.file), one.line),
            allowed=one.allowed or allowed.get(one.file, {}).get(one.rule, ""),
        )
        for one in found
        if not any(_same(one, other) for other in read)
    ]
    order = {one.file: at for at, one in reversed(list(enumerate([*read, *found])))}
    return sorted([*kept, *added], key=lambda one: (order[one.file], one.line, one.rule))


def _is_decided(one: Finding, decided: Collection[str]) -> bool:
    # Somebody's written word is told as it was.
    return one.file in decided and not one.allowed


def _same(one: Finding, other: Finding) -> bool:
    """Whether a finding of the catalogue is one of the text's."""
    if one.file != other.file or _rule(one) != _rule(other):
        return False
    if not other.subject or not one.subject:
        return True
    return _about(one.subject, other.subject) or _about(other.subject, one.subject)


def _rule(one: Finding) -> str:
    return _SAME.get(one.rule, one.rule)


def _about(whole: str, part: str) -> bool:
    """Whether `part` is `whole`, or a column of it."""
    return part == whole or part.startswith(f"{whole}.")

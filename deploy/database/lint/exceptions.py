"""What is written about a migration: `-- deploy: allow RULE REASON`, `phase=contract`. Pure.

An exception stands with the statement that it is for: before it, in it, or behind it on its last
line. A phase is for the whole file, and may stand anywhere in it.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.lint.rules import RULES, Level
from deploy.database.migrations.sql import BREAKPOINT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.database.migrations.sql import Comment

_OURS = re.compile(r"\s*deploy\s*:\s*(?P<rest>.*)", re.DOTALL | re.IGNORECASE)
NEVER = frozenset(rule.id for rule in RULES.values() if rule.level is Level.UNREADABLE)
"""Rules that nothing allows."""


@dataclass(frozen=True)
class Allow:
    """`-- deploy: allow RULE REASON`."""

    line: int
    rule: str
    reason: str


@dataclass(frozen=True)
class Phase:
    """`-- deploy: phase=contract`."""

    line: int


@dataclass(frozen=True)
class Wrong:
    """A comment for us that says nothing we know; `why` names what is near."""

    line: int
    why: str


def mentioned(text: str) -> bool:
    """Whether a text can hold a comment for us at all; quicker than to read it."""
    return "deploy" in text.lower()


def read(comment: Comment) -> Allow | Phase | Wrong | None:
    """Read one comment; None: it is not for us."""
    found = _OURS.fullmatch(comment.text)
    if not found:
        return None
    # drizzle-kit's breakpoint may stand behind it on the line.
    words = found["rest"].partition(BREAKPOINT)[0].split()
    if not words:
        return Wrong(comment.line, "it says nothing; write allow RULE REASON, or phase=contract")
    if words[0] == "allow":
        return _allow(comment.line, words[1:])
    if words[0].lower().startswith("phase"):
        return _phase(comment.line, words)
    return Wrong(comment.line, _unknown(words[0], ["allow", "phase=contract"]))


def _phase(line: int, words: list[str]) -> Phase | Wrong:
    if words == ["phase=contract"]:
        return Phase(line)
    return Wrong(line, f"{' '.join(words)}: the only phase to write is phase=contract, alone")


def _allow(line: int, words: list[str]) -> Allow | Wrong:
    if not words:
        return Wrong(line, "allow what? Write allow RULE REASON")
    rule, reason = words[0], " ".join(words[1:])
    if rule not in RULES:
        return Wrong(line, _unknown(rule, RULES))
    if rule in NEVER:
        return Wrong(line, f"{rule} can't be allowed")
    if not any(mark.isalpha() for mark in reason):
        return Wrong(line, f"allow {rule} has no reason; write it behind the rule")
    return Allow(line, rule, reason)


def _unknown(word: str, choices: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(choices), cutoff=0.5)
    guess = f"did you mean {' or '.join(near)}?" if near else "docs/migrations.md has them all"
    return f"{word} is none of ours; {guess}"


def is_contract(comments: Iterable[Comment]) -> bool:
    """Whether a file's comments say that it is for the contract phase."""
    return any(isinstance(read(comment), Phase) for comment in comments)

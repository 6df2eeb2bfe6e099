"""What the lint has found, for people, for Actions, and for programs."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.database.lint.verdict import Judged, Outcome
from deploy.views.github import command, inert
from deploy.views.text import one_line

if TYPE_CHECKING:
    from deploy.database.lint.rules import Finding

PAGE = "docs/migrations.md"
"""Headway's page with a section for each rule."""

SIGN = {
    Outcome.REFUSED: "✗",
    Outcome.HELD: "·",
    Outcome.LATER: "·",
    Outcome.ALLOWED: "✓",
    Outcome.WARNED: "!",
}
_COMMAND = {Outcome.REFUSED: "error", Outcome.WARNED: "warning"}


@dataclass(frozen=True)
class Judgement:
    """Findings with their outcomes.

    `count` is the number of files that were judged, `prefix` what stands before their paths,
    `since` the commit from which they are new, None where each was judged alone.
    """

    judged: list[Judged]
    count: int
    prefix: str
    since: str | None

    def text(self, format: str) -> str:
        """The whole output in a format."""
        if format == "json":
            return self.json()
        lines = self.github() if format == "github" else self.plain()
        return "\n".join([*lines, self.sum()])

    def plain(self) -> list[str]:
        """A line for each finding, what is refused first, and the files in their order."""
        return [_plain(one, self._where(one.finding)) for one in self._sorted()]

    def github(self) -> list[str]:
        """A command of Actions for each finding; errors first, since it shows ten of each."""
        return [
            command(
                _COMMAND.get(one.outcome, "notice"),
                _message(one),
                file=one_line(self.prefix + one.finding.file),
                line=str(max(1, one.finding.line)),
                title=one.finding.rule,
            )
            for one in self._sorted()
        ]

    def json(self) -> str:
        """The findings as a list of objects, in the order of the files."""
        return json.dumps([as_dict(one, self.prefix) for one in self.judged], indent=2)

    def sum(self) -> str:
        """The last line: what it comes to, and the exit code."""
        files = f"{self.count} migration{'' if self.count == 1 else 's'}"
        if self.since is not None:
            files += f" since {self.since}"
        counts = Counter(one.outcome for one in self.judged)
        parts = [
            f"{counts[outcome]} {words}"
            for outcome, words in (
                (Outcome.REFUSED, "refused"),
                (Outcome.HELD, "held back until every host has settled"),
                (Outcome.ALLOWED, "allowed"),
                (Outcome.WARNED, "to be looked at"),
            )
            if counts[outcome]
        ]
        said = ", ".join(parts) or "nothing that the running version could not live with"
        return inert(f"{files}: {said}    exit {3 if counts[Outcome.REFUSED] else 0}")

    def _where(self, finding: Finding) -> str:
        return f"{self.prefix}{finding.file}:{finding.line}"

    def _sorted(self) -> list[Judged]:
        return sorted(self.judged, key=lambda one: one.outcome is not Outcome.REFUSED)


def as_dict(one: Judged, prefix: str = "") -> dict[str, Any]:
    """A finding as plain values; `prefix` stands before its file's path."""
    return {
        "file": prefix + one.finding.file,
        "line": one.finding.line,
        "rule": one.finding.rule,
        "level": one.finding.level.value,
        "subject": one.finding.subject,
        "detail": one.finding.detail,
        "allowed": one.finding.allowed,
        "refused": one.outcome is Outcome.REFUSED,
        "outcome": one.outcome.value,
    }


def _message(one: Judged) -> str:
    return f"{one_line(one.text)}  {PAGE}#{one.finding.rule}"


def _plain(one: Judged, where: str) -> str:
    return f"{SIGN[one.outcome]} {one_line(where)}  {one.finding.rule}  {_message(one)}"

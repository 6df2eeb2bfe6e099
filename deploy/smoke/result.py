"""What came of a smoke test. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """`INCONCLUSIVE`: it could not be tried from here, which says nothing about the site."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Result:
    """One test at one place: a host's name, or "" for the site.

    `reason` says in one line why it did not pass; `seconds` is of the last try; `kept` are files
    that show more; `seen` is the status and the first line of an answer that was wrong.
    """

    name: str
    host: str
    outcome: Outcome
    reason: str = ""
    seconds: float = 0.0
    tries: int = 1
    kept: tuple[str, ...] = ()
    seen: str = ""

    def __str__(self) -> str:
        where = f" on {self.host}" if self.host else ""
        text = f"{self.name}{where}: {self.outcome}"
        if self.tries > 1:
            text += f" on try {self.tries}"
        if self.reason:
            text += f", {self.reason}"
        else:
            text += f" in {self.seconds * 1000:.0f} ms"
        return text + "".join(f"\n  {file}" for file in self.kept)


@dataclass(frozen=True)
class Verdict:
    """All results of one time. `strict`: what could not be tried counts as failed."""

    results: Sequence[Result]
    strict: bool

    def of(self, outcome: Outcome) -> list[Result]:
        """Those that ended so."""
        return [one for one in self.results if one.outcome is outcome]

    @property
    def failed(self) -> list[Result]:
        """Those for which a deploy fails."""
        failed = self.of(Outcome.FAILED)
        return failed + self.of(Outcome.INCONCLUSIVE) if self.strict else failed

    @property
    def passed(self) -> bool:
        """Did all of them pass? What could not be tried did not."""
        return all(one.outcome is Outcome.PASSED for one in self.results)

    def __str__(self) -> str:
        counts = [(outcome, len(self.of(outcome))) for outcome in Outcome]
        return ", ".join(f"{count} {outcome}" for outcome, count in counts if count) or "no tests"

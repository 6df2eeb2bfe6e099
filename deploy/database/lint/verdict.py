"""From findings to what a deploy does with them. Pure.

The lint never decides by a table's size: it has none. Whoever knows the sizes gives them here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from deploy.database.lint.rules import OF_FILE, RULES, Finding, Level

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

LIMIT = 100_000_000
"""Bytes of a table up to which a lock that grows with it is only said. On 1 GB, seven million rows
and two cores an index took 3.8 s, a foreign key 3.0 s, SET NOT NULL 1.2 s, a UNIQUE 8.5 s and a
rewrite 25 to 38 s: a tenth of that is what most requests can wait.
"""


class Outcome(StrEnum):
    """What comes of a finding.

    REFUSED: nothing is migrated. HELD: its file waits until every host runs the new version. LATER:
    the catalogue decides, in the rehearsal. ALLOWED: somebody has written why. WARNED: it is said.
    """

    REFUSED = "refused"
    HELD = "held back"
    LATER = "decided in the rehearsal"
    ALLOWED = "allowed"
    WARNED = "warning"


@dataclass(frozen=True)
class Judged:
    """A finding and its outcome; `why` is "" where the rule's level says it all."""

    finding: Finding
    outcome: Outcome
    why: str = ""

    @property
    def text(self) -> str:
        """What it is and what comes of it, for people, in one line and without the rule's name."""
        finding = self.finding
        what = finding.detail if finding.rule == "bad-exception" else RULES[finding.rule].what
        if (not finding.subject or finding.rule in OF_FILE) and what != finding.detail:
            what = f"{what}: {finding.detail}"
        subject = f"{finding.subject}: " if finding.subject else ""
        note = ": ".join(part for part in (_NOTE.get(self.outcome, ""), self.why) if part)
        return f"{subject}{what}{f' ({note})' if note else ''}"


_NOTE = {
    Outcome.HELD: "held back until every host has settled",
    Outcome.LATER: "decided in the rehearsal",
    Outcome.ALLOWED: "allowed",
}


def verdict(
    findings: Iterable[Finding],
    *,
    sizes: Mapping[str, int] | None = None,
    limit: int = LIMIT,
    contract: Collection[str] = (),
    catalogue: bool = False,
    downs: bool = False,
) -> list[Judged]:
    """Say what comes of each finding.

    Args:
        findings: of the text, of the catalogue, or of both.
        sizes: bytes of every table under its name as a finding's subject has it, and of every index
            under its own name with its table's bytes; None: nobody knows, as in a pull request.
        limit: bytes of a table from which a lock that grows with it is refused.
        contract: the files that say `phase=contract`.
        catalogue: whether a rehearsal will follow, in which what is opaque shows.
        downs: whether each migration must have a way back.
    """
    return [_one(finding, sizes, limit, contract, catalogue, downs) for finding in findings]


def refused(judged: Iterable[Judged]) -> list[Finding]:
    """The findings for which nothing is migrated."""
    return [one.finding for one in judged if one.outcome is Outcome.REFUSED]


def _one(
    finding: Finding,
    sizes: Mapping[str, int] | None,
    limit: int,
    contract: Collection[str],
    catalogue: bool,
    downs: bool,
) -> Judged:
    if finding.allowed and finding.level is not Level.UNREADABLE:
        return Judged(finding, Outcome.ALLOWED, finding.allowed)
    outcome = Outcome.REFUSED
    match finding.level:
        case Level.LOCK:
            return _lock(finding, sizes, limit)
        case Level.WARNS:
            outcome = Outcome.WARNED
        case Level.BREAKS if finding.file in contract:
            outcome = Outcome.HELD
        case Level.OPAQUE if catalogue:
            outcome = Outcome.LATER
        case Level.BACK if not downs:
            return Judged(finding, Outcome.WARNED, "refused where a way back is required")
    return Judged(finding, outcome)


def _lock(finding: Finding, sizes: Mapping[str, int] | None, limit: int) -> Judged:
    if sizes is None:
        return Judged(
            finding, Outcome.WARNED, f"refused where the table is over {_megabytes(limit)}"
        )
    # What no table's size is known for may be any of them.
    bytes_ = sizes.get(finding.subject, max(sizes.values(), default=0))
    table = finding.subject if finding.subject in sizes else "the largest table"
    if bytes_ > limit:
        why = f"{table} has {_megabytes(bytes_)}, over {_megabytes(limit)}"
        return Judged(finding, Outcome.REFUSED, why)
    return Judged(finding, Outcome.WARNED, f"{table} has {_megabytes(bytes_)}")


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:,.0f} MB" if count >= 1_000_000 else f"{count / 1000:,.0f} kB"

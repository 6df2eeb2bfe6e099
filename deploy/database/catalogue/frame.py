"""What a diff looks at: a schema before a file, after it, and as the running version knows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.lint.rules import Finding

if TYPE_CHECKING:
    from deploy.database.catalogue.catalogue import Catalogue, Column, Grants, Relation


@dataclass(frozen=True)
class Frame:
    """Two snapshots around one file, and the one before the batch, which the running version knows.

    Objects that are not in `base` are nobody's yet: what happens to them breaks nothing.
    """

    before: Catalogue
    after: Catalogue
    base: Catalogue
    file: str

    def finding(self, rule: str, subject: str, detail: str) -> Finding:
        """Return a finding that no line of the file is known for."""
        return Finding(self.file, 0, rule, subject, " ".join(detail.split()))

    def known(self, relation: int, column: int) -> bool:
        """Whether the running version knows this column of this table (by their numbers)."""
        found = self.base.relations.get(relation)
        return found is not None and any(one.number == column for one in found.columns)

    def column(self, relation: int, number: int) -> Column | None:
        """The column as it is after the file."""
        found = self.after.relations.get(relation)
        return next((one for one in found.columns if one.number == number), None) if found else None

    def kept(self) -> list[tuple[Relation, Relation]]:
        """What the running version knows and what is still there: (before, after)."""
        return [
            (old, self.after.relations[oid])
            for oid, old in self.before.relations.items()
            if oid in self.base.relations and oid in self.after.relations
        ]

    def revoked(self, name: str, was: Grants, now: Grants) -> Iterator[Finding]:
        """Yield a finding if somebody may no longer do what they might."""
        if lost := sorted(was - now):
            shown = ", ".join(f"PUBLIC {one[2:]}" if one[0] == "-" else one for one in lost)
            yield self.finding("revoke", name, f"no longer allowed: {shown}")

"""What one run has been ordered to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.database.outlook import Outlook
    from deploy.pending import TakenBack
    from deploy.plan import Plan
    from deploy.release import Bundle, Release
    from deploy.situation import Files


@dataclass(frozen=True)
class Order:
    """One run: its id, who ordered it, the plan, and the release with its files by host.

    `approved_by` is who let it be done, "" where nobody was asked.

    `bundle` and `files` are None when the hosts have the release already; `outlook` is where
    migrations are pending; `protected` are the releases whose backups stay; `taken_back` is what a
    rollback takes back in the database.
    """

    id: str
    by: str
    plan: Plan
    release: Release
    bundle: Bundle | None
    files: Mapping[str, Files] | None
    outlook: Outlook | None = None
    protected: tuple[str, ...] = ()
    taken_back: TakenBack | None = None
    approved_by: str = ""

    @property
    def whose(self) -> str:
        """Both of them in words, as the hosts write them down."""
        return f"{self.by}, approved by {self.approved_by}" if self.approved_by else self.by

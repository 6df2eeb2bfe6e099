"""A backup that is proven, before anything is migrated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.views.text import duration, size

if TYPE_CHECKING:
    from deploy.database.backup.backups import Backups, Order
    from deploy.database.backup.manifest import Manifest
    from deploy.steps.step import Say


@dataclass(frozen=True)
class BackUp:
    """Dump, decode, and copy to wherever copies are asked for.

    `protected` are the ids of releases whose backups stay; `copy` sends copies; `made` has the
    backup's manifest afterwards.
    """

    backups: Backups
    order: Order
    protected: Sequence[str]
    copy: Callable[[Manifest, Say], Manifest]
    name: str = "backup"
    touches: bool = False
    reverts: bool = True
    made: list[Manifest] = field(default_factory=list)

    @property
    def host(self) -> str:
        """The host of the database's programs."""
        return self.backups.host

    def do(self, say: Say) -> str:
        """Make it.

        Raises:
            Refused: the database cannot be asked, or there is no room.
            Reverted: it failed; nothing of it is left.
            HostError: nothing is known of how it ended.
        """
        manifest = self.backups.create(self.order, self.protected, say)
        self.made.append(self.copy(manifest, say))
        seconds = sum(float(part) for part in manifest.body.get("seconds", {}).values())
        if manifest.method != "dump":
            checked = "verified" if manifest.body.get("decoded") else "not checked"
            return f"by backup.command in {duration(seconds)}, {checked}"
        whole = size(int(manifest.facts.get("database_bytes") or 0))
        return f"{whole} → {size(manifest.bytes)}, decoded"

    def undo(self, say: Say) -> str:
        """Nothing: a backup does no harm."""
        del say
        return ""

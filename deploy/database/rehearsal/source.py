"""What a throw-away server is filled with: a backup, or the schema alone. Pure.

The file of a backup on the host is never encrypted: `backup.encrypt_to` is for the copies that
leave it. So a backup can be rehearsed wherever its file lies; one by `backup.command` has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.views.text import size

if TYPE_CHECKING:
    from deploy.database.backup.manifest import Manifest


@dataclass(frozen=True)
class Data:
    """A backup with its rows."""

    manifest: Manifest

    @property
    def bytes(self) -> int:
        """The size of the database that it is of."""
        return int(self.manifest.facts.get("database_bytes") or 0)

    @property
    def dump(self) -> int:
        """The size of its file."""
        return self.manifest.bytes


@dataclass(frozen=True)
class SchemaOnly:
    """The schema as it is now, and the rows of Drizzle's table; `why` no more, for people."""

    why: str = ""

    @property
    def bytes(self) -> int:
        """No rows, so nothing to speak of."""
        return 0

    @property
    def dump(self) -> int:
        """As above."""
        return 0


Source = Data | SchemaOnly


def choose(mode: str, manifest: Manifest | None, max_size: int) -> Source | None:
    """Say what is rehearsed on; None for no rehearsal.

    Args:
        mode: data, schema or off.
        manifest: the backup that was just made, if there is one.
        max_size: bytes of a database above which its schema has to do.
    """
    if mode == "off":
        return None
    if mode == "schema":
        return SchemaOnly("database.rehearsal.mode is schema")
    if manifest is None:
        return SchemaOnly("there is no backup to restore")
    if manifest.method != "dump":
        return SchemaOnly("a backup by backup.command has no file to restore")
    data = Data(manifest)
    if data.bytes > max_size:
        return SchemaOnly(f"the database has {size(data.bytes)}, more than {size(max_size)}")
    return data

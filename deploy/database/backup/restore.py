"""The way back to a backup: into a new database, looked at, and then swapped in by name.

Until the swap the present database is untouched; the swap changes both names in one transaction;
afterwards the present one is still there under another name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deploy.database.backup.manifest import Manifest, head
from deploy.errors import Cancelled, Refused, Reverted
from deploy.views.text import elapsed, size

if TYPE_CHECKING:
    import threading

    from deploy.database.backup.backups import Backups, Say

FEW = 1000
"""Rows below which an estimate is not compared: it may be of before the table's last change."""
WITHIN = 0.5
"""The part of the estimated rows that has to be there; statistics lag behind."""


@dataclass(frozen=True)
class Prospect:
    """What a restore would do. `loss` says in lines which writes would be lost."""

    manifest: Manifest
    database: str
    fresh: str
    old: str
    loss: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Restore:
    """Restores backups of one database."""

    backups: Backups
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def look(self, name: str) -> Prospect:
        """Read everything, change nothing, and say what would be lost.

        Raises:
            UsageError: there is no such backup.
            Refused: it can't be restored from here, or the database can't be asked.
        """
        one = self.backups.find(name)
        if one.method != "dump":
            point = str(one.body.get("point") or "")
            raise Refused(
                f"{name} was made by backup.command, and is restored by its own tool",
                mend=f"Have that recover to the restore point {point}, made when it had ended."
                if point
                else "It has no restore point: no more is sure than the state at its end.",
            )
        if one.proof == "damaged":
            raise Refused(
                f"{name} is damaged: {one.body['checked'].get('why', '')}",
                mend="inv backup lists the others.",
            )
        found = self.backups.survey()
        if not found.whole(one):
            raise Refused(
                f"the file of {name} is not there, or not as long as it was",
                mend=f"Its copies: {copies(one)}.",
            )
        database = str(found.facts["database"])
        stamp = f"{self.clock():%Y%m%d%H%M%S}"
        return Prospect(
            one,
            database,
            # PostgreSQL cuts names at 63 bytes; what tells them apart must stay.
            fresh=f"{database[:38]}_restore_{stamp}",
            old=f"{database[:38]}_before_{stamp}",
            loss=tuple(lost(one, found.facts, self.clock())),
        )

    def carry_out(
        self, prospect: Prospect, say: Say, stop: threading.Event | None = None
    ) -> Manifest:
        """Restore, look at what came, swap; return the manifest with the proof in it.

        Args:
            prospect: of `look`.
            say: told what goes on.
            stop: set when it shall stop, which it does before the swap.

        Raises:
            Cancelled: it was asked to stop; the present database is as it was.
            Reverted: it failed; the present database is as it was, under its own name.
            HostError: the host went away: which database has the name has to be looked at.
        """
        one = prospect.manifest
        state = f"{prospect.database} is as it was."
        scripts = self.backups.scripts(
            "backup/restore", name=one.name, fresh=prospect.fresh, old=prospect.old
        )
        size_kb = str(int(one.facts.get("database_bytes") or 0) * 11 // 10 // 1024)
        report = self.backups.send(scripts, "restore", [size_kb], say, state)
        restored = report.last("restored") or {}
        beside = str(restored.get("beside") or "postgres")
        wrong = differences(one, restored.get("facts") or {})
        asked = stop is not None and stop.is_set()
        if wrong or asked:
            self.backups.send(scripts, "discard", [beside], say, state)
        if asked:
            raise Cancelled("stopped, as asked, before the swap", state=state)
        if wrong:
            raise Reverted(
                f"what {one.name} restored to is not what was backed up: {'; '.join(wrong)}",
                state=state,
            )
        say(f"looked at: {len(one.tables)} tables, {one.head or 'no migrations'}", False)
        self.backups.send(scripts, "swap", [prospect.database, beside], say, state)
        seconds = float(restored.get("seconds") or 0)
        return self.backups.record(
            one,
            restored={"ok": True, "at": f"{self.clock():%Y-%m-%dT%H:%M:%SZ}", "seconds": seconds},
        )


def copies(one: Manifest) -> str:
    """Where the copies of a backup are, in words."""
    return ", ".join(str(copy.get("where")) for copy in one.body.get("copies") or []) or "none"


def differences(one: Manifest, facts: Mapping[str, Any]) -> list[str]:
    """Say in what a restored database differs from what its backup was made of. Pure.

    Rows are compared with the server's estimates of then, and only where a table had many.
    """
    found = []
    if head(facts) != one.head:
        found.append(f"it has {head(facts) or 'no migrations'}, and had {one.head or 'none'}")
    rows = {str(name): int(count) for name, count in (facts.get("tables") or {}).items()}
    for name, estimate in sorted(one.tables.items()):
        if name not in rows:
            found.append(f"{name} is missing")
        elif estimate >= FEW and rows[name] < estimate * WITHIN:
            found.append(f"{name} has about {rows[name]} rows, and had about {estimate}")
    return found


def lost(one: Manifest, facts: Mapping[str, Any], now: datetime) -> list[str]:
    """Say which writes a restore would take away. Pure."""
    age = elapsed((now - one.at).total_seconds())
    found = [f"every write since {one.at:%Y-%m-%d %H:%M:%S} UTC, {age} ago"]
    written = _wal(facts.get("wal")) - _wal(one.facts.get("wal"))
    commits = int(facts.get("commits") or 0) - int(one.facts.get("commits") or 0)
    if written >= 0 and commits >= 0:  # a server that was made anew begins from the beginning
        found.append(
            f"since then the server wrote {size(written)} of WAL, in {commits} transactions"
        )
    present = head(facts)
    if present != one.head:
        found.append(f"the schema goes back: it has {present or 'no migrations'}, then {one.head}")
    return found


def _wal(place: object) -> int:
    high, _, low = str(place or "0/0").partition("/")
    return (int(high, 16) << 32) + int(low or "0", 16)

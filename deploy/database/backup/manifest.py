"""What is known of a backup; which ones go, and how much room one needs. Pure.

A manifest is one line of JSON, `NAME.json` beside `NAME.dump`. Unknown keys of a newer Headway are
kept as they are when something is added.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SCHEMA = 1
FIRST_RATIO = 0.6
"""What a first dump is taken to need of the database's size: indexes are not dumped, and rows are
compressed; only rows that can't be compressed come near it."""
MARGIN = 1.25
"""The database may have grown, and the next rows may compress worse than the last."""
RESERVE = 64 * 1024 * 1024
"""Bytes that stay free: the server may write to the same disk."""


@dataclass(frozen=True)
class Head:
    """The newest migration that is applied, and a sum over all of them."""

    count: int
    hash: str
    name: str
    when: int
    all: str

    def __str__(self) -> str:
        return f"{self.count} migrations, the last {self.name or self.hash[:12]}"


@dataclass(frozen=True)
class Manifest:
    """One backup. `body` is the whole document; what is asked often has a name here.

    Sizes are in bytes, times in seconds, `at` is ISO 8601 in UTC. `method` is dump, or command for
    a backup that the owner's own command made, which has no file here: its `point` is a restore
    point that was made when the command had ended, at `point_wal`; both "" where the server made
    none.
    """

    name: str
    body: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, body: Any) -> Manifest:
        """Take a document for a manifest.

        Raises:
            ValueError: it is none, or of a newer Headway.
        """
        if not isinstance(body, dict) or body.get("v") != SCHEMA:
            raise ValueError("no manifest of a backup")
        name, method = body.get("name"), body.get("method")
        if not isinstance(name, str) or method not in {"dump", "command"}:
            raise ValueError("no manifest of a backup")
        if not isinstance(body.get("facts"), dict) or not isinstance(body.get("at"), str):
            raise ValueError("no manifest of a backup")
        return cls(name, body)

    def with_(self, **more: Any) -> Manifest:
        """The same with keys added or replaced."""
        return Manifest(self.name, {**self.body, **more})

    def to_json(self) -> str:
        """The document, on one line."""
        return json.dumps(self.body)

    @property
    def method(self) -> str:
        """Dump or command."""
        return str(self.body["method"])

    @property
    def at(self) -> datetime:
        """When it was finished."""
        return datetime.fromisoformat(str(self.body["at"]).replace("Z", "+00:00"))

    @property
    def bytes(self) -> int:
        """The dump's size; 0 for one without a file."""
        return int(self.body.get("bytes", 0))

    @property
    def sha256(self) -> str:
        """The dump's sum."""
        return str(self.body.get("sha256", ""))

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the database was when it was made: see `deploy.database.backup.shelf.FACTS`."""
        found: Mapping[str, Any] = self.body["facts"]
        return found

    @property
    def release(self) -> str:
        """The id of the release that it belongs to; may be empty."""
        return str(self.body.get("release", ""))

    @property
    def tag(self) -> str:
        """That release's tag; may be empty."""
        return str(self.body.get("tag", ""))

    @property
    def purpose(self) -> str:
        """`deploy` for one that was taken before migrating, else `hand`."""
        return str(self.body.get("purpose", ""))

    @property
    def head(self) -> Head | None:
        """The newest migration in it; None where Drizzle has no table."""
        return head(self.facts)

    @property
    def tables(self) -> dict[str, int]:
        """Estimated rows by `schema.table`."""
        return {str(name): int(rows) for name, rows in (self.facts.get("tables") or {}).items()}

    @property
    def proof(self) -> str:
        """The strongest thing that is known of it: damaged, restored, decoded, or taken."""
        checked = self.body.get("checked") or {}
        if checked.get("ok") is False:
            return "damaged"
        if (self.body.get("restored") or {}).get("ok"):
            return "restored"
        return "decoded" if self.body.get("decoded") else "taken"


def head(facts: Mapping[str, Any]) -> Head | None:
    """The newest migration of a database's facts."""
    found = facts.get("head")
    if not isinstance(found, Mapping):
        return None
    return Head(
        count=int(found.get("count") or 0),
        hash=str(found.get("hash") or ""),
        name=str(found.get("name") or ""),
        when=int(found.get("when") or 0),
        all=str(found.get("all") or ""),
    )


def having(kept: Iterable[Manifest], hashes: Sequence[str]) -> list[Manifest]:
    """The dumps, oldest first, of a database that had these migrations, all of them and no other.

    Args:
        kept: backups; one that is damaged is none.
        hashes: of the migrations, in their order.
    """
    # As `deploy.database.backup.shelf.FACTS` has the server sum them up.
    whole = hashlib.md5(",".join(hashes).encode(), usedforsecurity=False).hexdigest()
    found = [
        one
        for one in kept
        if one.head
        and (one.head.count, one.head.all) == (len(hashes), whole)
        and (one.method, one.proof == "damaged") == ("dump", False)
    ]
    return sorted(found, key=lambda one: (one.at, one.name))


def needed(database_bytes: int, earlier: Sequence[Manifest]) -> int:
    """Bytes that the next dump is expected to need, by what the last one needed of its database."""
    ratio = FIRST_RATIO
    for one in sorted(earlier, key=lambda one: one.at):
        before = int(one.facts.get("database_bytes") or 0)
        if one.bytes and before:
            ratio = one.bytes / before
    return int(database_bytes * ratio * MARGIN)


def surplus(kept: Iterable[Manifest], keep: int, protected: Sequence[str]) -> list[Manifest]:
    """Say which backups go once one more is there.

    Args:
        kept: those that are there, without the one to come.
        keep: how many stay, the one to come among them.
        protected: the ids of the current and of the previous release. Of each, the newest backup
            that was taken before its migrations stays, and the newest that belongs to it at all.
    """
    order = sorted(kept, key=lambda one: (one.at, one.name), reverse=True)
    staying = {one.name for one in order[: max(0, keep - 1)]}
    for release in filter(None, protected):
        own = [one for one in order if one.release == release]
        before_migrating = [one for one in own if one.purpose == "deploy"]
        staying |= {one.name for one in (*own[:1], *before_migrating[:1])}
    return [one for one in order if one.name not in staying]

"""The step that backs up: what it says, and that it keeps what it has made."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.database.backup.backups import Order
from deploy.database.backup.manifest import Manifest
from deploy.errors import Refused, Reverted
from deploy.events import Stream
from deploy.run import Run
from deploy.steps.backup import BackUp

BODY: dict[str, Any] = {
    "v": 1,
    "name": "shop-20260101-000000",
    "method": "dump",
    "release": "v2-0a1b2c3d",
    "at": "2026-01-01T00:00:00Z",
    "bytes": 204_000_000,
    "sha256": "0" * 64,
    "decoded": True,
    "seconds": {"dump": 4.2, "decode": 0.6},
    "facts": {"database": "shop", "database_bytes": 1_100_000_000, "tables": {}},
}


class Backups:
    """Makes one, or says why not."""

    host = "db-1"

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[Order, tuple[str, ...]]] = []

    def create(self, order: Order, protected: Any, say: Any) -> Manifest:
        self.asked.append((order, tuple(protected)))
        say("dumped in 4.2 s; decoding it to its end", False)
        if self.error:
            raise self.error
        return Manifest.read(BODY)


def step(backups: Backups, copied: list[str]) -> BackUp:
    def copy(manifest: Manifest, _say: Any) -> Manifest:
        copied.append(manifest.name)
        return manifest

    return BackUp(backups, Order("v2-0a1b2c3d", "v2", "deploy", "ana"), ("v1-0",), copy)  # type: ignore[arg-type]


def test_it_is_made_copied_and_kept() -> None:
    backups, copied = Backups(), []
    one = step(backups, copied)
    assert (one.name, one.host, one.touches) == ("backup", "db-1", False)
    assert one.do(lambda *_: None) == "1.1 GB → 204 MB, decoded"
    assert backups.asked == [(one.order, ("v1-0",))]
    assert copied == [made.name for made in one.made] == ["shop-20260101-000000"]
    assert one.undo(lambda *_: None) == ""


def test_one_that_fails_is_not_copied() -> None:
    copied: list[str] = []
    one = step(Backups(Refused("no room")), copied)
    with pytest.raises(Refused, match="no room"):
        one.do(lambda *_: None)
    assert (copied, one.made) == ([], [])


def test_without_its_copy_nothing_is_migrated() -> None:
    """The backup is there; what it was to be copied to is for the day when the host is gone."""
    backups, migrated = Backups(), []

    def copy(_manifest: Manifest, _say: Any) -> Manifest:
        raise Reverted("db-1: /srv/copies of db-2 is full")

    backup = replace(step(backups, []), copy=copy)
    migrate = SimpleNamespace(
        name="migrate",
        host="",
        touches=True,
        reverts=True,
        do=lambda _say: migrated.append("") or "",
        undo=lambda _say: "",
    )
    failure = Run(Stream(), threading.Event()).walk([[backup], [migrate]])
    assert failure is not None
    assert isinstance(failure.error, Reverted)
    assert (len(backups.asked), backup.made, migrated) == (1, [], [])


@pytest.mark.parametrize(("decoded", "said"), [(True, "verified"), (None, "not checked")])
def test_one_of_the_owners_own_command(decoded: bool | None, said: str) -> None:
    backups = Backups()
    body = BODY | {"method": "command", "seconds": {"dump": 61.0}, "decoded": decoded}
    backups.create = lambda *_: replace(Manifest.read(body))  # type: ignore[method-assign]
    assert step(backups, []).do(lambda *_: None) == f"by backup.command in 1 m 1 s, {said}"

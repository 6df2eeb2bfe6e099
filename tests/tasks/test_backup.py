"""A backup by hand removes none that a run may want to go back to."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from deploy.database.backup.manifest import Manifest
from deploy.errors import Unreachable
from deploy.lease.words import Seen
from deploy.tasks import backup

from .test_leased import BEGAN, HOLDER


@dataclass(frozen=True)
class Backups:
    made: list[int]
    keep: int = 5
    host: str = "db-1"
    folder: str = "/srv/shop/backups"

    def create(self, *_: object) -> Manifest:
        self.made.append(self.keep)
        body = {"v": 1, "name": "shop-20261122-190400", "at": "2026-11-22T19:04:00Z", "facts": {}}
        return Manifest.read({**body, "method": "command"})


def kept(monkeypatch: pytest.MonkeyPatch, look: Any) -> int:
    """How many backups stay when this is what is seen of the lease."""
    backups = Backups([])
    module = "deploy.database.backup"
    monkeypatch.setattr(f"{module}.backups.backups_of", lambda *_: backups)
    copies = SimpleNamespace(make=lambda manifest, _say: manifest)
    monkeypatch.setattr(f"{module}.copies.copies_of", lambda *_: copies)
    one: Any = SimpleNamespace(
        run="d-9",
        environment=SimpleNamespace(name="staging"),
        hosts={},
        keeper=SimpleNamespace(look=look),
        gather=dict,
    )
    backup._create(one, "", False)
    return backups.made[0]


def test_where_nobody_is_at_work_the_oldest_go(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kept(monkeypatch, lambda _claim: Seen(None, None)) == 5
    assert "no old backup" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (Seen(HOLDER, None), "ana (deploy of v2, since"),
        (Seen(replace(HOLDER, alive=False), None), "ana (deploy of v2, since"),
        (Seen(None, None, (BEGAN,)), "d-1 died, and what it has left may need one"),
    ],
    ids=["at work", "expired", "died"],
)
def test_what_a_run_may_go_back_to_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seen: Seen, why: str
) -> None:
    assert kept(monkeypatch, lambda _claim: seen) == sys.maxsize
    said = capsys.readouterr().out
    assert why in said
    assert "; so no old backup is removed" in said


def test_where_nobody_can_say_all_stay(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def look(_claim: object) -> Seen:
        raise Unreachable("web-1", "it does not answer")

    assert kept(monkeypatch, look) == sys.maxsize
    assert "web-1: it does not answer; so no old backup is removed" in capsys.readouterr().out

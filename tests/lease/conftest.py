"""A keeper on this machine: its scripts are real, and its time is told by the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.lease.keeper import Keeper
from deploy.lease.words import Claim
from deploy.remote.arrows import Arrows
from tests.localhost import LocalHost

MakeKeeper = Callable[..., Keeper]


@pytest.fixture
def make_keeper(tmp_path: Path) -> MakeKeeper:
    """Keepers of one lease, which expires after so many seconds."""
    folder = tmp_path / "srv"
    folder.mkdir()

    def make(expires_after: float = 40, **more: object) -> Keeper:
        names = ("project", "network", "release", "deploy", "verb", "by", "token", "keep")
        settings = {**dict.fromkeys(names, ""), "dir": str(folder), "lock_wait": "5"}
        return Keeper(Arrows(LocalHost(), settings, ""), expires_after, **more)  # type: ignore[arg-type]

    return make


@pytest.fixture
def keeper(make_keeper: MakeKeeper) -> Keeper:
    return make_keeper()


def claim(run: str, owner: str = "ana@laptop", reason: str = "deploy v2") -> Claim:
    return Claim(run, owner, reason)


def place(keeper: Keeper) -> Path:
    """Its folder."""
    return Path(keeper.arrows.settings["dir"]) / ".headway" / "lease"


def quiet(_text: str) -> None:
    """Nobody is told."""

"""A shelf on this machine: its scripts are real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.lease.keeper import Keeper
from deploy.lease.words import Claim
from deploy.remote.arrows import Arrows
from deploy.story.shelf import Shelf
from tests.localhost import LocalHost

MakeShelf = Callable[..., Shelf]


@pytest.fixture
def make_shelf(tmp_path: Path) -> MakeShelf:
    """Shelves of one host; `environ` is what its shell has."""
    folder = tmp_path / "srv"
    folder.mkdir()

    def make(run: str = "d-1", **environ: str) -> Shelf:
        names = ("project", "network", "release", "deploy", "verb", "by", "token", "keep")
        settings = {**dict.fromkeys(names, ""), "dir": str(folder), "lock_wait": "5"}
        arrows = Arrows(LocalHost(environ=environ), settings, "")  # type: ignore[arg-type]
        return Shelf(Keeper(arrows, 40), Claim(run, "ana", "deploy v2"), "shop", "staging")

    return make


@pytest.fixture
def shelf(make_shelf: MakeShelf) -> Shelf:
    return make_shelf()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the lease, the records and the stories are."""
    return tmp_path / "srv" / ".headway" / "lease"

"""What the end of a sandbox says that it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deploy.sandbox import fleet, provide
from deploy.sandbox.docker import Docker
from deploy.sandbox.home import Home

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

CACHE = "docker builder prune"


class Engine(Docker):
    """One with nothing of the sandbox on it any more."""

    def __call__(self, *argv: str, **_: object) -> str:
        assert argv[0] != "builder", "it is not the sandbox's alone"
        return ""


def said_by_down(home: Path, **how: bool) -> Sequence[str]:
    (home / "host_keys").mkdir(parents=True)
    said: list[str] = []
    fleet.down(home=Home(home), say=said.append, **how)
    assert not home.exists()
    return said


def test_the_builds_cache_stays_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provide, "running", Engine)
    said = said_by_down(tmp_path / "home")
    assert [line for line in said if CACHE in line] == [said[-2]]
    assert said[-1] == "down: nothing of the sandbox is left"
    kept = said_by_down(tmp_path / "home", keep_images=True)
    assert not any(CACHE in line for line in kept)
    assert kept[-1] == "down: nothing of the sandbox is left, but its images"


def test_without_an_engine_there_is_no_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provide, "running", lambda: None)
    assert said_by_down(tmp_path / "home") == ["down: nothing of the sandbox is left"]

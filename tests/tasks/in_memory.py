"""A verb, typed over hosts that are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from deploy.situation import Situation
from tests.faults.faulty import Course
from tests.faults.fleet import Fleet

if TYPE_CHECKING:
    import pytest


def new_fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: ModuleType) -> Fleet:
    """A fleet that this module's task is typed over."""
    found = Fleet.new(tmp_path, {"bake": "0s", "min_healthy_time": "0s"})

    @contextmanager
    def situation(_root: Path, _name: str) -> Iterator[Situation]:
        found.dead, found.course = False, Course()
        with found._in_memory():
            yield Situation.of(found.environment)

    monkeypatch.setattr(task, "situation", situation)
    return found

"""Rolls with requests and websockets on their way, whatever the proxy."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from deploy.remote.arrows import ArrowFailed
from deploy.sandbox.load import LoadReport, running

if TYPE_CHECKING:
    from .project import Project


def rolls_lose_nothing(project: Project) -> None:
    """Two rolls and one that is taken back: no request fails, and no switch closes a websocket."""
    v1, v2, v3 = (project.release(tag) for tag in ("v1", "v2", "v3"))
    bad = project.release("v2", BEHAVIOUR="sick=4000")
    project.roll(v1)
    quiet: list[tuple[float, float]] = []
    with running(f"http://127.0.0.1:{project.port}", rate=200, websockets=10) as load:
        for release in (v2, v3):
            project.deliver(release)
            with until_switched(quiet):
                project.send("stage", release)
                project.send("switch", release, bake="200")
            project.send("settle", release)
            project.assert_settled(release)
        project.deliver(bad)
        with until_switched(quiet):
            project.send("stage", bad)
            with pytest.raises(ArrowFailed):
                project.send("switch", bad, bake="1500")
        project.send("abandon", bad)
        project.assert_settled(v3)
    report = load.report
    assert report.failed == 0, report.examples
    assert report.requests > 2000
    assert set(report.versions) == {"v1", "v2", "v3"}
    assert closed_within(report, quiet) == []


@contextmanager
def until_switched(quiet: list[tuple[float, float]]) -> Iterator[None]:
    """Note from when until when no websocket may be closed."""
    began = time.time()
    yield
    quiet.append((began, time.time()))


def closed_within(report: LoadReport, quiet: list[tuple[float, float]]) -> list[float]:
    times = [report.started + closed.at for closed in report.closed]
    return [at for at in times for began, ended in quiet if began <= at <= ended]

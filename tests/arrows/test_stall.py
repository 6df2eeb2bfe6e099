"""An application that stalls for some seconds under more traffic than the kernel queues for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from deploy.sandbox.load import running

from .project import docker
from .test_haproxy import behind_haproxy

if TYPE_CHECKING:
    from .conftest import MakeProject

pytestmark = [pytest.mark.fleet, pytest.mark.alone]


@pytest.mark.parametrize("proxy", ["caddy", "haproxy"])
def test_a_live_container_that_stalls_is_waited_for(make: MakeProject, proxy: str) -> None:
    project = behind_haproxy(make) if proxy == "haproxy" else make()
    project.roll(project.release("v1"))
    [web] = project.boxes()
    with running(f"http://127.0.0.1:{project.port}", rate=200, websockets=0) as load:
        time.sleep(1)
        docker("pause", web.id)
        # Node's queue of 511 connections is full after 3 s; what comes then is not even accepted.
        time.sleep(8)
        docker("unpause", web.id)
        time.sleep(5)
    report = load.report
    assert report.failed == 0, (report.reasons, report.examples[:3])
    assert report.requests > 2000

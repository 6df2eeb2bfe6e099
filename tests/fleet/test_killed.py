"""The deploying process is killed; the site serves on, and the next deploy converges."""

from __future__ import annotations

import time

import pytest
import requests

from tests.fleet.conftest import Loads, no_failure
from tests.fleet.project import EDGE, WEB, Project, settled


@pytest.mark.parametrize("at", ["staged", "switched"])
def test_killed_in_the_middle_of_a_roll(shop: Project, release, load: Loads, at: str) -> None:
    shop.on(release("v1"))
    line = {"staged": "✓ web-2     stage", "switched": "web-2     switch                switched"}[
        at
    ]
    with load() as traffic:
        killed = shop.inv("deploy", "--tag", release("v2"), kill_at=lambda text: line in text)
        assert killed.exit_code == -9, killed.text
        assert requests.get(f"{EDGE}/healthz", timeout=5).ok
        # What web-1 has begun to settle meanwhile it ends by itself.
        status = shop.status()
        deadline = time.monotonic() + 30
        while status["web-1"]["tag"] != "v2":
            assert time.monotonic() < deadline, status
            status = shop.status()
        assert status["web-3"]["tag"] == "v1"
        assert status["web-2"]["unfinished"].startswith("v2-")
        done = shop.deploy(release("v3"))
    assert done.exit_code == 0, done.text
    no_failure(traffic)
    assert set(shop.tags().values()) == {"v3"}
    for host in WEB:
        settled(host, "/srv/shop", "web")

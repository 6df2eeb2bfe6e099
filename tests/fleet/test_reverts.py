"""A version that is bad puts itself back: exit 4, the old version everywhere, no request lost."""

from __future__ import annotations

import pytest

from tests.fleet.conftest import Loads, no_failure
from tests.fleet.project import WEB, Project, settled

# What is in flight inside a process that crashes cannot be saved by anybody, so the crashing one is
# tried without the POSTs that take two seconds.
BAD = {
    "error-500": ("error-500", {}, "answered 500"),
    "never-healthy": ("never-healthy", {}, "unhealthy"),
    "crash-loop": ("crash-loop", {"slow": 0.0, "post": 0.0}, "web"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_on_the_second_host_only(shop: Project, release, load: Loads, kind: str) -> None:
    behaviour, weights, reason = BAD[kind]
    bad = release(f"bad-{kind}", f"{behaviour},bad-on=web-2")
    shop.on(release("v1"))
    with load(**weights) as traffic:
        done = shop.deploy(bad)
    assert done.exit_code == 4, done.text
    assert "✗ web-2" in done.text
    assert reason in done.text
    assert "rolled back to v1" in done.text
    no_failure(traffic)
    assert set(shop.tags().values()) == {"v1"}
    for host in WEB:
        settled(host, "/srv/shop", "web")
    past = shop.inv("history")
    assert f"{bad}  " in past.text
    assert "reverted" in past.text


@pytest.mark.long
def test_bad_in_the_bake_of_a_blue_green_deploy(
    settings_of_shop: Project, release, load: Loads
) -> None:
    shop = settings_of_shop
    shop.change(rollout={"strategy": "blue-green"})
    bad = release("bad-late", "late-unhealthy,bad-on=web-2")
    shop.on(release("v1"))
    with load() as traffic:
        done = shop.deploy(bad)
    assert done.exit_code == 4, done.text
    no_failure(traffic)
    assert set(shop.tags().values()) == {"v1"}
    for host in WEB:
        settled(host, "/srv/shop", "web")

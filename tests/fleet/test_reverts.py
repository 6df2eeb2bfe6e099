"""A version that is bad puts itself back: exit 4, the old version everywhere, no request lost."""

from __future__ import annotations

import re

import pytest

from tests.fleet.conftest import Loads, no_failure
from tests.fleet.project import WEB, Project, settled

# What is in flight inside a process that crashes cannot be saved by anybody, so the crashing one is
# tried without the POSTs that take two seconds.
BAD = {
    "error-500": ({}, r"/ on the new container answered 500 \(\d times in 3 s\)"),
    "never-healthy": ({}, r"web was not healthy within 20 s"),
    # Which of the signs of a crash is seen first is a matter of a tenth of a second.
    "crash-loop": (
        {"slow": 0.0, "post": 0.0},
        r"web (ended with|has restarted|was started again)|through the proxy answered",
    ),
}


@pytest.mark.parametrize(
    "kind",
    # test_plain.py has one that answers 500.
    [
        pytest.param(kind, marks=[pytest.mark.thorough] if kind == "error-500" else [])
        for kind in BAD
    ],
)
def test_bad_on_the_second_host_only(
    settings_of_shop: Project, release, load: Loads, kind: str
) -> None:
    shop = settings_of_shop
    weights, reason = BAD[kind]
    bad = release(f"bad-{kind}", f"{kind},bad-on=web-2")
    old, _ = shop.on_one_of(release("v1"), release("v2"))
    # The crash comes three seconds after the start.
    shop.change(rollout={"healthy_deadline": "20s", "bake": "3s"})
    with load(**weights) as traffic:
        done = shop.deploy(bad)
    assert done.exit_code == 4, done.text
    failed = [line for _, line in done.lines if line.startswith("✗ web-2")]
    assert len(failed) == 1, done.text
    assert re.search(reason, failed[0]), done.text
    assert f"rolled back to {old}" in done.text
    no_failure(traffic)
    assert set(shop.tags().values()) == {old}
    for host in WEB:
        settled(host, "/srv/shop", "web")
    past = shop.inv("history")
    assert f"{bad}  " in past.text
    assert "reverted" in past.text


@pytest.mark.thorough
def test_bad_in_the_bake_of_a_blue_green_deploy(
    settings_of_shop: Project, release, load: Loads
) -> None:
    shop = settings_of_shop
    shop.change(rollout={"strategy": "blue-green", "bake": "3s"})
    bad = release("bad-late", "late-unhealthy,bad-on=web-2")
    old, _ = shop.on_one_of(release("v1"), release("v2"))
    with load() as traffic:
        done = shop.deploy(bad)
    assert done.exit_code == 4, done.text
    no_failure(traffic)
    assert set(shop.tags().values()) == {old}
    for host in WEB:
        settled(host, "/srv/shop", "web")

"""`inv rollback`: what somebody types at three in the morning."""

from __future__ import annotations

import time

from tests.fleet.conftest import Loads, no_failure
from tests.fleet.project import WEB, Project, container_ids, on_host


def test_with_no_argument_the_whole_fleet_goes_back(shop: Project, release, load: Loads) -> None:
    old, new = shop.on_one_of(release("v1"), release("v2"))
    shop.on(new)
    with load() as traffic:
        began = time.monotonic()
        done = shop.inv("rollback")
        seconds = time.monotonic() - began
    assert done.exit_code == 0, done.text
    assert seconds < 60
    no_failure(traffic)
    assert set(shop.tags().values()) == {old}
    # A second one does not go forward again to what somebody has just left.
    again = shop.inv("rollback")
    assert set(shop.tags().values()) != {new}, again.text


def test_an_image_that_is_no_longer_on_the_hosts_is_pulled(shop: Project, release) -> None:
    old, new = shop.on_one_of(release("v1"), release("v2"))
    shop.on(new)
    for host in (*WEB, "worker-1"):
        on_host(
            host,
            "docker images -q --filter reference='localhost:5050/shop' | sort -u | "
            "xargs -r docker image rm -f 2>/dev/null || true",
        )
        left = on_host(host, "docker images --digests localhost:5050/shop | tail -n +2 | wc -l")
        assert int(left) <= 1, "only what runs is left"
    done = shop.inv("rollback", "--to", old)
    assert done.exit_code == 0, done.text
    assert "pulling" in done.text
    assert set(shop.tags().values()) == {old}


def test_to_something_unknown_changes_nothing(shop: Project, release) -> None:
    shop.on_one_of(release("v1"), release("v2"))
    before = {host: container_ids(host) for host in WEB}
    done = shop.inv("rollback", "--to", "v9.9.9")
    assert done.exit_code == 3, done.text
    assert "v9.9.9" in done.text
    assert "Nothing has been changed" in done.text
    assert {host: container_ids(host) for host in WEB} == before

"""Rolls under load: no request fails, and no websocket is dropped by a switch."""

from __future__ import annotations

import time

import pytest

from tests.fleet.conftest import Loads, no_failure
from tests.fleet.project import WEB, Done, Project, container_ids, on_host, settled, within


@pytest.mark.alone
@pytest.mark.timeout(1200)  # six rolls, at a load that two cores can hardly carry
def test_three_rolls_of_an_application_that_dies_at_once_lose_no_request(
    settings_of_shop: Project, release, load: Loads
) -> None:
    shop = settings_of_shop
    # Three cold processes at once on two cores that the load fills already.
    shop.change(rollout={"probe_deadline": "30s"})
    tags = [release(f"abrupt-{number}", "abrupt") for number in (1, 2, 3)]
    shop.on_one_of(release("v1"), release("v2"))
    rolls: dict[str, list[Done]] = {"rolling": [], "blue-green": []}
    # A site that is deployed is warm: V8 has seen what it runs, at a rate that costs it three times
    # as much until then.
    with load(rate=200, get=0.2, post=0.7, slow=0.025) as warming:
        time.sleep(15)
    no_failure(warming)
    with load(rate=405, websockets=20, get=0.2, post=0.7, slow=0.025) as traffic:
        for strategy, done in rolls.items():
            shop.change(rollout={"strategy": strategy})
            enough = time.monotonic() + 50
            for tag in tags:
                done.append(shop.deploy(tag))
                assert done[-1].exit_code == 0, done[-1].text
            time.sleep(max(0, enough - time.monotonic()))  # as quick as rolls may become
    report = traffic.report
    no_failure(traffic)
    assert report.requests / report.seconds >= 400
    assert report.requests >= 40_000
    assert set(tags) <= set(report.versions)
    # A websocket outlives the switch; only the end of its container, after the drain, closes it.
    every = [roll for done in rolls.values() for roll in done]
    settling = [window for roll in every for window in roll.windows("settle")]
    switching = [window for roll in every for window in roll.windows("switch")]
    assert settling
    assert len(switching) == len(every) * (len(WEB) + 1)
    for closed in report.closed:
        assert within(report.started + closed.at, settling), closed
        assert not within(report.started + closed.at, switching, slack=0), closed
    for roll in rolls["blue-green"]:
        staged_before_any_is_switched_and_switched_before_any_settles(roll)
    assert set(shop.tags().values()) == {tags[-1]}
    for host in WEB:
        settled(host, "/srv/shop", "web")


def staged_before_any_is_switched_and_switched_before_any_settles(roll: Done) -> None:
    last_staged = max(end for _, end in roll.windows("stage"))
    switching = roll.windows("switch")
    assert len(switching) == len(WEB) + 1
    assert last_staged <= min(start for start, _ in switching)
    assert max(end for _, end in switching) <= min(
        end for start, end in roll.windows("settle") if start > last_staged
    )


def test_after_a_deploy_compose_up_changes_no_container(shop: Project, release) -> None:
    shop.on_one_of(release("v1"), release("v2"))
    for host in (*WEB, "worker-1", "db-1"):
        before = container_ids(host)
        assert before
        on_host(host, "cd /srv/shop && docker compose up -d 2>&1")
        assert container_ids(host) == before, host


def test_the_same_again_restarts_nothing(shop: Project, release) -> None:
    on, other = shop.on_one_of(release("v1"), release("v2"))
    before = {host: container_ids(host) for host in WEB}
    plan = shop.inv("plan", "--tag", on, "--detailed-exit-code")
    assert plan.exit_code == 0, plan.text
    assert "Nothing to do" in plan.text
    again = shop.deploy(on)
    assert again.exit_code == 0
    assert f"every host is on {on} already" in again.text
    assert {host: container_ids(host) for host in WEB} == before
    changes = shop.inv("plan", "--tag", other, "--detailed-exit-code")
    assert changes.exit_code == 10, changes.text


@pytest.mark.thorough
def test_two_containers_of_a_service_on_each_host(
    settings_of_shop: Project, release, load: Loads, tmp_path
) -> None:
    shop = settings_of_shop
    text = (shop.compose_text()).replace(
        "    stop_grace_period: 10s\n    restart: unless-stopped\n\n  worker:",
        "    stop_grace_period: 10s\n    restart: unless-stopped\n"
        "    deploy: {replicas: 2}\n\n  worker:",
    )
    assert "replicas: 2" in text
    (tmp_path / "compose.yaml").write_text(text)
    (tmp_path / "Caddyfile").write_text(shop.beside("Caddyfile"))
    shop.change(compose=str(tmp_path / "compose.yaml"))
    shop.on(release("v1"))
    with load() as traffic:
        done = shop.deploy(release("v2"))
    assert done.exit_code == 0, done.text
    no_failure(traffic)
    for host in WEB:
        settled(host, "/srv/shop", "web", count=2)

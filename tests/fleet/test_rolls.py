"""Rolls under load: no request fails, and no websocket is dropped by a switch."""

from __future__ import annotations

import time

import pytest

from tests.fleet.conftest import Loads, no_failure
from tests.fleet.project import WEB, Done, Project, container_ids, on_host, settled, within


@pytest.mark.alone
@pytest.mark.timeout(1200)  # three rolls, at a load that two cores can hardly carry
@pytest.mark.parametrize(
    "strategy", ["rolling", pytest.param("blue-green", marks=pytest.mark.thorough)]
)
def test_three_rolls_of_an_application_that_dies_at_once_lose_no_request(
    settings_of_shop: Project, release, load: Loads, strategy: str
) -> None:
    shop = settings_of_shop
    # Three cold processes at once on two cores that the load fills already.
    shop.change(rollout={"strategy": strategy, "probe_deadline": "30s"})
    tags = [release(f"abrupt-{number}", "abrupt") for number in (1, 2, 3)]
    shop.on_one_of(release("v1"), release("v2"))
    rolls: list[Done] = []
    # A site that is deployed is warm: V8 has seen what it runs, at a rate that costs it three times
    # as much until then.
    with load(rate=200, websockets=0, get=0.2, post=0.7) as warming:
        time.sleep(15)
    no_failure(warming)
    with load(rate=405, websockets=20, get=0.2, post=0.7) as traffic:
        for tag in tags:
            rolls.append(shop.deploy(tag))
            assert rolls[-1].exit_code == 0, rolls[-1].text
    report = traffic.report
    no_failure(traffic)
    assert report.requests >= 20_000
    assert report.requests / report.seconds >= 400
    assert set(tags) <= set(report.versions)
    # A websocket outlives the switch; only the end of its container, after the drain, closes it.
    settling = [window for roll in rolls for window in roll.windows("settle")]
    switching = [window for roll in rolls for window in roll.windows("switch")]
    assert settling
    assert len(switching) == len(tags) * (len(WEB) + 1)
    for closed in report.closed:
        assert within(report.started + closed.at, settling), closed
        assert not within(report.started + closed.at, switching, slack=0), closed
    for host in WEB:
        settled(host, "/srv/shop", "web")


def test_blue_green_stages_every_host_before_any_is_switched(
    settings_of_shop: Project, release
) -> None:
    shop = settings_of_shop
    _, new = shop.on_one_of(release("v1"), release("v2"))
    shop.change(rollout={"strategy": "blue-green"})
    done = shop.deploy(new)
    assert done.exit_code == 0, done.text
    last_staged = max(end for _, end in done.windows("stage"))
    switching = done.windows("switch")
    assert len(switching) == 4
    assert last_staged <= min(start for start, _ in switching)
    assert max(end for _, end in switching) <= min(
        end for start, end in done.windows("settle") if start > last_staged
    )
    assert set(shop.tags().values()) == {new}
    for host in WEB:
        settled(host, "/srv/shop", "web")


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

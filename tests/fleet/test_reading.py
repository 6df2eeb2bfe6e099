"""The verbs that only read, and the two that look inside: on the fleet, as somebody types them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.fleet.project import WEB, Project


def test_check_finds_nothing(shop: Project) -> None:
    done = shop.inv("check")
    assert done.exit_code == 0, done.text
    assert "are ready" in done.text
    assert json.loads(shop.inv("check", "--json").text) == []


def test_plan_as_json_and_what_is_laid_over_the_compose_file(
    shop: Project, release: Callable[..., str]
) -> None:
    _, other = shop.on_one_of(release("v1"), release("v2"))
    plan = json.loads(shop.inv("plan", "--tag", other, "--json").text)
    assert plan["empty"] is False
    assert [host["host"] for host in plan["hosts"] if host["canary"]] == ["web-1"]
    assert plan["waves"][1:] == [["web-1"], ["web-2"], ["web-3"], ["worker-1"]]
    compose = shop.inv("plan", "--tag", other, "--compose").text
    assert compose.count("image: localhost:5050/shop@sha256:") == 4
    assert "on-another-host" in compose


def test_status_names_what_runs_where(shop: Project, release: Callable[..., str]) -> None:
    on, _ = shop.on_one_of(release("v1"), release("v2"))
    text = shop.inv("status").text
    for host in (*WEB, "worker-1", "db-1"):
        assert f"  {host}  {on}" in text
    assert "not as deployed" not in text
    rows = shop.status()
    assert {one["service"] for one in rows["web-1"]["containers"]} == {"web", "proxy"}
    assert all(one["as_deployed"] for row in rows.values() for one in row["containers"])


def test_logs_and_exec_name_the_host(shop: Project, release: Callable[..., str]) -> None:
    shop.on_one_of(release("v1"), release("v2"))
    logs = shop.inv("logs", "--service", "web", "--lines", "5")
    assert logs.exit_code == 0, logs.text
    assert {line.split()[0] for line in logs.text.splitlines()} == set(WEB)
    one = shop.inv("exec", "echo $HOST_NAME", "--service", "web", "--host", "web-2")
    assert (one.exit_code, one.text) == (0, "web-2  web-2")
    every = shop.inv("exec", "exit 3", "--service", "worker")
    assert every.exit_code == 5
    assert "worker-1  ! exit 3" in every.text
    unknown = shop.inv("exec", "true", "--host", "web-22")
    assert unknown.exit_code == 2
    assert "web-2" in unknown.text


@pytest.mark.thorough
def test_history_tells_how_each_ended(shop: Project, release: Callable[..., str]) -> None:
    _, new = shop.on_one_of(release("v1"), release("v2"))
    shop.on(new)
    past = json.loads(shop.inv("history", "--json").text)["runs"]
    assert [(one["verb"], one["tag"], one["outcome"]) for one in past[-1:]] == [
        ("deploy", new, "done")
    ]
    assert set(past[-1]["hosts"]) == {*WEB, "worker-1", "db-1"}

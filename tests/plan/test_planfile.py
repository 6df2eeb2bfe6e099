"""A plan as a file: what it holds, what it refuses, and that it says what has moved."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from deploy.database.migrations.folder import Folder, Format, Migration
from deploy.database.migrations.states import Standing
from deploy.database.outlook import Outlook
from deploy.errors import Refused, UsageError
from deploy.order import Order
from deploy.planfile import PlanFile, differences, hold, planned, read
from deploy.planfile import World as Followed
from deploy.planfile import world as world_of
from deploy.situation import Files

from .world import World, release_of, world

if TYPE_CHECKING:
    from pathlib import Path

CASE: dict[str, Any] = {
    "hosts": {
        "web-1": {"rolled": ["web"], "now": "v1"},
        "web-2": {"rolled": ["web"], "now": "v1"},
        "worker-1": {"rolled": ["worker"], "now": "v1"},
    }
}


def migration(number: int, sql: str = "select 1;") -> Migration:
    name = f"{number:04}_m"
    return Migration(name, number, f"hash of {sql} {number}", f"{name}.sql", sql)


def outlook(now: list[Migration], later: list[Migration] | None = None) -> Outlook:
    folder = Folder(Format.V0, tuple(now))
    return Outlook(folder, Standing(Format.V0, ()), tuple(now), tuple(later or ()))


def order(one: World, pending: Outlook | None = None, **changes: Any) -> Order:
    files = {host: Files(f"override of {host}\n", "SECRET='s3cret-value'\n") for host in one.facts}
    made = Order("d-1", "ana@github", one.plan(), one.release, None, files, pending)
    return replace(made, **changes)


def now_of(one: World, made: Order | None = None) -> Followed:
    return world_of(one.environment, made or order(one), one.facts)


@pytest.fixture
def before(tmp_path: Path) -> World:
    return world(CASE, tmp_path)


@pytest.fixture
def then(before: World) -> PlanFile:
    """A plan that went through its file."""
    made = order(before, outlook([migration(1)], [migration(2)]))
    return read(planned(before.environment, made, before.facts).to_json())


def moved(then: PlanFile, now: Followed) -> list[str]:
    return [str(one) for one in differences(then.world, now)]


def test_nothing_has_moved(before: World, then: PlanFile) -> None:
    again = order(before, outlook([migration(1)], [migration(2)]), id="d-2", by="bo@github")
    hold(then, now_of(before, again))
    assert (then.by, then.tag) == ("ana@github", "v2")


def test_it_holds_no_secret_and_no_path(before: World, then: PlanFile, tmp_path: Path) -> None:
    text = then.to_json()
    assert "s3cret" not in text
    assert str(tmp_path) not in text


def test_another_checkout_of_the_same_makes_no_difference(before: World, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    there = world(CASE, elsewhere)
    then = planned(before.environment, order(before), before.facts)
    assert moved(then, now_of(there)) == []


def changed(**hosts: Any) -> dict[str, Any]:
    case = copy.deepcopy(CASE)
    for name, change in hosts.items():
        case["hosts"][name.replace("_", "-")] |= change
    return case


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            changed(web_2={"now": "v0"}),
            ["web-2  was on v1-0a1b2c3d, and is on v0-0a1b2c3d"],
        ),
        (
            changed(web_2={"now": None}),
            ["web-2  was on v1-0a1b2c3d, and is on nothing"],
        ),
        (
            changed(web_1={"now": "v2"}),
            [
                "web-1  was on v1-0a1b2c3d, and is on v2-0a1b2c3d",
                "order  web-1 → web-2 → worker-1 was planned, and it is web-2 → worker-1",
            ],
        ),
        (
            changed(web_1={"edited": [".env"]}),
            [
                "web-1  it was planned as: is on v1-0a1b2c3d; and now: is on v1-0a1b2c3d, "
                ".env was edited by hand"
            ],
        ),
        (
            CASE | {"rollout": {"canary": 2, "max_parallel": 2, "bake": "99s"}},
            ["hosts/production.yaml  rollout: says something else"],
        ),
        (
            CASE | {"rollout": {"strategy": "blue-green"}},
            [
                "hosts/production.yaml  rollout: says something else",
                "order  web-1 → web-2 → worker-1 was planned, and it is web-1, web-2, worker-1",
            ],
        ),
    ],
)
def test_the_world_has_moved(
    before: World, tmp_path: Path, case: dict[str, Any], said: list[str]
) -> None:
    then = planned(before.environment, order(before), before.facts)
    assert moved(then, now_of(world(case, tmp_path))) == said


def test_a_host_that_came_and_one_that_went(before: World, tmp_path: Path) -> None:
    then = planned(before.environment, order(before), before.facts)
    case = copy.deepcopy(CASE)
    case["hosts"]["web-3"] = case["hosts"].pop("web-2")
    found = moved(then, now_of(world(case, tmp_path)))
    assert "web-2  is no host any more" in found
    assert "web-3  was not planned" in found
    assert "hosts/production.yaml  hosts: says something else" in found


def test_a_tag_that_moved(before: World) -> None:
    then = planned(before.environment, order(before), before.facts)
    other = replace(before.release, id="v2-99999999", images={"web": "ghcr.io/acme/shop@sha256:9"})
    assert moved(then, now_of(before, order(before, release=other))) == [
        f"web  image: {before.release.images['web']} was planned, and it is "
        "ghcr.io/acme/shop@sha256:9"
    ]


def test_a_secret_that_changed(before: World) -> None:
    then = planned(before.environment, order(before), before.facts)
    (said,) = moved(then, now_of(before, order(before, release=replace(before.release, id="v2-9"))))
    assert said.startswith("release  v2-0a1b2c3d was planned, and it is v2-9: the compose file")


def test_another_override_of_the_same_release(before: World) -> None:
    then = planned(before.environment, order(before), before.facts)
    files = {host: Files("other", "") for host in before.facts}
    said = moved(then, now_of(before, order(before, files=files)))
    assert said == [
        f"{host}  override: what is laid over the compose file is another" for host in before.facts
    ]


@pytest.mark.parametrize(
    ("pending", "said"),
    [
        (outlook([], [migration(2)]), "0001_m: was pending, and is no more"),
        (
            outlook([migration(1), migration(3)], [migration(2)]),
            "0003_m: is pending, and was not planned",
        ),
        (outlook([migration(1, "drop table a;")], [migration(2)]), "0001_m: is another file"),
        (
            outlook([migration(1), migration(2)]),
            "0002_m: waited for the hosts, and does not",
        ),
        (
            outlook([], [migration(1), migration(2)]),
            "0001_m: waits for the hosts, and did not",
        ),
        (None, "what changes the schema is another"),
        (replace(outlook([]), push=True), "what changes the schema is another"),
    ],
)
def test_other_migrations_are_pending(
    before: World, then: PlanFile, pending: Outlook | None, said: str
) -> None:
    found = moved(then, now_of(before, order(before, pending)))
    assert f"database  {said}" in found
    assert all(one.startswith("database  ") for one in found)


def test_the_same_in_another_order(before: World) -> None:
    both = [migration(1), migration(2)]
    then = planned(before.environment, order(before, outlook(both)), before.facts)
    found = moved(then, now_of(before, order(before, outlook(both[::-1]))))
    assert found == ["database  what is pending is in another order"]


def test_all_of_it_is_told_at_once(before: World, then: PlanFile) -> None:
    other = replace(release_of("v3"), tag="v3")
    with pytest.raises(Refused, match="not what was planned") as caught:
        hold(then, now_of(before, order(before, release=other)))
    assert caught.value.exit_code == 3
    assert caught.value.state == "Nothing has been changed."
    assert [one.where for one in caught.value.faults] == ["web", "database"]
    assert "inv plan.production --tag v2 --out FILE" in caught.value.mend


def test_a_plan_of_another_environment(before: World, then: PlanFile) -> None:
    now = now_of(before, order(before, outlook([migration(1)], [migration(2)])))
    assert moved(then, now.model_copy(update={"environment": "staging"})) == [
        "environment  the plan is for production, and this is staging"
    ]


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "7",
        "{}",
        "[" * 100_000,
        '{"headway_plan": 1}',
    ],
)
def test_what_is_no_plan(text: str) -> None:
    with pytest.raises(UsageError, match="no plan of Headway") as caught:
        read(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"by": None}, "by"),
        ({"tag": 7}, "tag"),
        ({"more": 1}, "more"),
        ({"world": {}}, "world.app"),
    ],
)
def test_a_plan_that_somebody_has_edited(
    then: PlanFile, change: dict[str, Any], where: str
) -> None:
    with pytest.raises(UsageError, match=f"{where} is not as it was written"):
        read(json.dumps(json.loads(then.to_json()) | change))


@pytest.mark.parametrize("change", [{"headway_plan": 2}, {"headway": "9.9.9"}])
def test_a_plan_of_another_headway(then: PlanFile, change: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=r"the plan was made by Headway .* and this is"):
        read(json.dumps(json.loads(then.to_json()) | change))

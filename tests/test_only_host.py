"""Some hosts are deployed to and others left as they are, as when one is down."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.errors import Refused
from deploy.settings import load
from deploy.situation import Situation
from tests.faults.fleet import HOSTS, Course, Fleet

ALL = tuple(HOSTS)
BUT_WEB_2 = ("web-1", "web-3", "db-1")


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """On v1 everywhere."""
    found = Fleet.new(tmp_path, {"bake": "0s", "min_healthy_time": "0s"})
    deployed(found, "v1")
    return found


def deployed(fleet: Fleet, tag: str | None, only: tuple[str, ...] = ()) -> set[str]:
    """Deploy a tag or go back, and return the hosts that were rolled."""
    ran = fleet.run(tag, Course(), only)
    assert ran.refused is None
    assert ran.ended is not None
    assert ran.ended.exit_code == 0, ran.ended.message
    return {host for host, before in ran.before.items() if on(fleet)[host] != tag_of(before)}


def tag_of(release: object) -> str:
    return str(release).partition("-")[0]


def on(fleet: Fleet) -> dict[str, str]:
    return {name: tag_of(one.settled_on()) for name, one in fleet.machines.items()}


def test_what_is_left_out_may_be_down_and_stays_as_it_is(fleet: Fleet) -> None:
    fleet.hosts["web-2"].away_until = fleet.clock + 1000
    assert isinstance(fleet.run("v2", Course()).refused, Refused)
    assert deployed(fleet, "v2", BUT_WEB_2) == set(BUT_WEB_2)
    assert on(fleet) == dict.fromkeys(ALL, "v2") | {"web-2": "v1"}


def test_the_next_deploy_brings_it_along_and_rolls_nothing_else(fleet: Fleet) -> None:
    deployed(fleet, "v2", BUT_WEB_2)
    assert deployed(fleet, "v2") == {"web-2"}
    assert on(fleet) == dict.fromkeys(ALL, "v2")


def test_back_from_there_is_to_where_all_were(fleet: Fleet) -> None:
    deployed(fleet, "v2", BUT_WEB_2)
    deployed(fleet, None)
    assert on(fleet) == dict.fromkeys(ALL, "v1")


def test_back_with_a_host_down(fleet: Fleet) -> None:
    deployed(fleet, "v2")
    fleet.hosts["web-2"].away_until = fleet.clock + 1000
    assert deployed(fleet, None, BUT_WEB_2) == set(BUT_WEB_2)
    assert on(fleet) == dict.fromkeys(ALL, "v1") | {"web-2": "v2"}


def test_who_keeps_the_lease_is_read_and_not_touched(fleet: Fleet) -> None:
    assert deployed(fleet, "v2", ("web-3",)) == {"web-3"}
    assert on(fleet) == dict.fromkeys(ALL, "v1") | {"web-3": "v2"}
    # Nor does it say of itself that it has come to an end of what it took no part in.
    assert deployed(fleet, None) == {"web-3"}


def test_the_hosts_of_a_situation(fleet: Fleet, tmp_path: Path) -> None:
    whole = Situation.of(load(tmp_path, "staging", {}))
    one = whole.only(["web-3"])
    assert [*one.placements] == ["web-3"]
    assert [*one.hosts] == ["db-1", "web-3"]
    assert one.left_out == ("db-1", "web-1", "web-2")
    assert whole.left_out == ()

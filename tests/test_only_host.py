"""Some hosts are deployed to and others left as they are, as when one is down."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.errors import Refused
from deploy.settings import load
from deploy.situation import Situation
from tests.faults.faulty import Course
from tests.faults.fleet import HOSTS, Fleet

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


# --- after a run that died -----------------------------------------------------------------------


def test_hosts_that_are_left_out_had_a_part_in_it(fleet: Fleet) -> None:
    fleet.die("v2", "switched", "web-1")
    before = fleet.settled()
    refused = fleet.run("v3", Course(), ("web-2", "web-3")).refused
    assert isinstance(refused, Refused)
    assert "died in the middle; --only-host leaves out db-1, web-1, where it is" in str(refused)
    assert "inv recover.staging brings it to an end on all hosts" in refused.mend
    assert fleet.settled() == before
    assert len(fleet.left()) == 1
    deployed(fleet, "v3")
    assert on(fleet) == dict.fromkeys(ALL, "v3")
    assert fleet.left() == []


def test_who_keeps_the_lease_may_be_in_the_middle_and_left_out(tmp_path: Path) -> None:
    """Of the run that died it was no part, so nothing is done to it, and nothing is known of it."""
    fleet = Fleet.new(tmp_path, {"bake": "0s", "min_healthy_time": "0s"}, lease={"host": "web-1"})
    deployed(fleet, "v1")
    fleet.die("v2", "staging", "web-1", ("web-1",))
    middle = fleet.machines["web-1"].next
    # Somebody has brought the record to its end, and not the host.
    fleet.keeping.records.clear()
    fleet.die("v2", "switched", "web-3", ("web-3",))
    assert deployed(fleet, "v3", ("web-3",)) == {"web-3"}
    assert fleet.machines["web-1"].next == middle
    assert fleet.left() == []


def test_a_run_about_some_hosts_is_recovered_on_those(fleet: Fleet) -> None:
    """The others have not got the files of what is finished."""
    fleet.die("v2", "settling", "web-3", ("web-3",))
    ran = fleet.recover(Course())
    assert ran.recovered is not None
    assert ran.recovered.ended.message == "web-3 is on v2"
    assert on(fleet) == dict.fromkeys(ALL, "v1") | {"web-3": "v2"}
    assert fleet.left() == []


def test_one_host_does_not_say_for_all_that_it_is_finished(fleet: Fleet) -> None:
    """Those that are on the new release were all that was read."""
    fleet.die("v2", "staged", "web-2")
    before = on(fleet)
    assert (before["web-1"], before["web-2"]) == ("v2", "None")
    refused = fleet.run("v3", Course(), ("web-1",)).refused
    assert isinstance(refused, Refused)
    assert "finishing" not in str(refused)
    assert on(fleet) == before


def test_a_rollback_on_some_goes_where_it_began_and_leaves_the_rest_to_a_recovery(
    fleet: Fleet,
) -> None:
    fleet.die("v2", "staged", "web-3")
    fleet.hosts["web-3"].away_until = fleet.clock + 10_000
    deployed(fleet, None, ("db-1", "web-1", "web-2"))
    assert on(fleet) == dict.fromkeys(ALL, "v1") | {"web-3": "None"}
    assert len(fleet.left()) == 1, "it is not at its end on web-3"
    fleet.hosts["web-3"].away_until = 0
    assert fleet.recover(Course()).recovered is not None
    assert on(fleet) == dict.fromkeys(ALL, "v1")
    assert fleet.left() == []


def test_the_hosts_of_a_situation(fleet: Fleet, tmp_path: Path) -> None:
    whole = Situation.of(load(tmp_path, "staging", {}))
    one = whole.only(["web-3"])
    assert [*one.placements] == ["web-3"]
    assert [*one.hosts] == ["db-1", "web-3"]
    assert one.left_out == ("db-1", "web-1", "web-2")
    assert whole.left_out == ()

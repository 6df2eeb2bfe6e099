"""From a listing of containers to what is to be done."""

import pytest

from deploy.sandbox.converge import Changes, Container, changes

WANTED = {"headway-web-1": "aa", "headway-edge": "bb"}
EDGE = Container("headway-edge", "running", "bb")


def test_nothing_there_makes_everything():
    assert changes(WANTED, []) == Changes(create=("headway-web-1", "headway-edge"))


def test_what_is_right_is_not_touched():
    there = [Container("headway-web-1", "running", "aa"), EDGE]
    assert changes(WANTED, there) == Changes()


@pytest.mark.parametrize(
    ("state", "config", "expected"),
    [
        ("running", "old", Changes(create=("headway-web-1",), remove=("headway-web-1",))),
        ("exited", "aa", Changes(start=("headway-web-1",))),
        ("exited", "old", Changes(create=("headway-web-1",), remove=("headway-web-1",))),
        ("paused", "aa", Changes(unpause=("headway-web-1",))),
        # Cut short between `docker create` and the copying of its files.
        ("created", "aa", Changes(create=("headway-web-1",), remove=("headway-web-1",))),
        ("restarting", "aa", Changes(create=("headway-web-1",), remove=("headway-web-1",))),
        ("dead", "aa", Changes(create=("headway-web-1",), remove=("headway-web-1",))),
    ],
)
def test_one_container_by_its_state(state, config, expected):
    assert changes(WANTED, [Container("headway-web-1", state, config), EDGE]) == expected


def test_hosts_that_nobody_wants_any_more_are_retired_not_just_removed():
    there = [
        Container("headway-web-1", "running", "aa"),
        EDGE,
        Container("headway-web-2", "exited", "aa"),
    ]
    assert changes(WANTED, there) == Changes(retire=("headway-web-2",))

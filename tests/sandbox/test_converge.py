"""From a listing of containers to what is to be done."""

import pytest

from deploy.sandbox.converge import Changes, Container, changes
from deploy.sandbox.fleet import clear
from deploy.sandbox.machines import fleet

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


class Engine:
    """One that has these volumes, and what was removed of it."""

    def __init__(self, volumes):
        self.volumes, self.removed = volumes, []

    def lines(self, *_argv):
        return self.volumes

    def __call__(self, *argv):
        self.removed.append([word for word in argv if not word.startswith("--")])


def test_the_volumes_of_a_host_whose_container_is_gone_already_go_too():
    """An `up` to fewer hosts was cut short between the container and its volumes."""
    machines = {machine.container: machine for machine in fleet(2, 8080)}
    kept = [volume for machine in machines.values() for volume, _ in machine.volumes]
    left = ["headway-web-3-docker", "headway-web-3-srv", "headway-web-20-srv"]
    engine = Engine(kept)
    clear(engine, Changes(), machines, print)
    assert engine.removed == []
    engine = Engine([*kept, *left])
    clear(engine, Changes(), machines, print)
    assert engine.removed == [["volume", "rm", *left]]

"""A sandbox that another checkout made, and the end of one. Nothing here leaves a sandbox up."""

import pytest

from deploy.sandbox import base, fleet, provide
from deploy.sandbox.containers import owner
from deploy.sandbox.home import Home
from tests import images

# It waits for the tests of the other process.
pytestmark = [pytest.mark.fleet, pytest.mark.timeout(1500)]


@pytest.fixture(autouse=True)
def nobody_else():
    with images.alone():
        yield


def left(docker):
    """What Docker has of the sandbox, by kind."""
    ours = ("--filter", "label=headway.sandbox=1")
    names = docker.lines("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    return {
        "containers": docker.lines("ps", "--all", "--quiet", *ours),
        "volumes": docker.lines("volume", "ls", "--quiet", *ours),
        "networks": docker.lines("network", "ls", "--quiet", *ours),
        "images": [
            name
            for name in names
            if name.startswith(("headway-sandbox/", "localhost:5050/")) or name == base.BASE
        ],
    }


def test_one_made_with_other_keys_is_replaced_and_down_leaves_nothing(tmp_path):
    fleet.up()
    docker = provide.running()
    assert owner(docker) == Home().name
    docker("exec", "headway-db-1", "touch", "/srv/written-by-the-one-before")
    other = Home(tmp_path / "other")
    said = []
    fleet.up(1, home=other, say=said.append)
    assert any("made with other keys: starting over" in line for line in said)
    assert owner(docker) == other.name != Home().name
    assert docker("exec", "headway-db-1", "ls", "/srv") == ""
    assert all(left(docker).values()), "what is counted below is there now"
    fleet.down(home=other)
    assert left(docker) == {"containers": [], "volumes": [], "networks": [], "images": []}
    assert not other.path.exists()

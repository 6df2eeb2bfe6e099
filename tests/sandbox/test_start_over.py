"""A sandbox that another checkout made, and the end of one. Nothing here leaves a sandbox up."""

import subprocess

import pytest

from deploy.sandbox import base, fleet, images, provide, teardown
from deploy.sandbox.containers import owner
from deploy.sandbox.home import Home

pytestmark = pytest.mark.fleet

USED = "localhost:5050/postgres:17"


@pytest.fixture
def somebody_else():
    """A container on one of the sandbox's images that is not the sandbox's."""
    fleet.up()
    name = "headway-test-somebody-else"
    subprocess.run(["docker", "rm", "-f", name], capture_output=True, check=False)
    argv = ["docker", "run", "-d", "--name", name, "--entrypoint", "sleep", USED, "600"]
    subprocess.run(argv, capture_output=True, check=True)
    yield
    subprocess.run(["docker", "rm", "-f", "-v", name], capture_output=True, check=True)


def left(docker):
    """What Docker has of the sandbox, by kind."""
    ours = ("--filter", "label=headway.sandbox=1")
    return {
        "containers": docker.lines("ps", "--all", "--quiet", *ours),
        "volumes": docker.lines("volume", "ls", "--quiet", *ours),
        "networks": docker.lines("network", "ls", "--quiet", *ours),
        # By their ids: a name may have gone to a later build, and a container keeps the image.
        "images": {
            line.split(" ", 1)[0]
            for line in docker.lines("image", "ls", "--no-trunc", "--format", teardown.NAMED)
            if line.split(" ", 1)[1].startswith((images.PREFIX, "localhost:5050/", base.BASE))
        },
    }


def test_one_made_with_other_keys_is_replaced_and_down_leaves_nothing(somebody_else, tmp_path):
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
    before = left(docker)["images"]
    fleet.down(home=other, say=said.append)
    assert USED in said[-1], said
    after = left(docker)
    assert (after["containers"], after["volumes"], after["networks"]) == ([], [], [])
    # Other tests' containers may still be up as well; what nobody runs on is gone.
    used = set(docker.lines("inspect", "--format", "{{.Image}}", *docker.lines("ps", "--quiet")))
    assert after["images"] == before & used, said
    assert not other.path.exists()

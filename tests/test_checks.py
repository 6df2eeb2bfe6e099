"""What must be true of a host, each fault with its exact words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.bundle import Bound
from deploy.checks import host_faults, version
from deploy.compose.placement import Placement
from deploy.facts import Disk, HostFacts
from deploy.registry import Found

GOOD = HostFacts(
    user="deploy",
    arch="x86_64",
    docker="26.1.5+dfsg1",
    compose="2.26.1-4",
    writable=True,
    exists=True,
    disks=(Disk("/srv", "/", 2_000_000, 50_000), Disk("/var/lib/docker", "/var", 1_048_576, None)),
)
IMAGE = Found("ghcr.io/acme/shop", "v2", "sha256:1", ("linux/amd64", "linux/arm64"), {})


def told(facts: HostFacts, *images: Found) -> list[str]:
    return [str(fault) for fault in host_faults("/srv/shop", {"web-1": facts}, images)]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"exists": False},
        {"compose": "2.24.4"},
        {"compose": "v2.40.0"},
        {"compose": "5.0.1"},
        {"arch": "aarch64"},
        {"arch": ""},
        {"disks": ()},
        {"disks": (Disk("/srv", "/", 1_048_576, 20_000),)},
    ],
)
def test_a_good_host(change: dict[str, object]) -> None:
    assert told(replace(GOOD, **change), IMAGE) == []


DENIED = "permission denied while trying to connect to the Docker daemon socket"
DOWN = "Client:\nCannot connect to the Docker daemon at unix:///var/run/docker.sock."
V1 = "docker: 'compose' is not a docker command."
OLDEST = "and 2.24.4 is the oldest that can do it; install a newer docker-compose-plugin"
FAULTS = [
    ({"docker_problem": "missing"},
     "docker: is not installed; install Docker Engine with Compose v2"),
    ({"docker_problem": DENIED},
     "docker: deploy may not use it; usermod -aG docker deploy, then log in anew"),
    ({"docker_problem": DOWN},
     "docker: does not answer: Cannot connect to the Docker daemon at "
     "unix:///var/run/docker.sock.; systemctl start docker"),
    ({"compose": "", "compose_problem": V1},
     "docker compose: there is no Compose v2; apt-get install docker-compose-plugin"),
    ({"compose": "2.24.3"}, f"docker compose: is 2.24.3, {OLDEST}"),
    ({"compose": "1.29.2"}, f"docker compose: is 1.29.2, {OLDEST}"),
    ({"compose": "dev"}, f"docker compose: is dev, {OLDEST}"),
    ({"lost": ("b8f600d3dfe999a43d7ac30d", "5e1b0c7f2a44aa")},
     "docker: lists what it has removed (b8f600d3dfe9, 5e1b0c7f2a44), "
     "and Compose can start nothing beside that; systemctl restart docker"),
    ({"missing_tools": ("flock",)}, "flock: is not installed; apt-get install util-linux"),
    ({"missing_tools": ("timeout",)}, "timeout: is not installed; apt-get install coreutils"),
    ({"missing_tools": ("diff",)}, "diff: is not installed; apt-get install diffutils"),
    ({"missing_tools": ("cmp",)}, "cmp: is not installed; apt-get install diffutils"),
    ({"missing_tools": ("curl",)}, "curl: is not installed; apt-get install curl"),
    ({"writable": False},
     "/srv/shop: belongs to somebody else, or its file system is read-only (user deploy); "
     "as root there: install -d -o deploy /srv/shop"),
    ({"writable": False, "exists": False},
     "/srv/shop: is not there, and cannot be made (user deploy); "
     "as root there: install -d -o deploy /srv/shop"),
    ({"disks": (Disk("/srv", "/", 1_048_575, 50_000),)},
     "/: 1023 MB free, and a deploy needs 1 GB; docker system prune -a"),
    ({"disks": (Disk("/srv", "/", 0, 0),)},
     "/: 0 MB free, and a deploy needs 1 GB; docker system prune -a"),
    ({"disks": (Disk("/srv", "/", 2_000_000, 19_999),)},
     "/: 19999 inodes free; docker system prune -a"),
    ({"arch": "armv7l"},
     "ghcr.io/acme/shop:v2: is for linux/amd64, linux/arm64, and this host is linux/arm; "
     "build it with --platform linux/arm"),
    ({"arch": "riscv64"},
     "ghcr.io/acme/shop:v2: is for linux/amd64, linux/arm64, and this host is linux/riscv64; "
     "build it with --platform linux/riscv64"),
    ({"absent_paths": ("data",)},
     "/srv/shop/data: is needed by the compose file, and nothing provides it; "
     "make it there, add it to git, or name it under files:"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "fault"), FAULTS)
def test_a_fault(change: dict[str, object], fault: str) -> None:
    assert told(replace(GOOD, **change), IMAGE) == [f"web-1  {fault}"]


def test_all_faults_of_all_hosts_at_once() -> None:
    worse = replace(
        GOOD,
        docker="",
        docker_problem="missing",
        missing_tools=("curl", "flock"),
        writable=False,
        disks=(Disk("/srv", "/", 1, 1), Disk("/var", "/var", 1, None)),
        arch="armv7l",
        absent_paths=("a", "b"),
    )
    faults = host_faults("/srv/shop", {"web-1": worse, "web-2": GOOD, "web-3": worse}, [IMAGE])
    assert [fault.path for fault in faults if fault.where == "web-1"] == [
        "docker", "curl", "flock", "/srv/shop", "/", "/var", "ghcr.io/acme/shop:v2",
        "/srv/shop/a", "/srv/shop/b",
    ]  # fmt: skip
    assert {fault.where for fault in faults} == {"web-1", "web-3"}


def test_one_image_of_many_services_is_told_once() -> None:
    assert len(told(replace(GOOD, arch="armv7l"), IMAGE, IMAGE)) == 1


def test_a_path_is_needed_where_its_service_runs() -> None:
    facts = replace(GOOD, absent_paths=("data", "Caddyfile"))
    bound = {
        "data": Bound(frozenset({"db"}), untracked=False),
        "Caddyfile": Bound(frozenset({"proxy", "web"}), untracked=True),
    }
    placements = {
        "web-1": Placement("web-1", (), ("proxy",), ("db",), own_proxy=False),
        "db-1": Placement("db-1", (), ("db",), ("proxy",), own_proxy=False),
    }
    faults = host_faults(
        "/srv/shop", {"web-1": facts, "db-1": facts}, [], bound=bound, placements=placements
    )
    assert [str(fault) for fault in faults] == [
        "web-1  /srv/shop/Caddyfile: is needed by the compose file; it is here, but git does not "
        "track it; git add Caddyfile, name it under files:, or make it there",
        "db-1  /srv/shop/data: is needed by the compose file, and nothing provides it; "
        "make it there, add it to git, or name it under files:",
    ]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("2.26.1-4", (2, 26, 1)),
        ("v2.40", (2, 40)),
        ("26.1.5+dfsg1", (26, 1, 5)),
        ("2.24.0-rc.1", (2, 24, 0)),
        ("dev", ()),
        ("", ()),
    ],
)
def test_version(text: str, numbers: tuple[int, ...]) -> None:
    assert version(text) == numbers

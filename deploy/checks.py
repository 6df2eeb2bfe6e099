"""What must be true of the hosts before a deploy: every fault at once, with its mend. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from deploy.errors import Fault

if TYPE_CHECKING:
    from deploy.bundle import Bound
    from deploy.compose.placement import Placement
    from deploy.facts import HostFacts
    from deploy.registry import Found

OLDEST_COMPOSE = (2, 24, 4)
"""The first with `!override` and a working `!reset` (docker/compose release notes, 2.24.4)."""

HASH_WITHOUT_DEPENDENCIES_FIXED = (2, 29, 3)
"""Since then `up --no-deps` no longer spoils the configuration hash (docker/compose#12069)."""

START_INTERVAL_KNOWN = (25,)
"""Docker Engine 25 (API 1.44) has `start_interval`; Compose refuses it before an older one."""

LEAST_FREE_KB = 1_048_576
"""1 GiB: an image of 300 MB takes about three times that while it is unpacked."""

LEAST_FREE_INODES = 20_000
"""A Node.js image has about 15,000 files."""

_PLATFORMS = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def version(text: str) -> tuple[int, ...]:
    """The numbers of a version: "2.26.1-4" → (2, 26, 1); empty where there are none."""
    match = re.match(r"v?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in match.group(1).split(".")) if match else ()


def host_faults(
    path: str,
    facts: Mapping[str, HostFacts],
    images: Iterable[Found] = (),
    bound: Mapping[str, Bound] | None = None,
    placements: Mapping[str, Placement] | None = None,
) -> list[Fault]:
    """What is wrong on each host, for a deploy of these images into the folder `path`.

    Args:
        path: the application's folder.
        facts: host → what is there.
        images: what the release runs.
        bound: who needs the paths that were looked for; without it, a path is needed everywhere.
        placements: host → what runs there; without it, everything does.
    """
    found = list(images)
    faults = []
    for host, one in facts.items():
        faults += _of_host(host, path, one, found)
        # One that is read for its lease or its database alone needs no path.
        here = None
        if placements:
            here = placements[host].services if host in placements else ()
        faults += _paths(host, path, one, bound or {}, here)
    return faults


def _paths(
    host: str,
    path: str,
    facts: HostFacts,
    bound: Mapping[str, Bound],
    services: tuple[str, ...] | None,
) -> Iterator[Fault]:
    for missing in facts.absent_paths:
        need = bound.get(missing)
        if need and services is not None and not need.services & {*services}:
            continue
        if need and need.untracked:
            message = "is needed by the compose file; it is here, but git does not track it"
            mend = f"git add {missing}, name it under files:, or make it there"
        else:
            message = "is needed by the compose file, and nothing provides it"
            mend = "make it there, add it to git, or name it under files:"
        yield Fault(host, f"{path}/{missing}", message, mend)


def _of_host(host: str, path: str, facts: HostFacts, images: list[Found]) -> list[Fault]:
    return [
        *_docker(host, facts),
        *_lost(host, facts),
        *(
            Fault(host, tool, "is not installed", f"apt-get install {_PACKAGES.get(tool, tool)}")
            for tool in facts.missing_tools
        ),
        *_folder(host, path, facts),
        *_disks(host, facts),
        *_platform(host, facts, images),
    ]


_PACKAGES = {"flock": "util-linux", "timeout": "coreutils", "diff": "diffutils", "cmp": "diffutils"}


def _docker(host: str, facts: HostFacts) -> list[Fault]:
    if facts.docker_problem == "missing":
        return [Fault(host, "docker", "is not installed", "install Docker Engine with Compose v2")]
    if "permission denied" in facts.docker_problem:
        return [
            Fault(
                host,
                "docker",
                f"{facts.user} may not use it",
                f"usermod -aG docker {facts.user}, then log in anew",
            )
        ]
    if facts.docker_problem:
        reason = facts.docker_problem.strip().splitlines()[-1]
        return [Fault(host, "docker", f"does not answer: {reason}", "systemctl start docker")]
    if facts.compose_problem:
        return [
            Fault(
                host,
                "docker compose",
                "there is no Compose v2",
                "apt-get install docker-compose-plugin",
            )
        ]
    if version(facts.compose) < OLDEST_COMPOSE:
        oldest = ".".join(map(str, OLDEST_COMPOSE))
        return [
            Fault(
                host,
                "docker compose",
                f"is {facts.compose}, and {oldest} is the oldest that can do it",
                "install a newer docker-compose-plugin",
            )
        ]
    return []


def _lost(host: str, facts: HostFacts) -> list[Fault]:
    if not facts.lost:
        return []
    ids = ", ".join(one[:12] for one in facts.lost)
    reason = f"lists what it has removed ({ids}), and Compose can start nothing beside that"
    return [Fault(host, "docker", reason, "systemctl restart docker")]


def _folder(host: str, path: str, facts: HostFacts) -> list[Fault]:
    if facts.writable:
        return []
    mend = f"as root there: install -d -o {facts.user} {path}"
    what = (
        "belongs to somebody else, or its file system is read-only"
        if facts.exists
        else "is not there, and cannot be made"
    )
    return [Fault(host, path, f"{what} (user {facts.user})", mend)]


def _disks(host: str, facts: HostFacts) -> list[Fault]:
    faults = []
    for disk in facts.disks:
        if disk.free_kb < LEAST_FREE_KB:
            free = f"{disk.free_kb // 1024} MB free"
            faults.append(
                Fault(
                    host, disk.mount, f"{free}, and a deploy needs 1 GB", "docker system prune -a"
                )
            )
        elif disk.free_inodes is not None and disk.free_inodes < LEAST_FREE_INODES:
            free = f"{disk.free_inodes} inodes free"
            faults.append(Fault(host, disk.mount, free, "docker system prune -a"))
    return faults


def _platform(host: str, facts: HostFacts, images: list[Found]) -> list[Fault]:
    wanted = f"linux/{_PLATFORMS.get(facts.arch, facts.arch)}"
    return [
        Fault(
            host,
            f"{image.repository}:{image.tag}",
            f"is for {', '.join(image.platforms)}, and this host is {wanted}",
            f"build it with --platform {wanted}",
        )
        for image in {image.ref: image for image in images}.values()
        if facts.arch and wanted not in image.platforms
    ]

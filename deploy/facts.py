"""What is: everything that a plan needs to know of the hosts, gathered in one exec for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.release import Release
from deploy.remote.script import Report


@dataclass(frozen=True)
class Container:
    """A container of the project; `slot` is blue, green, or empty where it has no alias.

    `ended_well` is one that had something to do, has done it (exit code 0), and is not to be
    started again.
    """

    id: str
    service: str
    state: str
    health: str
    restarts: int
    started: str
    image: str
    hash: str
    slot: str
    ended_well: bool = False

    @property
    def well(self) -> bool:
        """Does it run, and not say of itself that it is unhealthy?"""
        return self.state == "running" and self.health != "unhealthy"


@dataclass(frozen=True)
class Unfinished:
    """A roll that was cut off on a host: to which release, by which deploy, in which phase."""

    release: str
    deploy: str
    phase: str


@dataclass(frozen=True)
class Disk:
    """Room on the disk under a path: kilobytes and inodes."""

    path: str
    mount: str
    free_kb: int
    free_inodes: int | None


@dataclass(frozen=True)
class HostFacts:
    """One host as it is. Strings that could not be learned are empty; problems are sentences.

    `release` is the id of the release that plain `docker compose` reads there; `edited` names files
    that are no longer as that release has them; `hashes` are the configuration hashes that Compose
    computes for the promoted files; `live` names the slot of services whose flag is set; `fence`
    is the highest number of a lease that came there; `lost` are the ids of containers that its
    Docker lists and does not know.
    """

    user: str = ""
    arch: str = ""
    time: int = 0
    docker: str = ""
    docker_problem: str = ""
    compose: str = ""
    compose_problem: str = ""
    lost: tuple[str, ...] = ()
    missing_tools: tuple[str, ...] = ()
    writable: bool = True
    exists: bool = False
    disks: tuple[Disk, ...] = ()
    absent_paths: tuple[str, ...] = ()
    release: str = ""
    override_sum: str = ""
    env_sum: str = ""
    edited: tuple[str, ...] = ()
    unfinished: Unfinished | None = None
    fence: int = 0
    live: dict[str, str] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    containers: tuple[Container, ...] = ()
    releases: dict[str, Release] = field(default_factory=dict)
    journal: tuple[dict[str, Any], ...] = ()

    @property
    def before(self) -> str:
        """The release that the host is on once what was cut off there has come to its end.

        What was settling goes forward, whatever its files say yet; all else goes back.
        """
        if self.unfinished and self.unfinished.phase == "settling":
            return self.unfinished.release
        return self.release

    def live_slot(self, service: str) -> str:
        """The slot that the flag names."""
        return self.live.get(service, "blue")

    def of(self, service: str) -> list[Container]:
        """The containers of a service."""
        return [one for one in self.containers if one.service == service]


def read(lines: Iterable[str]) -> HostFacts:
    """Turn what `facts.sh` said into facts; lines that are no events are passed over."""
    report = Report()
    for line in lines:
        report.add(line)
    return understand(report)


def understand(report: Report) -> HostFacts:
    """Turn the events of `facts.sh` into facts."""
    host = report.last("host") or {}
    folder = report.last("folder") or {}
    docker = report.last("docker") or {}
    compose = report.last("compose") or {}
    override = report.last("override") or {}
    unfinished = report.last("unfinished")
    now = report.last("release_now") or {}
    return HostFacts(
        user=host.get("user", ""),
        arch=host.get("arch", ""),
        time=int(host.get("time", 0)),
        docker=docker.get("version", ""),
        docker_problem=docker.get("problem", ""),
        compose=compose.get("version", ""),
        compose_problem=compose.get("problem", ""),
        lost=tuple(event["id"] for event in report.all("lost")),
        missing_tools=tuple(event["tool"] for event in report.all("missing")),
        writable=folder.get("writable") == "yes",
        exists=folder.get("exists") == "yes",
        disks=_disks(report.all("disk")),
        absent_paths=tuple(event["path"] for event in report.all("absent")),
        release=now.get("id", ""),
        fence=int(now.get("fence") or 0),
        override_sum=override.get("sum", ""),
        env_sum=override.get("env", ""),
        edited=tuple(event["file"] for event in report.all("edited")),
        unfinished=Unfinished(unfinished["release"], unfinished["deploy"], unfinished["phase"])
        if unfinished
        else None,
        live={event["service"]: event["live"] for event in report.all("slot")},
        hashes={event["service"]: event["hash"] for event in report.all("hash")},
        containers=tuple(_container(event) for event in report.all("container")),
        releases=_releases(report.all("release")),
        journal=tuple(event["line"] for event in report.all("journal")),
    )


def _disks(events: list[dict[str, Any]]) -> tuple[Disk, ...]:
    by_mount: dict[str, Disk] = {}
    for event in events:
        inodes = str(event.get("free_inodes", ""))
        disk = Disk(
            event["path"],
            event["mount"],
            int(event["free_kb"]),
            int(inodes) if inodes.isdigit() else None,  # btrfs, for one, counts none
        )
        by_mount.setdefault(disk.mount, disk)
    return tuple(by_mount.values())


def _container(event: Mapping[str, Any]) -> Container:
    aliases = event.get("aliases") or []
    service = event["service"]
    slot = next((slot for slot in ("blue", "green") if f"{service}-{slot}" in aliases), "")
    return Container(
        id=event["id"],
        service=service,
        state=event["state"],
        health=event["health"],
        restarts=int(event["restarts"]),
        started=event["started"],
        image=event["image"],
        hash=event["hash"],
        slot=slot,
        ended_well=event["state"] == "exited"
        and event.get("exit") == 0
        and event.get("policy") in {"", "no"},
    )


def _releases(events: list[dict[str, Any]]) -> dict[str, Release]:
    found = {}
    for event in events:
        try:
            release = Release.from_dict(event["release"])
        except (ValueError, AttributeError):
            continue  # a newer Headway's, or no release: what runs is still seen in the containers
        found[release.id] = release
    return found

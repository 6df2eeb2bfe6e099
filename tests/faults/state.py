"""What is on a host in memory, and the smallest changes of it.

A change is a generator where it can be cut off for good at every `yield`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

FLOWING = "start-first"


@dataclass(frozen=True)
class Service:
    """A line of a release's file `roll`, or of `next`; `slot` is where its new containers go."""

    name: str
    order: str
    replicas: int
    slot: str = ""
    unchanged: bool = False


@dataclass
class Container:
    """It runs, and is well."""

    id: int
    service: str
    release: str
    slot: str = "none"

    @property
    def hash(self) -> str:
        return hash_of(self.release, self.service)


@dataclass(frozen=True)
class Next:
    """The file `next`."""

    release: str
    deploy: str
    verb: str
    phase: str
    services: tuple[Service, ...]


def hash_of(release: str, service: str) -> str:
    return f"{service} of {release}"


def other(slot: str) -> str:
    return "blue" if slot == "green" else "green"


@dataclass
class State:
    """One host. `looked` is called after everything that changes, with the host itself."""

    name: str
    looked: Callable[[Any], None]
    containers: list[Container] = field(default_factory=list)
    green: set[str] = field(default_factory=set)
    folder: dict[str, bytes] = field(default_factory=dict)
    releases: dict[str, dict[str, bytes]] = field(default_factory=dict)
    next: Next | None = None
    journal: list[str] = field(default_factory=list)
    records: dict[str, tuple[list[str], int | None]] = field(default_factory=dict)
    made: int = 0

    @property
    def current(self) -> str:
        found = re.search(r"^HEADWAY_RELEASE=(.*)$", self.folder.get(".env", b"").decode(), re.M)
        return found[1] if found else ""

    def live(self, service: str) -> str:
        return "green" if service in self.green else "blue"

    def of(self, service: str, slot: str | None = None) -> list[Container]:
        return [
            one
            for one in self.containers
            if one.service == service and (slot is None or one.slot == slot)
        ]

    def serving(self, service: str) -> set[str]:
        """The releases that a request can meet: the proxy goes by the flag, else to the other."""
        live = self.live(service)
        return {one.release for one in self.of(service, live) or self.of(service, other(live))}

    def rolled(self, release: str) -> list[Service]:
        rows = [line.split() for line in self.releases[release]["roll"].decode().splitlines()]
        return [Service(r[1], r[2], int(r[5])) for r in rows if r[0] == "service"]

    def others(self, release: str) -> list[str]:
        rows = [line.split() for line in self.releases[release]["roll"].decode().splitlines()]
        return [row[1] for row in rows if row[0] == "other"]

    def settled_on(self) -> str | None:
        """The release that the host is on with all it has; None when anything is half-way."""
        if self.next or not self.current:
            return None
        release = self.current
        kept = self.releases.get(release, {})
        if any(self.folder.get(name) != kept.get(name) for name in ("compose.yaml", "host.yaml")):
            return None
        for service in self.rolled(release):
            there = self.of(service.name)
            if [one.release for one in there] != [release] * service.replicas:
                return None
            if service.order == FLOWING and {one.slot for one in there} != {
                self.live(service.name)
            }:
                return None
        return release

    def _phase(self, phase: str) -> None:
        assert self.next
        self.next = replace(self.next, phase=phase)

    def _flip(self, service: str, slot: str) -> None:
        if slot == "green":
            self.green.add(service)
        else:
            self.green.discard(service)

    def _up(self, release: str, service: str, count: int) -> Iterator[None]:
        """Compose's `up --no-recreate --scale`: one container after the other."""
        while len(self.of(service)) < count:
            self.made += 1
            self.containers.append(Container(self.made, service, release))
            yield

    def _remove(self, gone: list[Container]) -> Iterator[None]:
        for one in gone:
            self.containers.remove(one)
            yield

    def _put(self, service: str, slot: str, joining: list[Container]) -> Iterator[None]:
        for one in joining:
            if one.slot == slot:
                continue
            one.slot = "none"
            yield
            one.slot = slot
            yield

    def _wanted(self) -> list[Service]:
        """The lines `service` of `next`."""
        assert self.next
        return [one for one in self.next.services if not one.unchanged]

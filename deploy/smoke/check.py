"""What would keep the smoke tests from being tried: told before a deploy, not in its middle."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from deploy.errors import Fault, HeadwayError, Unreachable
from deploy.remote.pool import each
from deploy.smoke import journeys
from deploy.smoke.browser import missing
from deploy.smoke.probes import probes_of
from deploy.smoke.way import answering, door

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.compose.file import ComposeFile
    from deploy.compose.placement import Placement
    from deploy.remote.host import Host
    from deploy.settings import Environment

_DIAL = 10.0
"""Seconds for a host to open a connection to itself."""


def in_the_way(
    environment: Environment,
    compose: ComposeFile,
    placements: dict[str, Placement],
    hosts: Mapping[str, Host],
) -> list[Fault]:
    """Return what a deploy would find out in its middle; all `hosts` can be reached."""
    return [
        *faults_of(environment, compose, placements),
        *unreachable(environment, compose, placements, hosts),
    ]


def unreachable(
    environment: Environment,
    compose: ComposeFile,
    placements: dict[str, Placement],
    hosts: Mapping[str, Host],
) -> list[Fault]:
    """Return a fault for each of `hosts` that lets nobody through to its proxy.

    All of them can be reached. A proxy that is not there yet is none: the first deploy brings it.
    """
    if environment.smoke is None:
        return []
    names = [name for name in answering(environment, placements) if name in hosts]

    def dial(host: Host) -> Fault | None:
        try:
            at = door(environment, compose, placements[host.name])
            host.dial(at.port, timeout=_DIAL).close()
        except Unreachable as error:
            return Fault(host.name, "smoke", error.reason, error.mend)
        except (HeadwayError, ConnectionError):
            return None
        return None

    found = each([hosts[name] for name in names], dial)
    return [one for one in found.values() if isinstance(one, Fault)]


def faults_of(
    environment: Environment, compose: ComposeFile, placements: dict[str, Placement]
) -> list[Fault]:
    """Return what is in the way of them; nothing where there are none."""
    if environment.smoke is None:
        return []
    faults = []
    hosts = answering(environment, placements)
    for host in hosts:
        try:
            door(environment, compose, placements[host])
        except HeadwayError as error:
            message = error.message.removeprefix(f"{host}: ")
            faults.append(Fault(host, "smoke", message, error.mend))
    where = environment.file.name
    folder = environment.smoke.journeys
    if folder:
        found = journeys.files(folder)
        if not found:
            faults.append(Fault(where, "smoke.journeys", f"there is none in {folder}"))
        for file in found:
            if wrong := journeys.wrong_with(file):
                faults.append(Fault(where, "smoke.journeys", f"{file.name} {wrong}"))
        if lacking := missing(os.environ):
            faults.append(Fault(where, "smoke.journeys", *lacking))
    if not hosts and any(probe.per_host for probe in probes_of(environment)):
        message = "there are probes for every host, and no host has a proxy that could be asked"
        faults.append(Fault(where, "smoke", message, "give them per_host: false"))
    return faults

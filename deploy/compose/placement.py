"""Which service of the compose file is on which host, and how it is rolled there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deploy.compose import fit
from deploy.compose.roles import is_dormant, is_rolled, one_shot_services
from deploy.errors import SettingsError

if TYPE_CHECKING:
    from deploy.compose.file import ComposeFile
    from deploy.settings import Environment

Order = Literal["one-shot", "start-first", "stop-first"]
HEADWAY_PROXY = "headway-proxy"
"""The name of Headway's own Caddy, where the compose file has no proxy."""


@dataclass(frozen=True)
class Rolled:
    """A service that runs the application's image on a host, and how it is replaced there.

    `drain` is in seconds. `probes` are paths that must answer 2xx or 3xx; `version` is a path and
    the JSON key there that must hold the release's tag.
    """

    name: str
    order: Order
    port: int | None
    drain: float
    replicas: int
    probes: tuple[str, ...] = ()
    version: tuple[str, str] | None = None

    @property
    def answers(self) -> bool:
        """Does a proxy send it requests by its slots?"""
        return self.port is not None and self.order == "start-first"


@dataclass(frozen=True)
class Placement:
    """What is on one host: rolled services in the order of the hosts file, others, and the rest."""

    host: str
    rolled: tuple[Rolled, ...]
    others: tuple[str, ...]
    absent: tuple[str, ...]
    own_proxy: bool

    @property
    def services(self) -> tuple[str, ...]:
        """Every service that runs on this host."""
        extra = (HEADWAY_PROXY,) if self.own_proxy else ()
        return (*(rolled.name for rolled in self.rolled), *self.others, *extra)


def place(
    environment: Environment, compose: ComposeFile, values: Mapping[str, str]
) -> dict[str, Placement]:
    """Return what is on each host, in the order of the hosts file.

    A tool that a profile of the team's own keeps asleep is nowhere: Headway leaves it alone.

    Args:
        environment: the settings.
        compose: the team's file.
        values: what its variables stand for on every host; a host's own `env:` wins over them.

    Raises:
        SettingsError: a service is named that the file lacks, or one cannot be placed or rolled.
    """
    faults = fit.faults(environment, compose, values)
    if faults:
        raise SettingsError(faults)
    placed = {}
    for host, entry in environment.hosts.items():
        here = {**values, **entry.env}
        placed[host] = _on(environment, compose, host, here)
        faults += fit.on_one_host(environment, compose, placed[host], here)
    if faults:
        raise SettingsError(list(dict.fromkeys(faults)))
    return placed


def _on(
    environment: Environment, compose: ComposeFile, host: str, values: Mapping[str, str]
) -> Placement:
    one_shots = one_shot_services(environment, compose)
    rolled: list[Rolled] = []
    others, absent = [], []
    for name in _in_order(environment, compose):
        if is_dormant(environment, compose, name, values):
            continue
        if not _is_on(environment, one_shots, name, host):
            absent.append(name)
        elif name in one_shots:
            rolled.append(Rolled(name, "one-shot", None, 0, 1))
        elif is_rolled(environment, name):
            rolled.append(_rolled(environment, compose, name, values))
        else:
            others.append(name)
    rolled.sort(key=lambda one: one.order != "one-shot")
    own = environment.proxy.kind == "caddy" and any(one.answers for one in rolled)
    return Placement(host, tuple(rolled), tuple(others), tuple(absent), own)


def _rolled(
    environment: Environment, compose: ComposeFile, name: str, values: Mapping[str, str]
) -> Rolled:
    service = environment.services[name]
    probes = tuple(dict.fromkeys([*([service.health] if service.health else []), *service.probes]))
    version = (service.version.path, service.version.json) if service.version else None
    return Rolled(
        name,
        service.effective,
        service.port,
        service.drain,
        compose.replicas(name, values),
        probes,
        version,
    )


def _in_order(environment: Environment, compose: ComposeFile) -> list[str]:
    named = [name for name in environment.services if name in compose.services]
    return named + [name for name in compose.services if name not in environment.services]


def _is_on(
    environment: Environment, one_shots: Mapping[str, list[str]], service: str, host: str
) -> bool:
    roles = environment.hosts[host].roles
    if service in environment.services:
        role = environment.services[service].role
        return role is None or role in roles
    if service in one_shots:
        return any(_is_on(environment, {}, waiting, host) for waiting in one_shots[service])
    if environment.database and service == environment.database.service:
        return environment.database.host is None or host == environment.database.host
    if service == environment.proxy.service:
        return any(
            one.port and (one.role is None or one.role in roles)
            for one in environment.services.values()
        )
    return True

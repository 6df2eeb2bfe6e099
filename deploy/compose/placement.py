"""Which service of the compose file is on which host, and how it is rolled there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deploy.errors import Fault, SettingsError

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

    Raises:
        SettingsError: a service is named that the file lacks, or one cannot be placed or rolled.
    """
    faults = _faults(environment, compose)
    if faults:
        raise SettingsError(faults)
    one_shots = one_shot_services(environment, compose)
    placed = {}
    for host, entry in environment.hosts.items():
        rolled, others, absent = [], [], []
        for name in _in_order(environment, compose):
            if not _is_on(environment, name, host, entry.roles):
                absent.append(name)
            elif is_rolled(environment, name) or name in one_shots:
                rolled.append(_rolled(environment, compose, name, one_shots, values))
            else:
                others.append(name)
        rolled.sort(key=lambda one: one.order != "one-shot")
        own = environment.proxy.kind == "caddy" and any(one.port for one in rolled)
        placed[host] = Placement(host, tuple(rolled), tuple(others), tuple(absent), own)
    return placed


def is_rolled(environment: Environment, service: str) -> bool:
    """Does a deploy replace this service? Those named under `services:`, unless they say no."""
    named = environment.services.get(service)
    return named is not None and named.rolled


def one_shot_services(environment: Environment, compose: ComposeFile) -> set[str]:
    """What a rolled service waits for until it has ended well, and that runs the same image."""
    return {
        needed
        for name in environment.services
        if is_rolled(environment, name) and name in compose.services
        for needed, condition in compose.dependencies(name).items()
        if condition == "service_completed_successfully" and needed in compose.services
    }


def _rolled(
    environment: Environment,
    compose: ComposeFile,
    name: str,
    one_shots: set[str],
    values: Mapping[str, str],
) -> Rolled:
    if name in one_shots:
        return Rolled(name, "one-shot", None, 0, 1)
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


def _is_on(environment: Environment, service: str, host: str, roles: list[str]) -> bool:
    if service in environment.services:
        role = environment.services[service].role
        return role is None or role in roles
    if environment.database and service == environment.database.service:
        return environment.database.host is None or host == environment.database.host
    if service == environment.proxy.service:
        return any(
            one.port and (one.role is None or one.role in roles)
            for one in environment.services.values()
        )
    return True


def _faults(environment: Environment, compose: ComposeFile) -> list[Fault]:
    where = f"hosts/{environment.name}.yaml"
    file = compose.path.name
    faults = []
    known = {*environment.services}
    for path, name in _named(environment):
        known.add(name)
        if name not in compose.services:
            have = ", ".join(compose.services)
            faults.append(Fault(where, path, f"{file} has no service {name}", f"it has {have}"))
    one_shots = one_shot_services(environment, compose)
    if len(environment.hosts) > 1:
        faults += [
            Fault(
                where,
                "services",
                f"{name} is in {file}, and nothing says on which hosts it runs",
                f"add services.{name}: {{role: …, rolled: false}}",
            )
            for name in compose.services
            if name not in known | one_shots
        ]
    for name, service in environment.services.items():
        if name not in compose.services or not is_rolled(environment, name):
            continue
        faults += _cannot_roll(compose, name, service.effective)
    return faults


def _named(environment: Environment) -> list[tuple[str, str]]:
    named = [(f"services.{name}", name) for name in environment.services]
    if environment.proxy.service:
        named.append(("proxy.service", environment.proxy.service))
    if environment.database and environment.database.service:
        named.append(("database.service", environment.database.service))
    return named


def _cannot_roll(compose: ComposeFile, name: str, order: Order) -> list[Fault]:
    """What makes it impossible for two containers of a service to run at once."""
    if order == "stop-first":
        return []
    file = compose.path.name
    body = compose.services[name]
    faults = []
    mend = f"or let it stop first: services.{name}.order: stop-first"
    if str(body.get("network_mode", "")) == "host":
        faults.append(
            Fault(
                file,
                f"services.{name}.network_mode",
                "is host, so two of them cannot run side by side",
                f"take it away, {mend}",
            )
        )
    networks = body.get("networks")
    for network, settings in networks.items() if isinstance(networks, dict) else ():
        if settings and ("ipv4_address" in settings or "ipv6_address" in settings):
            faults.append(
                Fault(
                    file,
                    f"services.{name}.networks.{network}",
                    "is a fixed address, so two of them cannot run side by side",
                    f"take it away, {mend}",
                )
            )
    return faults

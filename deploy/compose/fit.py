"""What keeps a compose file and a hosts file from fitting together: every fault at once. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from deploy.compose import ports
from deploy.compose.interpolate import interpolate, whole_variable
from deploy.compose.roles import is_dormant, is_rolled, one_shot_services
from deploy.errors import Fault

if TYPE_CHECKING:
    from deploy.compose.file import ComposeFile
    from deploy.compose.placement import Placement
    from deploy.settings import Environment

_SERVICE = re.compile(r"[a-zA-Z0-9._][a-zA-Z0-9._-]*")
_IMAGE = re.compile(r"(?:[^-\s\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*)?")

_SHARES = ("network_mode", "ipc", "pid")
"""Keys by which a service can live in another one's namespaces: `service:NAME`."""


def faults(
    environment: Environment, compose: ComposeFile, values: Mapping[str, str]
) -> list[Fault]:
    """Return what is wrong for any host: services that are not there, not placed, or can't roll.

    Args:
        environment: the settings.
        compose: the team's file.
        values: what its variables stand for.
    """
    found = [
        *_no_words(compose, values),
        *_absent(environment, compose),
        *_unplaced(environment, compose, values),
    ]
    one_shots = one_shot_services(environment, compose)
    for name, service in environment.services.items():
        if name in compose.services and is_rolled(environment, name) and name not in one_shots:
            if service.effective == "start-first":
                found += _cannot_overlap(environment, compose, name, values)
            found += _other_image(compose, name, values)
    found += _proxy(environment, compose)
    return found


def _no_words(compose: ComposeFile, values: Mapping[str, str]) -> Iterator[Fault]:
    """The hosts' scripts take the name of a service, and of its image, as one word of a line.

    Compose would refuse such names too, but only when it is asked to start them.
    """
    for name, body in compose.services.items():
        if not _SERVICE.fullmatch(name):
            message = "is no name of a service: a-z, A-Z, 0-9, ., _ and -, not - at first"
            yield Fault(compose.path.name, f"services.{name!r}", message)
        if "image" in body and not _IMAGE.fullmatch(interpolate(str(body["image"]), values)):
            message = "is no name of an image: it holds a blank, or begins with -"
            yield Fault(compose.path.name, f"services.{name}.image", message)


def _absent(environment: Environment, compose: ComposeFile) -> Iterator[Fault]:
    for path, name in named(environment):
        if name not in compose.services:
            have = ", ".join(compose.services)
            message = f"{compose.path.name} has no service {name}"
            yield Fault(_hosts_file(environment), path, message, f"it has {have}")


def named(environment: Environment) -> list[tuple[str, str]]:
    """(key of the hosts file, service) of every service that it names."""
    found = [(f"services.{name}", name) for name in environment.services]
    if environment.proxy.service:
        found.append(("proxy.service", environment.proxy.service))
    if environment.database and environment.database.service:
        found.append(("database.service", environment.database.service))
    return found


def _unplaced(
    environment: Environment, compose: ComposeFile, values: Mapping[str, str]
) -> Iterator[Fault]:
    one_shots = one_shot_services(environment, compose)
    known = {*one_shots, *(name for _, name in named(environment))}
    for name, body in compose.services.items():
        if is_dormant(environment, compose, name, values):
            continue
        if name not in known and len(environment.hosts) > 1:
            yield Fault(
                _hosts_file(environment),
                "services",
                f"{name} is in {compose.path.name}, and nothing says on which hosts it runs",
                f"add services.{name}: {{role: …, rolled: false}}",
            )
        elif not (body.get("image") or is_rolled(environment, name) or name in one_shots):
            yield Fault(
                compose.path.name,
                f"services.{name}",
                "has no image, and a host does not build",
                f"push its image and name it there, or roll it: services.{name}",
            )


def _cannot_overlap(
    environment: Environment, compose: ComposeFile, name: str, values: Mapping[str, str]
) -> Iterator[Fault]:
    """What makes it impossible for two containers of a service to run at once."""
    file, body = compose.path.name, compose.services[name]
    stop = f"or let it stop first: services.{name}.order: stop-first"
    mode = interpolate(str(body.get("network_mode") or ""), values)
    if mode in {"host", "none"} or mode.startswith(("service:", "container:")):
        what = "can be in a slot" if mode == "none" else "can run side by side"
        message = f"is {mode}, so no two of them {what}"
        yield Fault(file, f"services.{name}.network_mode", message, f"take it away, {stop}")
    networks = body.get("networks")
    for network, settings in networks.items() if isinstance(networks, dict) else ():
        if settings and ("ipv4_address" in settings or "ipv6_address" in settings):
            yield Fault(
                file,
                f"services.{name}.networks.{network}",
                "is a fixed address, so two of them cannot run side by side",
                f"take it away, {stop}",
            )
    service = environment.services[name]
    for entry in compose.ports(name):
        port = ports.read(entry, values)
        if not port.published:
            continue
        if port.protocol != "tcp" or not port.single or port.target != str(service.port):
            alone = f", and the proxy takes over {service.port} alone" if service.port else ""
            yield Fault(
                file,
                f"services.{name}.ports",
                f"{port}: only one container can hold it{alone}",
                f"take it away, {stop}",
            )
    volumes = compose.named_volumes(name)
    if volumes and service.order is None and compose.replicas(name, values) == 1:
        yield Fault(
            file,
            f"services.{name}.volumes",
            f"{', '.join(volumes)}: the old container and the new one would write to it at once",
            f"say services.{name}.order: start-first if they may, or stop-first",
        )


def _other_image(compose: ComposeFile, name: str, values: Mapping[str, str]) -> Iterator[Fault]:
    """What a service waits for until it has ended well runs with each release, and its image."""
    mine = _image(compose, name, values)
    for needed, condition in compose.dependencies(name).items():
        if condition == "service_completed_successfully" and needed in compose.services:
            image = _image(compose, needed, values)
            if image and mine and image != mine:
                yield Fault(
                    compose.path.name,
                    f"services.{needed}.image",
                    f"is not the image of {name}, which waits until {needed} has ended well",
                    "give it that image, or wait for it by another condition",
                )


def _image(compose: ComposeFile, name: str, values: Mapping[str, str]) -> str:
    text = str(compose.services[name].get("image") or "")
    return whole_variable(text) or interpolate(text, values)


def _proxy(environment: Environment, compose: ComposeFile) -> Iterator[Fault]:
    proxy = environment.proxy.service
    if proxy in compose.services and compose.services[proxy].get("network_mode"):
        yield Fault(
            compose.path.name,
            f"services.{proxy}.network_mode",
            "keeps it out of the network in which it finds the slots",
            "take it away, and publish its ports",
        )


def on_one_host(
    environment: Environment, compose: ComposeFile, placement: Placement, values: Mapping[str, str]
) -> list[Fault]:
    """Return what is wrong with what was placed on one host, where `values` hold."""
    found = list(_own_caddy(environment, compose, placement, values))
    for name in (*(one.name for one in placement.rolled), *placement.others):
        found += _shares(compose, name, placement.others)
    return found


def _own_caddy(
    environment: Environment, compose: ComposeFile, placement: Placement, values: Mapping[str, str]
) -> Iterator[Fault]:
    if not placement.own_proxy:
        return
    answering = [(one.name, one.port) for one in placement.rolled if one.answers]
    holders: dict[int | None, str] = {}
    for name, port in answering:
        if not any(ports.read(entry, values).published for entry in compose.ports(name)):
            continue
        if port in holders:
            yield Fault(
                _hosts_file(environment),
                f"services.{name}.port",
                f"is {port}, as {holders[port]}'s, and Headway's Caddy answers there for one",
                "let one of them answer on another port, or name a proxy of your own",
            )
        holders[port] = name
    if not holders:
        name, port = answering[0]
        yield Fault(
            compose.path.name,
            f"services.{name}.ports",
            "publishes none, so Headway's Caddy would answer nowhere",
            f'publish one ("80:{port}"), or name a proxy of your own: '
            "proxy: {kind: own-caddy, service: NAME}",
        )


def _shares(compose: ComposeFile, name: str, others: tuple[str, ...]) -> Iterator[Fault]:
    """A namespace of another service's container is gone when that is replaced, or elsewhere."""
    body = compose.services[name]
    needs = [(key, str(body.get(key) or "")) for key in _SHARES]
    needs += [("volumes_from", f"service:{one}") for one in body.get("volumes_from") or []]
    for key, value in needs:
        kind, _, target = value.partition(":")
        target = target.split(":", 1)[0]
        if kind == "service" and target != "container" and target not in others:
            yield Fault(
                compose.path.name,
                f"services.{name}.{key}",
                f"needs a container of {target}, which is rolled or runs elsewhere",
                "take it away",
            )


def _hosts_file(environment: Environment) -> str:
    return f"hosts/{environment.name}.yaml"

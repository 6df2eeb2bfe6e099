"""What Headway lays over the team's compose file on one host (`.headway/host.yaml`). Pure.

Plain `docker compose` on the host reads it too (`COMPOSE_FILE` in the host's `.env`), so what a
person types there means what Headway did. The tags `!reset` and `!override` need Compose 2.24.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from deploy.compose import document, ports
from deploy.compose.carried import Carrier
from deploy.compose.document import Tagged
from deploy.compose.interpolate import variables
from deploy.compose.placement import HEADWAY_PROXY, Placement, Rolled
from deploy.compose.roles import is_rolled

if TYPE_CHECKING:
    from deploy.compose.file import ComposeFile
    from deploy.settings import Environment

ELSEWHERE = "on-another-host"
"""The profile of services that this host does not run; nobody ever names it."""

_SLOTS = "headway-slots"
_CADDY_DATA = "headway-caddy"


def slots_network(environment: Environment) -> str:
    """The network on which the proxy finds the slots; Headway's own, made on each host."""
    return f"{environment.app}-slots"


def override(
    environment: Environment,
    compose: ComposeFile,
    placement: Placement,
    images: Mapping[str, str],
    release: str,
    shipped: Iterable[str],
    *,
    start_interval: bool = True,
) -> str:
    """Return the YAML that makes the team's file right for one host and one release.

    Args:
        environment: the settings.
        compose: the team's file.
        placement: what is on this host.
        images: service → image by digest, of every service that runs the application's image.
        release: the release's id: what a rolled service binds comes out of its folder.
        shipped: the paths that go with the release.
        start_interval: does the host's engine know it? Docker Engine does from 25 on.
    """
    carrier = Carrier(compose, environment.env, release, frozenset(shipped))
    services: dict[str, Any] = {}
    for name in placement.absent:
        services[name] = {"profiles": Tagged("!override", [ELSEWHERE])}
    for rolled in placement.rolled:
        services[rolled.name] = {
            **({"image": images[rolled.name]} if rolled.name in images else {}),
            **carrier.keys(rolled.name),
            **(_side_by_side() if rolled.order == "start-first" else {}),
        }
        if start_interval:
            services[rolled.name] |= _checked_at_once(compose, rolled.name)
    for name in (*(rolled.name for rolled in placement.rolled), *placement.others):
        body = services.setdefault(name, {})
        body |= _dependencies(compose, placement, name)
        if compose.profiles(name):
            # It runs here: plain `docker compose` has to see it, without a profile being named.
            body["profiles"] = Tagged("!reset", [])
    for name in placement.others:
        services[name] |= _steady(environment, compose, name)
    top: dict[str, Any] = carrier.top([rolled.name for rolled in placement.rolled])
    proxy = environment.proxy.service
    if placement.own_proxy:
        services[HEADWAY_PROXY] = _own_caddy(environment, compose, placement)
    elif proxy in placement.others:
        services[proxy] |= _joins(compose, proxy)
    if placement.own_proxy or proxy in placement.others:
        top["networks"] = {_SLOTS: {"name": slots_network(environment), "external": True}}
    if placement.own_proxy:
        top["volumes"] = {_CADDY_DATA: {}}
    whole = {"services": {name: keys for name, keys in services.items() if keys}, **top}
    head = f"# Written by Headway for {placement.host}; the next deploy writes it anew.\n"
    return head + document.write(whole)


def _steady(environment: Environment, compose: ComposeFile, name: str) -> dict[str, Any]:
    """Keep out of a service that is not rolled what `.env` has anew with each release.

    With `env_file: .env` it would get the release's id and its image, and be another service to
    Compose after each deploy: the next `docker compose up -d` would start a database anew.
    """
    if all(one.path != ".env" for one in compose.env_files(name, environment.env)):
        return {}
    own = compose.services[name].get("environment") or {}
    given = {*environment.env, *environment.secrets}
    given |= {str(one).partition("=")[0] for one in own}
    images = [
        variable
        for service, body in compose.services.items()
        if is_rolled(environment, service)
        for variable in variables(str(body.get("image") or ""))
    ]
    anew = dict.fromkeys(["HEADWAY_RELEASE", *images], "")
    return {"environment": {key: "" for key in anew if key not in given}}


def _checked_at_once(compose: ComposeFile, name: str) -> dict[str, Any]:
    """Ask a new container every second whether it is healthy, until it first is.

    Docker asks for the first time after a whole `interval`, 30 s by default, and a roll or a
    rollback would wait that long on each host. What the file says of its start is left as it is. A
    start period counts no failure and ends with the first success: 60 s is the default of
    `healthy_deadline`, and less than the three checks that otherwise make a container unhealthy.
    """
    own = compose.services[name].get("healthcheck")
    if not isinstance(own, dict) or "start_interval" in own or own.get("disable"):
        return {}
    if own.get("test") in (None, "NONE", ["NONE"]):
        return {}
    start = {"start_period": own.get("start_period", "60s"), "start_interval": "1s"}
    return {"healthcheck": start}


def _side_by_side() -> dict[str, Any]:
    """Two containers of one service can share neither a name nor a published port."""
    return {"container_name": Tagged("!reset", None), "ports": Tagged("!reset", [])}


def _dependencies(compose: ComposeFile, placement: Placement, name: str) -> dict[str, Any]:
    """Leave only what runs here and is not rolled.

    Headway itself orders what it rolls, and Compose, told to start one service, must never touch
    the containers of another.
    """
    before = compose.dependencies(name)
    after = {needed: how for needed, how in before.items() if needed in placement.others}
    keys = {}
    if after != before:
        raw = compose.services[name]["depends_on"]
        kept = {
            needed: raw[needed] if isinstance(raw, dict) else {"condition": how}
            for needed, how in after.items()
        }
        keys["depends_on"] = Tagged("!override", kept) if kept else Tagged("!reset", {})
    links = compose.links(name)
    linked = [written for written, needed in links if needed in placement.others]
    if len(linked) != len(links):
        keys["links"] = Tagged("!override", linked) if linked else Tagged("!reset", [])
    return keys


def _joins(compose: ComposeFile, proxy: str) -> dict[str, Any]:
    """The team's proxy sees the slots, their flags, and Headway's snippet."""
    own = compose.services[proxy].get("networks")
    networks: dict[str, Any] = {_SLOTS: {}}
    if not own:
        networks = {"default": {}, **networks}
    return {
        "networks": networks,
        "volumes": ["./slots:/slots:ro", "./.headway/proxy:/etc/headway:ro"],
    }


def _own_caddy(
    environment: Environment, compose: ComposeFile, placement: Placement
) -> dict[str, Any]:
    return {
        "image": environment.proxy.image,
        "command": ["caddy", "run", "--config", "/etc/headway/Caddyfile", "--adapter", "caddyfile"],
        "restart": "unless-stopped",
        "ports": [
            entry
            for rolled in placement.rolled
            if rolled.answers
            for entry in compose.ports(rolled.name)
            if ports.read(entry).published
        ],
        "networks": {"default": {}, _SLOTS: {}},
        "volumes": [
            "./slots:/slots:ro",
            "./.headway/proxy:/etc/headway:ro",
            f"{_CADDY_DATA}:/data",
        ],
    }


def published(rolled: Rolled, compose: ComposeFile) -> list[tuple[str, str]]:
    """The (published, container) ports of a service that answers, as text.

    A published port may still be a variable. Behind each of them is the service's own port:
    `place` refuses any other.
    """
    return [
        (port.published, str(rolled.port))
        for entry in compose.ports(rolled.name)
        if (port := ports.read(entry)).published
    ]

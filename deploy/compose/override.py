"""What Headway lays over the team's compose file on one host (`.headway/host.yaml`). Pure.

Plain `docker compose` on the host reads it too (`COMPOSE_FILE` in the host's `.env`), so what a
person types there means what Headway did. The tags `!reset` and `!override` need Compose 2.24.4.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from deploy.compose.placement import HEADWAY_PROXY, Placement, Rolled

if TYPE_CHECKING:
    from deploy.compose.file import ComposeFile
    from deploy.settings import Environment

ELSEWHERE = "on-another-host"
"""The profile of services that this host does not run; nobody ever names it."""

_SLOTS = "headway-slots"
_CADDY_DATA = "headway-caddy"


@dataclass(frozen=True)
class _Tagged:
    tag: str
    value: Any


class _Dumper(yaml.SafeDumper):
    """Writes `!reset` and `!override`."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out: an anchor would only be in a reader's way."""
        return True


def _represent(dumper: _Dumper, data: _Tagged) -> yaml.Node:
    node = dumper.represent_data(data.value)
    node.tag = data.tag
    return node


_Dumper.add_representer(_Tagged, _represent)


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
) -> str:
    """Return the YAML that makes the team's file right for one host and one release.

    Args:
        environment: the settings.
        compose: the team's file.
        placement: what is on this host.
        images: service → image by digest, of every service that runs the application's image.
        release: the release's id: what a rolled service binds comes out of its folder.
        shipped: the paths that go with the release.
    """
    folder = f"./.headway/releases/{release}"
    carried = frozenset(shipped)
    services: dict[str, Any] = {}
    for name in placement.absent:
        services[name] = {"profiles": _Tagged("!override", [ELSEWHERE])}
    for rolled in placement.rolled:
        services[rolled.name] = {
            **({"image": images[rolled.name]} if rolled.name in images else {}),
            **_paths(compose, rolled.name, folder, carried),
            **(_side_by_side() if rolled.order == "start-first" else {}),
        }
    for name in (*(rolled.name for rolled in placement.rolled), *placement.others):
        services.setdefault(name, {}).update(_dependencies(compose, placement, name))
    top: dict[str, Any] = {}
    proxy = environment.proxy.service
    if placement.own_proxy:
        services[HEADWAY_PROXY] = _own_caddy(environment, compose, placement)
    elif proxy in placement.others:
        services[proxy] |= _joins(compose, proxy)
    if placement.own_proxy or proxy in placement.others:
        top["networks"] = {_SLOTS: {"name": slots_network(environment), "external": True}}
    if placement.own_proxy:
        top["volumes"] = {_CADDY_DATA: {}}
    for kind, name, path in compose.named_files():
        if path in carried:
            top.setdefault(kind, {})[name] = {"file": f"{folder}/beside/{path}"}
    body = {"services": {name: keys for name, keys in services.items() if keys}, **top}
    text = yaml.dump(body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=200)
    return f"# Written by Headway for {placement.host}; the next deploy writes it anew.\n{text}"


def _side_by_side() -> dict[str, Any]:
    """Two containers of one service can share neither a name nor a published port."""
    return {"container_name": _Tagged("!reset", None), "ports": _Tagged("!reset", [])}


def _paths(compose: ComposeFile, name: str, folder: str, carried: frozenset[str]) -> dict[str, Any]:
    """Let a rolled service bind and read its release's own copies.

    The old containers keep theirs until they are gone.
    """
    keys: dict[str, Any] = {}
    entries = compose.env_files(name)
    if any(_in_release(entry, carried) for entry in entries):
        keys["env_file"] = _Tagged(
            "!override",
            [
                f"{folder}/{'.env' if _is_dotenv(entry) else 'beside/' + posixpath.normpath(entry)}"
                if _in_release(entry, carried)
                else entry
                for entry in entries
            ],
        )
    binds = {index: path for index, path in compose.binds(name) if path in carried}
    if binds:
        volumes = []
        for index, volume in enumerate(compose.services[name]["volumes"]):
            source = f"{folder}/beside/{binds[index]}" if index in binds else None
            if source is None:
                volumes.append(volume)
            elif isinstance(volume, dict):
                volumes.append({**volume, "source": source})
            else:
                volumes.append(":".join([source, *str(volume).split(":")[1:]]))
        keys["volumes"] = _Tagged("!override", volumes)
    return keys


def _is_dotenv(path: str) -> bool:
    return posixpath.normpath(path) == ".env"


def _in_release(path: str, carried: frozenset[str]) -> bool:
    return _is_dotenv(path) or posixpath.normpath(path) in carried


def _dependencies(compose: ComposeFile, placement: Placement, name: str) -> dict[str, Any]:
    """Leave only what runs here and is not rolled.

    Headway itself orders what it rolls, and Compose, told to start one service, must never touch
    the containers of another.
    """
    before = compose.dependencies(name)
    after = {needed: how for needed, how in before.items() if needed in placement.others}
    if after == before:
        return {}
    raw = compose.services[name]["depends_on"]
    kept = {
        needed: raw[needed] if isinstance(raw, dict) else {"condition": how}
        for needed, how in after.items()
    }
    return {"depends_on": _Tagged("!override", kept) if kept else _Tagged("!reset", {})}


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
    ports = [
        port
        for rolled in placement.rolled
        if rolled.order == "start-first" and rolled.port
        for port in compose.ports(rolled.name)
    ]
    return {
        "image": environment.proxy.image,
        "command": ["caddy", "run", "--config", "/etc/headway/Caddyfile", "--adapter", "caddyfile"],
        "restart": "unless-stopped",
        "ports": ports,
        "networks": {"default": {}, _SLOTS: {}},
        "volumes": [
            "./slots:/slots:ro",
            "./.headway/proxy:/etc/headway:ro",
            f"{_CADDY_DATA}:/data",
        ],
    }


def published(rolled: Rolled, compose: ComposeFile) -> list[tuple[str, str]]:
    """The (published, container) ports of a service, as text; others are left out."""
    pairs = []
    for port in compose.ports(rolled.name):
        if isinstance(port, dict):
            if port.get("published"):
                pairs.append((str(port["published"]), str(port.get("target", ""))))
            continue
        parts = str(port).split("/", 1)[0].rsplit(":", 2)
        if len(parts) > 1:
            pairs.append((parts[-2], parts[-1]))
    return pairs

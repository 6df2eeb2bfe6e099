"""How the site is reached: by its own address, or through the proxy of one host."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deploy.bundle import OF_EACH_HOST, given_values
from deploy.compose import ports
from deploy.errors import HeadwayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.compose.file import ComposeFile
    from deploy.compose.placement import Placement
    from deploy.remote.tunnel import Tunnel
    from deploy.settings import Environment


@dataclass(frozen=True)
class Door:
    """Where a host's proxy listens on that host, and whether it speaks TLS there."""

    port: int
    tls: bool


@dataclass(frozen=True)
class Way:
    """To the site at `url`, without a slash at its end; with a tunnel, to the door of a host."""

    url: str
    host: str = ""
    tunnel: Tunnel | None = None
    tls: bool = False

    @property
    def site(self) -> str:
        """The site's own name, with its port if the address has one."""
        return urlsplit(self.url).netloc

    @property
    def name(self) -> str:
        """The same without a port."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The site's port."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def encrypted(self) -> bool:
        """Does what answers here have a certificate?"""
        return self.tls if self.tunnel else self.url.startswith("https:")

    def address(self, path: str) -> str:
        """The URL of a path, as it is asked from here."""
        if self.tunnel is None:
            return self.url + path
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self.tunnel.port}{urlsplit(self.url).path}{path}"


def answering(environment: Environment, placements: dict[str, Placement]) -> list[str]:
    """The hosts that have a proxy and a service that answers behind it, in their order."""
    proxy = environment.proxy.service
    return [
        name
        for name, place in placements.items()
        if (place.own_proxy or proxy in place.others) and any(one.answers for one in place.rolled)
    ]


def door(environment: Environment, compose: ComposeFile, placement: Placement) -> Door:
    """Where the proxy of a host listens: what its service, or the one it stands for, publishes.

    Raises:
        HeadwayError: it publishes no port that is known beforehand.
    """
    host = placement.host
    values = given_values(environment) | environment.hosts[host].env | {OF_EACH_HOST: host}
    own = environment.proxy.service
    services = [own] if own else [one.name for one in placement.rolled if one.answers]
    found = [ports.read(entry, values) for service in services for entry in compose.ports(service)]
    numbers = {port.target: int(port.published) for port in found if port.published.isdigit()}
    if own and "443" in numbers and (environment.url or "").startswith("https:"):
        return Door(numbers["443"], tls=True)
    if not numbers:
        raise HeadwayError(
            f"{host}: the proxy publishes no port in the compose file, so it can't be asked there",
            mend=f"publish one: {_first(services)} needs ports: with a number, such as 80:80",
        )
    return Door(numbers.get("80", next(iter(numbers.values()))), tls=False)


def doors(
    environment: Environment, compose: ComposeFile, placements: dict[str, Placement]
) -> list[int]:
    """The ports on which the hosts' proxies listen, as far as they are known, each once."""
    found = set()
    for host in answering(environment, placements):
        with contextlib.suppress(HeadwayError):  # check names those
            found.add(door(environment, compose, placements[host]).port)
    return sorted(found)


def _first(services: Sequence[str]) -> str:
    return services[0] if services else "the proxy"

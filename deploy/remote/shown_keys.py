"""Which host keys the servers show, and whether they are pinned: to be compared by a person.

Nothing here is trusted by being asked: whoever answers in a host's place shows a key of their own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from deploy.errors import HeadwayError, Refused
from deploy.remote.known_hosts import PinRefused, Pins, known_hosts_name
from deploy.remote.link import ask_keys, hops_to
from deploy.remote.pool import each

if TYPE_CHECKING:
    from pathlib import Path

    import paramiko

    from deploy.remote.ssh import SSHHost

Standing = Literal["pinned", "unknown", "changed", "spare"]


@dataclass(frozen=True)
class Shown:
    """One key that a server shows.

    `line` is the one for known_hosts. `standing`: it is pinned; nothing is pinned for this server;
    something else is; or it is not, and another key of this server is, which is enough.
    """

    type: str
    fingerprint: str
    line: str
    standing: Standing


@dataclass(frozen=True)
class Server:
    """A host, or a gateway, and the keys that it shows, one of each kind.

    `pinned` are the fingerprints in known_hosts. `fault` says why it could not be asked.
    """

    host: str
    address: str
    port: int
    keys: tuple[Shown, ...] = ()
    pinned: tuple[str, ...] = ()
    fault: str = ""

    @property
    def ready(self) -> bool:
        """Whether a deploy will find this server's key pinned."""
        standings = {key.standing for key in self.keys}
        return "pinned" in standings and "changed" not in standings


def ask_all(hosts: Iterable[SSHHost]) -> list[Server]:
    """Ask every gateway and every host for its keys; nothing is written, and nothing trusted.

    A host behind a gateway can be asked only if the gateway's key is pinned and it lets us in.

    Raises:
        Refused: the pinned keys can't be read.
    """
    order = list(hosts)
    pins = {host.name: _pins(host.login.known_hosts) for host in order}
    gateways: dict[tuple[tuple[str, int], ...], Server] = {}
    for host in order:
        with contextlib.suppress(HeadwayError):  # said where the host itself is asked
            hops = hops_to(host.name, host.target, host.login, host.gateway)
            for depth in range(1, len(hops)):
                way = tuple((hop.host, hop.port) for hop in hops[:depth])
                if way not in gateways:
                    gateways[way] = _ask("gateway", host, depth, pins[host.name])
    found = each(order, lambda host: _ask(host.name, host, None, pins[host.name]))
    return [*gateways.values(), *(one for one in found.values() if isinstance(one, Server))]


def _ask(name: str, host: SSHHost, depth: int | None, pins: Pins) -> Server:
    """Ask the last of the first `depth` hops on the way to a host; None: the host itself."""
    try:
        hops = hops_to(host.name, host.target, host.login, host.gateway)[:depth]
    except HeadwayError as error:
        return Server(name, host.target.address, host.target.port or 22, fault=str(error))
    server = Server(name, hops[-1].host, hops[-1].port)
    known_as = known_hosts_name(server.address, server.port)
    pinned = pins.of(known_as)
    try:
        keys = judged(ask_keys(name, hops, host.login), pinned, known_as)
    except HeadwayError as error:
        return replace(server, fault=str(error))
    return replace(server, keys=keys, pinned=tuple(key.fingerprint for key in pinned))


def judged(
    keys: Sequence[paramiko.PKey], pinned: Sequence[paramiko.PKey], known_as: str
) -> tuple[Shown, ...]:
    """Hold the keys that a server shows against those that are pinned for it.

    Args:
        keys: what it shows.
        pinned: what known_hosts has for it.
        known_as: its name there, as `known_hosts_name` gives it.
    """
    known = {pin.asbytes() for pin in pinned}
    types = {pin.get_name() for pin in pinned}
    some = any(key.asbytes() in known for key in keys)

    def standing(key: paramiko.PKey) -> Standing:
        if key.asbytes() in known:
            return "pinned"
        if not pinned:
            return "unknown"
        return "spare" if some and key.get_name() not in types else "changed"

    return tuple(
        Shown(
            key.get_name(),
            key.fingerprint,
            f"{known_as} {key.get_name()} {key.get_base64()}",
            standing(key),
        )
        for key in keys
    )


def _pins(path: Path) -> Pins:
    """Those of a file; none if there is no file yet, which is where everybody begins."""
    if not path.expanduser().exists():
        return Pins(path, ())
    try:
        return Pins.read(path)
    except PinRefused as error:
        raise Refused(error.reason, mend=error.mend) from error

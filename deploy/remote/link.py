"""One authenticated connection to a host, through its gateway if it has one.

Fabric makes the connection; what it leaves open is closed here: host keys are pinned for every
hop, TCP_NODELAY is set (it makes a command five times as fast), every stage has a time-out, and
only the credentials that were named are used.
"""

from __future__ import annotations

import functools
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any, TypeVar

import fabric
import paramiko

from deploy.errors import HostError, KeyRefused, Unreachable
from deploy.remote.known_hosts import PinnedKeys, PinRefused, Pins, known_hosts_name
from deploy.remote.wire import Pulse, Wire

# Without a handler, paramiko's tracebacks of a lost connection go to standard error.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

TRIES = 3
LONG_TRY = 5.0
"""A try that took longer than this many seconds is not repeated: it has waited already."""

KINDS = (
    ("ssh-ed25519",),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    ("rsa-sha2-512", "rsa-sha2-256"),
)
"""The kinds of host keys, each with its signature algorithms; a server has one key of a kind."""

# From the tenth unauthenticated connection on, sshd drops new ones at random (MaxStartups).
_handshakes = threading.BoundedSemaphore(8)

T = TypeVar("T")


@dataclass(frozen=True)
class Endpoint:
    """Where an SSH server is and whom to log in as; None: the default, or what the config says."""

    address: str
    port: int | None = None
    user: str | None = None


@dataclass(frozen=True)
class Login:
    """How to authenticate, and what is believed of the other end.

    Without a `key`, the agent's keys and those in ~/.ssh are tried, as `ssh` does. `use_config`
    reads ~/.ssh/config. In seconds, `connect_timeout` is for TCP, `handshake_timeout` for each of:
    banner, key exchange, authentication, opening a channel.
    """

    key: paramiko.PKey | None
    known_hosts: Path
    connect_timeout: float
    use_config: bool = False
    handshake_timeout: float = 15.0


class Link:
    """One open connection, and those to the gateways under it."""

    def __init__(self, name: str, connection: fabric.Connection, wire: Wire, via: Link | None):
        self.connection = connection
        self.transport: paramiko.Transport = connection.transport
        self._wire = wire
        self._via = via
        self._pulse = Pulse(name, self.transport)
        wire.arm()

    @property
    def alive(self) -> bool:
        """Whether commands can be sent, as far as is known."""
        return self.transport.is_active()

    def lost(self) -> bool:
        """Return whether the connection is gone, giving paramiko a moment to notice it."""
        # Its thread closes the channels first, and marks the transport a little later.
        if self.alive:
            self.transport.join(0.3)
        return not self.alive

    def why(self) -> str:
        """Return in words why a lost connection is gone."""
        link: Link | None = self
        while link is not None:
            if link._wire.silent:
                return "the host has not answered for 8 s"
            link = link._via
        return "the connection was cut"

    def close(self) -> None:
        """Close it, and the gateway's; closing twice is harmless."""
        self._pulse.end()
        self.connection.client.close()
        if self._via is not None:
            self._via.close()


def open_link(name: str, target: Endpoint, login: Login, gateway: Endpoint | None = None) -> Link:
    """Connect and authenticate; only what a second try can change is tried again.

    Raises:
        Unreachable: no connection, with the reason.
        KeyRefused: the host's key, or the gateway's, is not the pinned one.
    """
    hops = hops_to(name, target, login, gateway)
    return _persistently(lambda: _open(name, hops, login, hops[-1]))


def _persistently(connect: Callable[[], T]) -> T:
    """Return what `connect` returns; what a second try can change is tried again."""
    for left in reversed(range(TRIES)):
        started = time.monotonic()
        try:
            return connect()
        except _Broken as broken:
            if not left or not broken.again or time.monotonic() - started > LONG_TRY:
                raise broken.problem from broken.__cause__
        # Jitter, so that forty hosts that were dropped together don't come back together.
        time.sleep(SystemRandom().uniform(0.1, 0.4) * (TRIES - left))
    raise AssertionError("unreachable: the last try returns or raises")


def ask_keys(name: str, hops: list[fabric.Connection], login: Login) -> list[paramiko.PKey]:
    """Return the keys that the last of `hops` shows, one of each kind that it has.

    One handshake for each of `KINDS`, and no authentication. The hops before it are connected to
    as always: each must show a pinned key, and lets us in.

    Raises:
        Unreachable: it can't be asked, with the reason.
        KeyRefused: a gateway's key is not the pinned one.
    """
    *gateways, last = hops
    via = _persistently(lambda: _open(name, gateways, login, last)) if gateways else None

    def shown(kind: tuple[str, ...]) -> paramiko.PKey | None:
        try:
            return _shown(last, login, via, kind)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise _explained(name, _where(last, via), last.user, login, error) from error

    try:
        found = [_persistently(functools.partial(shown, kind)) for kind in KINDS]
    finally:
        if via is not None:
            via.close()
    return [key for key in found if key is not None]


def _shown(
    hop: fabric.Connection, login: Login, via: Link | None, kind: tuple[str, ...]
) -> paramiko.PKey | None:
    with _handshakes:
        transport = paramiko.Transport(_dial(hop, login, via))
        try:
            transport.get_security_options().key_types = kind
            transport.start_client(timeout=login.handshake_timeout)
            return transport.get_remote_server_key()
        except paramiko.ssh_exception.IncompatiblePeer as error:
            if "host key" in str(error):
                return None
            raise
        finally:
            transport.close()


class _Broken(Exception):
    def __init__(self, problem: HostError, *, again: bool) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.again = again


def hops_to(
    name: str, target: Endpoint, login: Login, gateway: Endpoint | None
) -> list[fabric.Connection]:
    """Return the connections to open one through the other, the host's own last; none is open.

    Raises:
        Unreachable: ~/.ssh/config, which was to be read, says what can't be done.
    """
    try:
        return _hops(target, login, gateway)
    except (KeyError, ValueError, paramiko.SSHException, OSError) as error:
        raise Unreachable(
            name,
            f"~/.ssh/config can't be used for {target.address} ({error})",
            mend="say `config: false` under `ssh:`, and name user, port and gateway there",
        ) from error


def _hops(target: Endpoint, login: Login, gateway: Endpoint | None) -> list[fabric.Connection]:
    def connection(end: Endpoint) -> fabric.Connection:
        config = fabric.Config(lazy=True, overrides={"load_ssh_configs": login.use_config})
        if login.use_config:
            config.load_ssh_config()
        # The dictionary is changed by Fabric, so each connection has its own.
        return fabric.Connection(
            end.address,
            user=end.user,
            port=end.port,
            config=config,
            connect_kwargs=_credentials(login),
        )

    hops = [connection(target)]
    if gateway is not None:
        hops[0].gateway = connection(gateway)
    while hops[0].gateway:
        if isinstance(hops[0].gateway, str):
            raise ValueError("ProxyCommand is not supported, ProxyJump is")
        hops.insert(0, hops[0].gateway)
    for hop in hops:
        # From here on each hop is opened by hand, over the socket that we give it.
        hop.gateway = None
        hop.connect_timeout = login.handshake_timeout
        hop.connect_kwargs.update(_credentials(login))
    return hops


def _credentials(login: Login) -> dict[str, Any]:
    named = login.key is not None
    return {
        "pkey": login.key,
        "allow_agent": not named,
        "look_for_keys": not named,
        "banner_timeout": login.handshake_timeout,
        "auth_timeout": login.handshake_timeout,
        "channel_timeout": login.handshake_timeout,
    }


def _open(name: str, hops: list[fabric.Connection], login: Login, last: fabric.Connection) -> Link:
    """Open `hops` one through the other; all but `last` are gateways."""
    link: Link | None = None
    for hop in hops:
        via = link
        try:
            link = _open_hop(name, hop, login, via)
        except BaseException as error:
            if via is not None:
                via.close()
            if isinstance(error, (OSError, EOFError, paramiko.SSHException)):
                where = _where(hop, via)
                if hop is not last:
                    where = f"the gateway {hop.host}, port {hop.port}"
                raise _explained(name, where, hop.user, login, error) from error
            raise
    assert link is not None, "there is at least one hop"  # noqa: S101
    return link


def _open_hop(name: str, hop: fabric.Connection, login: Login, via: Link | None) -> Link:
    pins = Pins.read(login.known_hosts)
    policy = PinnedKeys(pins)
    hop.client.set_missing_host_key_policy(policy)
    hop.connect_kwargs.update(pins.connect_kwargs(known_hosts_name(hop.host, hop.port)))
    with _handshakes:
        wire = Wire(_dial(hop, login, via))
        hop.connect_kwargs["sock"] = wire
        try:
            hop.open()
        except BaseException as error:
            hop.client.close()
            wire.close()
            if policy.accepted and type(error) is paramiko.SSHException:
                # "No authentication methods available" has no class of its own.
                raise paramiko.AuthenticationException(str(error)) from error
            raise
    return Link(name, hop, wire, via)


def _dial(
    hop: fabric.Connection, login: Login, via: Link | None
) -> socket.socket | paramiko.Channel:
    if via is not None:
        return via.transport.open_channel(
            "direct-tcpip", (hop.host, hop.port), ("127.0.0.1", 0), timeout=login.handshake_timeout
        )
    sock = socket.create_connection((hop.host, hop.port), timeout=login.connect_timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _where(hop: fabric.Connection, via: Link | None) -> str:
    through = f" (through the gateway {via.connection.host})" if via else ""
    return f"{hop.host}, port {hop.port}{through}"


def _explained(name: str, where: str, user: str, login: Login, error: Exception) -> _Broken:
    """Return what went wrong with a connection, for people, and whether to try again."""
    again = False
    mend = ""
    match error:
        case PinRefused():
            return _Broken(
                KeyRefused(name, f"{where}: {error.reason}", mend=error.mend), again=False
            )
        case socket.gaierror():
            reason = f"the name of {where}, can't be resolved ({error.strerror})"
            mend = "correct the address in the hosts file, or look at DNS"
        case paramiko.AuthenticationException() if "timeout" in str(error).lower():
            reason = f"{where}, did not answer the login within {login.handshake_timeout:g} s"
            mend = "look at its load, and at what its sshd asks before it lets somebody in"
            again = True
        case paramiko.AuthenticationException():
            key = (
                f"the key {login.key.fingerprint}" if login.key else "the keys of agent and ~/.ssh"
            )
            reason = f"{where}, does not let {user} in with {key} ({error})"
            mend = f"add the public key to ~{user}/.ssh/authorized_keys on the host"
        case paramiko.ChannelException():
            reason = f"{where}, can't be reached from the gateway ({error.text})"
        case paramiko.ssh_exception.IncompatiblePeer():
            reason = f"{where}, speaks no SSH algorithms in common with us ({error})"
            mend = "update its OpenSSH (7.2 or newer)"
        case paramiko.SSHException():
            reason = f"{where}, did not complete the SSH handshake ({error})"
            again = True
        case TimeoutError():
            reason = f"{where}, does not answer within {login.connect_timeout:g} s"
            mend = "look at its power, its address and its firewall"
            again = True
        case ConnectionRefusedError():
            reason = f"{where}, refuses the connection"
            mend = "look whether sshd runs there, and on that port"
            again = True
        case _:
            said = getattr(error, "strerror", None) or "it hung up"
            reason = f"{where}: the connection was lost before login ({said})"
            again = True
    return _Broken(Unreachable(name, reason, mend=mend), again=again)

"""Many hosts at once: the hosts of an environment, and one function run over all of them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol, TypeVar

from deploy.errors import HeadwayError
from deploy.remote.host import Host

if TYPE_CHECKING:
    from deploy.remote.ssh import SSHHost

LIMIT = 40
"""Threads at once. They wait more than they work; handshakes have a limit of their own."""

T = TypeVar("T")
H = TypeVar("H", bound=Host)


class _Address(Protocol):
    @property
    def address(self) -> str: ...
    @property
    def port(self) -> int | None: ...
    @property
    def user(self) -> str | None: ...


class _SSH(Protocol):
    @property
    def user(self) -> str | None: ...
    @property
    def key(self) -> Path | None: ...
    @property
    def known_hosts(self) -> Path: ...
    @property
    def gateway(self) -> _Address | None: ...
    @property
    def config(self) -> bool: ...
    @property
    def connect_timeout(self) -> float: ...
    @property
    def handshake_timeout(self) -> float: ...


class Environment(Protocol):
    """The part of the settings' environment that says how its hosts are reached."""

    @property
    def ssh(self) -> _SSH:
        """What all hosts have in common."""
        ...

    @property
    def hosts(self) -> Mapping[str, _Address]:
        """Each host's address, by name."""
        ...


def hosts_of(environment: Environment) -> dict[str, SSHHost]:
    """Return an environment's hosts by name, none of them connected.

    Raises:
        SettingsError: the SSH key can't be used.
    """
    # paramiko and fabric take 0.2 s to import, which a task that never connects must not pay.
    from deploy.remote.keys import load_key
    from deploy.remote.link import Endpoint
    from deploy.remote.ssh import SSHHost

    ssh = environment.ssh
    key = load_key(ssh.key) if ssh.key else None
    via = ssh.gateway
    gateway = Endpoint(via.address, via.port, via.user or ssh.user) if via else None
    return {
        name: SSHHost(
            name,
            host.address,
            # 22 is the default of the settings; ~/.ssh/config may know better.
            port=None if ssh.config and host.port == 22 else host.port,
            user=host.user or ssh.user,
            key=key,
            known_hosts=ssh.known_hosts,
            gateway=gateway,
            connect_timeout=ssh.connect_timeout,
            handshake_timeout=ssh.handshake_timeout,
            use_config=ssh.config,
        )
        for name, host in environment.hosts.items()
    }


def each(
    hosts: Iterable[H], function: Callable[[H], T], limit: int = LIMIT
) -> dict[str, T | HeadwayError]:
    """Call `function` with every host, `limit` at a time, and wait for all of them.

    One host's failure does not keep the others from being asked. An interrupt in the calling
    thread ends what runs by closing the hosts' connections, and is passed on at once.

    Returns:
        What each call returned, or the HeadwayError that it raised, by the host's name, in the
        order of `hosts`.

    Raises:
        Exception: what a call raised that is not a HeadwayError, once all calls have ended.
    """
    order = list(hosts)
    waiting: SimpleQueue[H] = SimpleQueue()
    done: SimpleQueue[tuple[str, T | BaseException]] = SimpleQueue()
    for host in order:
        waiting.put(host)

    def work() -> None:
        with contextlib.suppress(Empty):
            while True:
                host = waiting.get_nowait()
                try:
                    done.put((host.name, function(host)))
                except BaseException as error:
                    done.put((host.name, error))

    # Daemons, and not an executor's threads, which the interpreter joins before it exits: after an
    # interrupt nobody waits for a host that does not answer.
    for number in range(min(limit, len(order))):
        threading.Thread(target=work, name=f"host {number}", daemon=True).start()
    try:
        outcomes = dict(done.get() for _ in order)
    except BaseException:
        with contextlib.suppress(Empty):
            while True:
                waiting.get_nowait()
        for host in order:
            host.close()
        raise
    found: dict[str, T | HeadwayError] = {}
    for host in order:
        outcome = outcomes[host.name]
        if isinstance(outcome, BaseException) and not isinstance(outcome, HeadwayError):
            raise outcome
        found[host.name] = outcome
    return found


def open_all(hosts: Iterable[SSHHost], limit: int = LIMIT) -> dict[str, HeadwayError]:
    """Connect to every host; return the errors of those that could not be reached, by name."""
    outcomes = each(hosts, lambda host: host.connect(), limit)
    return {name: error for name, error in outcomes.items() if error is not None}

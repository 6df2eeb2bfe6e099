"""A server, a key that opens it, and hosts that lead to it."""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from deploy.remote.keys import load_key
from deploy.remote.ssh import SSHHost

from .proxy import Proxy
from .sshd import Sshd, make_key

if TYPE_CHECKING:
    from pathlib import Path

    import paramiko

MakeHost = Callable[..., SSHHost]
MakeSshd = Callable[..., Sshd]


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("keys") / "id_ed25519")


@pytest.fixture(scope="session")
def key(key_file: Path) -> paramiko.PKey:
    return load_key(key_file)


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory, key_file: Path) -> Iterator[Sshd]:
    """The server that tests share; they leave it as it is."""
    server = Sshd(tmp_path_factory.mktemp("sshd"), key_file)
    yield server
    server.stop()


@pytest.fixture
def make_sshd(tmp_path: Path, key_file: Path) -> Iterator[MakeSshd]:
    """Makes servers of the test's own: `make_sshd(kinds=…, more=…)`."""
    servers: list[Sshd] = []

    def make(**options: object) -> Sshd:
        server = Sshd(tmp_path / f"sshd-{len(servers)}", key_file, **options)  # type: ignore[arg-type]
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def make_proxy() -> Iterator[Callable[[int], Proxy]]:
    proxies: list[Proxy] = []

    def make(port: int) -> Proxy:
        proxies.append(Proxy(port))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()


@pytest.fixture
def make_host(tmp_path: Path, key: paramiko.PKey) -> Iterator[MakeHost]:
    """Makes hosts: `make_host(port, known_hosts_text, **options of SSHHost)`."""
    hosts: list[SSHHost] = []

    def make(port: int, pinned: str | None, **options: object) -> SSHHost:
        known_hosts = tmp_path / f"known_hosts-{len(hosts)}"
        if pinned is not None:
            known_hosts.write_text(pinned)
        given: dict[str, object] = {
            "key": key,
            "user": getpass.getuser(),
            "address": "127.0.0.1",
            "port": port,
            **options,
        }
        host = SSHHost("web-1", known_hosts=known_hosts, **given)  # type: ignore[arg-type]
        hosts.append(host)
        return host

    yield make
    for host in hosts:
        host.close()


@pytest.fixture
def host(sshd: Sshd, make_host: MakeHost) -> SSHHost:
    return make_host(sshd.port, sshd.line())


@pytest.fixture
def nap() -> str:
    """A command that sleeps long, and that no other test has on this machine."""
    return f"sleep 987.{time.time_ns()}"

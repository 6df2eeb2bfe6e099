"""Many hosts at once."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from deploy.errors import SettingsError, Unreachable
from deploy.remote.fake import Call, FakeHost, says
from deploy.remote.link import Endpoint
from deploy.remote.pool import each, hosts_of

from .sshd import make_key

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.remote.host import Result


def fleet(count: int) -> list[FakeHost]:
    def answer(call: Call) -> Result:
        if call.host.endswith("3"):
            raise Unreachable(call.host, "it is off")
        return says(call.host)

    return [FakeHost(f"web-{number}", answer) for number in range(1, count + 1)]


def test_results_and_errors_in_the_order_of_the_hosts() -> None:
    def slow_first(host: FakeHost) -> str:
        time.sleep(0.1 if host.name == "web-1" else 0)
        return host.exec(["hostname"], timeout=1).text

    found = each(fleet(4), slow_first)
    assert list(found) == ["web-1", "web-2", "web-3", "web-4"]
    assert [found["web-1"], found["web-2"], found["web-4"]] == ["web-1", "web-2", "web-4"]
    assert isinstance(found["web-3"], Unreachable)


def test_no_hosts() -> None:
    assert each([], lambda host: host.name) == {}


def test_the_limit_holds() -> None:
    lock = threading.Lock()
    now: list[str] = []
    most = 0

    def count(host: FakeHost) -> None:
        nonlocal most
        with lock:
            now.append(host.name)
            most = max(most, len(now))
        time.sleep(0.02)
        with lock:
            now.remove(host.name)

    each(fleet(20), count, limit=4)
    assert most == 4


def test_a_mistake_of_ours_comes_out_after_all_were_asked() -> None:
    hosts = fleet(5)

    def ask(host: FakeHost) -> None:
        host.exec(["true"], timeout=1)
        if host.name == "web-1":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        each(hosts, ask)
    assert [len(host.calls) for host in hosts] == [1] * 5


@dataclass
class Place:
    address: str
    port: int = 22
    user: str | None = None


@dataclass
class SSH:
    known_hosts: Path
    key: Path | None = None
    user: str = "deploy"
    gateway: Place | None = None
    config: bool = False
    connect_timeout: float = 3.0
    handshake_timeout: float = 4.0


@dataclass
class Environment:
    ssh: SSH
    hosts: dict[str, Place] = field(
        default_factory=lambda: {
            "web-1": Place("203.0.113.11"),
            "web-2": Place("203.0.113.12", 2222, "root"),
        }
    )


def test_the_hosts_of_an_environment(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    ssh = SSH(tmp_path / "known_hosts", key, gateway=Place("bastion.example", 2200))
    hosts = hosts_of(Environment(ssh))
    assert list(hosts) == ["web-1", "web-2"]
    one, two = hosts.values()
    assert one.name == "web-1"
    assert one.target == Endpoint("203.0.113.11", 22, "deploy")
    assert two.target == Endpoint("203.0.113.12", 2222, "root")
    assert one.gateway == Endpoint("bastion.example", 2200, "deploy")
    assert one.login.known_hosts == tmp_path / "known_hosts"
    assert one.login.connect_timeout == 3.0
    assert one.login.handshake_timeout == 4.0
    assert one.login.key is two.login.key


def test_with_ssh_config_the_usual_port_is_left_to_it(tmp_path: Path) -> None:
    hosts = hosts_of(Environment(SSH(tmp_path, config=True)))
    assert [host.target.port for host in hosts.values()] == [None, 2222]


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SSH key"):
        hosts_of(Environment(SSH(tmp_path, tmp_path / "none")))

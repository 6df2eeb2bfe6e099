"""Asking real servers for their host keys: what they show, what is said of it, nothing more."""

from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING

import pytest

from deploy.errors import Refused
from deploy.remote.link import Endpoint
from deploy.remote.shown_keys import Server, ask_all
from deploy.tasks.host_keys import as_json, rendered

from .sshd import free_port, run

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeHost, MakeSshd
    from .sshd import Sshd

EVERY = ("ed25519", "ecdsa", "rsa")
AUTHENTICATION = "userauth-request"


def fingerprint(server: Sshd, kind: str = "ed25519") -> str:
    return run("ssh-keygen", "-lf", str(server.keys[kind])).split()[1]


def standings(server: Server) -> dict[str, str]:
    return {key.type: key.standing for key in server.keys}


def test_every_kind_of_key_that_a_server_has(make_sshd: MakeSshd, make_host: MakeHost) -> None:
    server = make_sshd(kinds=EVERY)
    (found,) = ask_all([make_host(server.port, "")])
    assert [key.fingerprint for key in found.keys] == [fingerprint(server, one) for one in EVERY]
    assert [key.line + "\n" for key in found.keys] == [server.line(one) for one in EVERY]
    assert {*standings(found).values()} == {"unknown"}
    assert not found.ready
    time.sleep(0.2)
    log = server.log.read_text()
    assert log.count("Connection from") == 3, "one handshake for each kind"
    assert AUTHENTICATION not in log


def test_a_kind_that_a_server_has_not_is_not_shown(
    make_sshd: MakeSshd, make_host: MakeHost
) -> None:
    server = make_sshd(kinds=("rsa",))
    (found,) = ask_all([make_host(server.port, server.line("rsa"))])
    assert standings(found) == {"ssh-rsa": "pinned"}
    assert found.ready


def test_one_pinned_key_is_enough(make_sshd: MakeSshd, make_host: MakeHost) -> None:
    server = make_sshd(kinds=EVERY)
    host = make_host(server.port, server.line("ecdsa"))
    (found,) = ask_all([host])
    assert standings(found) == {
        "ssh-ed25519": "spare",
        "ecdsa-sha2-nistp256": "pinned",
        "ssh-rsa": "spare",
    }
    assert found.ready
    text = rendered([found], "hosts/known_hosts")
    assert server.line("rsa").strip() not in text, "no line where none is needed"
    assert text.endswith("Every server shows a key that is pinned.")
    host.connect()


def test_another_key_than_the_pinned_one(make_sshd: MakeSshd, make_host: MakeHost) -> None:
    server, other = make_sshd(kinds=("ed25519", "rsa")), make_sshd()
    host = make_host(server.port, other.line(port=server.port))
    (found,) = ask_all([host])
    assert standings(found) == {"ssh-ed25519": "changed", "ssh-rsa": "changed"}
    # One that is right does not make another one right that was there before.
    (mixed,) = ask_all([make_host(server.port, other.line(port=server.port) + server.line("rsa"))])
    assert standings(mixed) == {"ssh-ed25519": "changed", "ssh-rsa": "pinned"}
    assert not found.ready
    assert not mixed.ready
    text = rendered([found], "hosts/known_hosts")
    assert f"{fingerprint(server)}  ANOTHER than what is pinned: {fingerprint(other)}" in text


def test_while_a_key_is_changed_either_is_right(make_sshd: MakeSshd, make_host: MakeHost) -> None:
    old, new = make_sshd(), make_sshd()
    (found,) = ask_all([make_host(new.port, old.line(port=new.port) + new.line())])
    assert standings(found) == {"ssh-ed25519": "pinned"}


def test_nothing_is_written(make_sshd: MakeSshd, make_host: MakeHost, tmp_path: Path) -> None:
    server = make_sshd()
    host = make_host(server.port, None)
    (found,) = ask_all([host])
    assert not found.ready
    assert not host.login.known_hosts.exists()
    assert not host.login.known_hosts.parent.joinpath(".ssh").exists()
    text = rendered([found], "hosts/known_hosts")
    assert f"web-1  127.0.0.1, port {server.port}\n" in text
    assert f"{fingerprint(server)}  unknown" in text
    assert f"\n    {server.line()}" in text
    assert "ssh-keygen -lf $k" in text
    host.login.known_hosts.write_text(found.keys[0].line)
    host.connect()


def test_known_hosts_that_is_not_honoured(sshd: Sshd, make_host: MakeHost) -> None:
    with pytest.raises(Refused) as caught:
        ask_all([make_host(sshd.port, f"@revoked * {sshd.public()}\n")])
    assert "begins with @revoked" in str(caught.value)


def test_a_host_that_does_not_answer_keeps_no_other_from_being_asked(
    sshd: Sshd, make_host: MakeHost
) -> None:
    port = free_port()
    away, there = make_host(port, ""), make_host(sshd.port, sshd.line())
    away.name = "web-0"
    first, second = ask_all([away, there])
    assert first.fault == f"web-0: 127.0.0.1, port {port}, refuses the connection\n" + (
        "look whether sshd runs there, and on that port"
    )
    assert second.ready
    assert f"  ! web-0: 127.0.0.1, port {port}, refuses" in rendered([first, second], "x")
    assert [one["ready"] for one in as_json([first, second])] == [False, True]


def test_behind_a_gateway(make_sshd: MakeSshd, make_host: MakeHost) -> None:
    inner, outer = make_sshd(kinds=("ed25519", "rsa")), make_sshd()
    gateway = Endpoint("127.0.0.1", outer.port, getpass.getuser())
    host, second = (make_host(inner.port, outer.line(), gateway=gateway) for _ in range(2))
    second.name = "web-2"
    first, *behind = ask_all([host, second])
    assert (first.host, first.port) == ("gateway", outer.port)
    assert first.ready
    for found in behind:
        assert found.fault == ""
        assert [key.fingerprint for key in found.keys] == [
            fingerprint(inner, one) for one in ("ed25519", "rsa")
        ]
        assert {*standings(found).values()} == {"unknown"}
    assert AUTHENTICATION not in inner.log.read_text()


def test_behind_a_gateway_that_is_not_pinned(make_sshd: MakeSshd, make_host: MakeHost) -> None:
    inner, outer = make_sshd(), make_sshd()
    gateway = Endpoint("127.0.0.1", outer.port, getpass.getuser())
    first, found = ask_all([make_host(inner.port, inner.line(), gateway=gateway)])
    assert standings(first) == {"ssh-ed25519": "unknown"}
    assert f"the gateway 127.0.0.1, port {outer.port}: the host key is not known" in found.fault
    assert found.keys == ()
    time.sleep(0.2)
    assert AUTHENTICATION not in outer.log.read_text()
    assert "Connection from" not in inner.log.read_text()


def test_forty_hosts_with_eight_handshakes(make_sshd: MakeSshd, make_host: MakeHost) -> None:
    # Eight at once, and as many that have just been left and that it still counts, where forty
    # real hosts would each count their own.
    server = make_sshd(more="MaxStartups 16:100:16")
    hosts = [make_host(server.port, server.line()) for _ in range(40)]
    for number, host in enumerate(hosts):
        host.name = f"web-{number}"
    found = ask_all(hosts)
    assert [one.host for one in found] == [host.name for host in hosts]
    assert all(one.ready for one in found)

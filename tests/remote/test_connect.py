"""Connecting to a real sshd: pinned keys, refusals, gateways, and what can go wrong."""

from __future__ import annotations

import getpass
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import paramiko
import pytest

from deploy.errors import HeadwayError, KeyRefused, Unreachable
from deploy.remote.keys import load_key
from deploy.remote.link import Endpoint
from deploy.remote.pool import open_all

from .sshd import Sshd, children, eventually, free_port, make_key, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import MakeHost, MakeSshd
    from .proxy import Proxy

ME = getpass.getuser()
AUTHENTICATION = "userauth-request"


def refusal(connect: Callable[[], object], kind: type[HeadwayError]) -> HeadwayError:
    with pytest.raises(HeadwayError) as caught:
        connect()
    assert type(caught.value) is kind
    assert caught.value.exit_code == 3
    return caught.value


def fingerprint(server: Sshd, kind: str = "ed25519") -> str:
    return run("ssh-keygen", "-lf", str(server.keys[kind])).split()[1]


class Mute:
    """A server that accepts connections and, perhaps, says something that is not SSH."""

    def __init__(self, greeting: bytes | None) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.accepted = 0
        self._greeting = greeting
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            self.accepted += 1
            if self._greeting is None:
                sock.close()
            else:
                sock.sendall(self._greeting)
                self._open.append(sock)

    def close(self) -> None:
        self._server.close()
        for sock in self._open:
            sock.close()


@pytest.fixture
def mute() -> Iterator[Callable[[bytes | None], Mute]]:
    servers: list[Mute] = []

    def make(greeting: bytes | None) -> Mute:
        servers.append(Mute(greeting))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def test_a_pinned_key_is_accepted(sshd: Sshd, make_host: MakeHost) -> None:
    host = make_host(sshd.port, f"# ours\n\n{sshd.line()}")
    assert host.exec(["echo", "in"], timeout=10).text == "in\n"
    # What the refusals below are held against: a login does show in the log.
    assert AUTHENTICATION in sshd.log.read_text()


def test_an_unknown_key_is_refused_before_authentication(
    make_sshd: MakeSshd, make_host: MakeHost
) -> None:
    server = make_sshd()
    host = make_host(server.port, "")
    error = refusal(host.connect, KeyRefused)
    assert f"web-1: 127.0.0.1, port {server.port}: the host key is not known" in error.message
    assert fingerprint(server) in error.message
    assert server.line().strip() in error.mend
    assert "console" in error.mend
    error = refusal(lambda: host.exec(["true"], timeout=5), KeyRefused)
    time.sleep(0.2)
    log = server.log.read_text()
    assert log.count("Connection from") == 2, "one connection for each, and no second try"
    assert AUTHENTICATION not in log


def test_a_changed_key_is_refused_before_authentication(
    make_sshd: MakeSshd, make_host: MakeHost
) -> None:
    server, other = make_sshd(), make_sshd()
    error = refusal(make_host(server.port, other.line(port=server.port)).connect, KeyRefused)
    assert "the host key has changed" in error.message
    assert fingerprint(server) in error.message
    assert fingerprint(other) in error.message
    assert server.line().strip() in error.mend
    time.sleep(0.2)
    assert "Connection from" in server.log.read_text()
    assert AUTHENTICATION not in server.log.read_text()


def test_a_key_pinned_for_another_port_does_not_count(sshd: Sshd, make_host: MakeHost) -> None:
    host = make_host(sshd.port, f"127.0.0.1 {sshd.public()}\n[127.0.0.1]:1 {sshd.public()}\n")
    assert "not known" in refusal(host.connect, KeyRefused).message


def test_the_pinned_type_is_asked_for(make_sshd: MakeSshd, make_host: MakeHost) -> None:
    server = make_sshd(kinds=("ed25519", "rsa", "ecdsa"))
    for kind in ("rsa", "ecdsa", "ed25519"):
        make_host(server.port, server.line(kind)).connect()
    other = make_sshd()
    error = refusal(make_host(server.port, other.line(port=server.port)).connect, KeyRefused)
    assert "changed" in error.message


def test_while_keys_are_changed_the_old_and_the_new_one_may_be_pinned(
    make_sshd: MakeSshd, make_host: MakeHost
) -> None:
    old, new = make_sshd(), make_sshd()
    pinned = old.line() + new.line(port=old.port)
    make_host(old.port, pinned).connect()
    make_host(new.port, pinned + new.line() + old.line(port=new.port)).connect()


def test_hashed_names(sshd: Sshd, make_host: MakeHost, tmp_path: Path) -> None:
    hashed = tmp_path / "hashed"
    hashed.write_text(sshd.line())
    run("ssh-keygen", "-q", "-H", "-f", str(hashed))
    text = hashed.read_text()
    assert text.startswith("|1|")
    make_host(sshd.port, text).connect()


@pytest.mark.parametrize("marker", ["@revoked", "@cert-authority"])
def test_lines_that_are_not_honoured_refuse_the_file(
    make_sshd: MakeSshd, make_host: MakeHost, marker: str
) -> None:
    server = make_sshd()
    host = make_host(server.port, f"{server.line()}{marker} * {server.public()}\n")
    error = refusal(host.connect, KeyRefused)
    assert f"line 2 of {host.login.known_hosts} begins with {marker}" in error.message
    assert "Connection from" not in server.log.read_text()


@pytest.mark.parametrize("text", [None, "127.0.0.1 ssh-ed25519\n", "h ssh-ed25519 AAA\n"])
def test_known_hosts_that_cannot_be_read(make_host: MakeHost, sshd: Sshd, text: str | None) -> None:
    host = make_host(sshd.port, text)
    error = refusal(host.connect, KeyRefused)
    assert str(host.login.known_hosts) in error.message
    if text is None:
        assert error.mend.startswith("`inv check.ENVIRONMENT --host-keys` prints a line for each")
    assert error.mend


def test_a_key_that_the_host_does_not_let_in(
    make_sshd: MakeSshd, make_host: MakeHost, tmp_path: Path
) -> None:
    server = make_sshd()
    stranger = load_key(make_key(tmp_path / "stranger"))
    error = refusal(make_host(server.port, server.line(), key=stranger).connect, Unreachable)
    assert f"does not let {ME} in with the key {stranger.fingerprint}" in error.message
    assert "authorized_keys" in error.mend
    time.sleep(0.2)
    assert server.log.read_text().count("Connection from") == 1, "a login is not tried again"


def test_without_a_key_the_agents_are_used(
    sshd: Sshd, make_host: MakeHost, key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    host = make_host(sshd.port, sshd.line(), key=None)
    assert "keys of agent" in refusal(host.connect, Unreachable).message
    agent = run("ssh-agent", "-s")
    socket_path, pid = (part.split("=")[1] for part in agent.split(";") if "=" in part)
    monkeypatch.setenv("SSH_AUTH_SOCK", socket_path)
    monkeypatch.setenv("SSH_AGENT_PID", pid)
    try:
        run("ssh-add", "-q", str(key_file))
        host.connect()
    finally:
        run("ssh-agent", "-k")


def test_a_name_that_does_not_resolve(make_host: MakeHost) -> None:
    host = make_host(22, "", address="no-such-host.invalid")
    error = refusal(host.connect, Unreachable)
    assert "the name of no-such-host.invalid, port 22, can't be resolved" in error.message


def test_a_port_that_refuses(make_host: MakeHost) -> None:
    port = free_port()
    started = time.monotonic()
    error = refusal(make_host(port, "").connect, Unreachable)
    assert error.message == f"web-1: 127.0.0.1, port {port}, refuses the connection"
    assert 0.3 < time.monotonic() - started < 4, "three tries, with pauses"


def test_a_server_that_hangs_up_is_tried_three_times(
    make_host: MakeHost, mute: Callable[[bytes | None], Mute]
) -> None:
    server = mute(None)
    error = refusal(make_host(server.port, "").connect, Unreachable)
    assert f"port {server.port}" in error.message
    assert server.accepted == 3


def test_a_server_that_says_nothing_is_not_waited_for_twice(
    make_host: MakeHost, mute: Callable[[bytes | None], Mute], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.remote.link.LONG_TRY", 0.5)
    server = mute(b"")
    started = time.monotonic()
    error = refusal(make_host(server.port, "", handshake_timeout=1.0).connect, Unreachable)
    assert "did not complete the SSH handshake" in error.message
    assert time.monotonic() - started < 3
    assert server.accepted == 1


def test_a_server_that_speaks_http(
    make_host: MakeHost, mute: Callable[[bytes | None], Mute]
) -> None:
    server = mute(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    host = make_host(server.port, "", handshake_timeout=0.3)
    assert "did not complete" in refusal(host.connect, Unreachable).message


class Undecided(paramiko.ServerInterface):
    """Takes its time to say whether somebody may come in."""

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        time.sleep(3)
        return paramiko.AUTH_FAILED


def test_a_login_that_is_not_answered_is_not_called_a_refusal(
    make_host: MakeHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.remote.link.LONG_TRY", 0.5)
    own = paramiko.ECDSAKey.generate()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        servers: list[paramiko.Transport] = []

        def serve() -> None:
            servers.append(paramiko.Transport(listener.accept()[0]))
            servers[0].add_server_key(own)
            servers[0].start_server(server=Undecided())

        threading.Thread(target=serve, daemon=True).start()
        pinned = f"[127.0.0.1]:{port} {own.get_name()} {own.get_base64()}\n"
        host = make_host(port, pinned, handshake_timeout=1.0)
        error = refusal(host.connect, Unreachable)
        assert f"port {port}, did not answer the login within 1 s" in error.message
        servers[0].close()


def test_an_address_that_drops_packets(make_host: MakeHost) -> None:
    # A full backlog drops new connections silently, as a firewall does.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        host = make_host(port, "", connect_timeout=0.5)
        error = refusal(host.connect, Unreachable)
        for filler in fillers:
            filler.close()
    assert f"port {port}, does not answer within 0.5 s" in error.message


def test_a_gateway(make_sshd: MakeSshd, make_host: MakeHost) -> None:
    inner, outer = make_sshd(), make_sshd()
    gateway = Endpoint("127.0.0.1", outer.port, ME)
    host = make_host(inner.port, inner.line() + outer.line(), gateway=gateway)
    assert host.exec(["cat"], stdin=bytes(300_000), timeout=10).stdout == bytes(300_000)
    assert f"port {inner.port}" in outer.log.read_text()
    host.close()
    assert eventually(lambda: not children(outer.process.pid)), "the gateway's is closed as well"


@pytest.mark.parametrize("wrong", ["gateway", "host"])
def test_behind_a_gateway_both_keys_are_pinned(
    make_sshd: MakeSshd, make_host: MakeHost, wrong: str
) -> None:
    inner, outer = make_sshd(), make_sshd()
    gateway = Endpoint("127.0.0.1", outer.port, ME)
    pinned = inner.line() if wrong == "gateway" else outer.line()
    error = refusal(make_host(inner.port, pinned, gateway=gateway).connect, KeyRefused)
    time.sleep(0.2)
    if wrong == "gateway":
        assert f"the gateway 127.0.0.1, port {outer.port}: the host key is not" in error.message
        assert AUTHENTICATION not in outer.log.read_text()
        assert "Connection from" not in inner.log.read_text()
    else:
        assert f"port {inner.port} (through the gateway 127.0.0.1): the host" in error.message
        assert "Connection from" in inner.log.read_text()
        assert AUTHENTICATION not in inner.log.read_text()


def test_a_gateway_that_cannot_reach_the_host(make_sshd: MakeSshd, make_host: MakeHost) -> None:
    outer = make_sshd()
    port = free_port()
    host = make_host(port, outer.line(), gateway=Endpoint("127.0.0.1", outer.port, ME))
    error = refusal(host.connect, Unreachable)
    assert f"127.0.0.1, port {port} (through the gateway 127.0.0.1), can't be" in error.message


def test_ssh_config_is_read_only_if_asked_for(
    make_sshd: MakeSshd, make_host: MakeHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner, outer = make_sshd(), make_sshd()
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(
        f"Host inside\n HostName 127.0.0.1\n Port {inner.port}\n"
        f" ProxyJump {ME}@localhost:{outer.port}\n StrictHostKeyChecking no\n"
        "Host command\n ProxyCommand nc %h %p\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    pinned = inner.line() + outer.line().replace("127.0.0.1", "localhost")
    host = make_host(None, pinned, address="inside", use_config=True)
    assert host.exec(["echo", "in"], timeout=10).text == "in\n"
    assert f"port {inner.port}" in outer.log.read_text()
    plain = make_host(None, pinned, address="inside.invalid")
    assert "can't be resolved" in refusal(plain.connect, Unreachable).message
    unpinned = make_host(None, inner.line(), address="inside", use_config=True)
    assert "the gateway" in refusal(unpinned.connect, KeyRefused).message
    command = make_host(None, pinned, address="command", use_config=True)
    assert "ProxyCommand is not supported" in refusal(command.connect, Unreachable).message


def test_forty_hosts_at_once_with_eight_handshakes(
    make_sshd: MakeSshd, make_host: MakeHost
) -> None:
    server = make_sshd()
    hosts = [make_host(server.port, server.line()) for _ in range(40)]
    for number, host in enumerate(hosts):
        host.name = f"web-{number}"
    assert open_all(hosts) == {}
    unfinished = most = 0
    for line in server.log.read_text().splitlines():
        unfinished += line.startswith("Connection from")
        unfinished -= line.startswith("Accepted publickey")
        most = max(most, unfinished)
    assert unfinished == 0
    assert 1 < most <= 8


def test_a_connection_that_is_gone_is_made_anew_before_a_command(
    make_sshd: MakeSshd, make_host: MakeHost
) -> None:
    server = make_sshd()
    host = make_host(server.port, server.line())
    assert host.exec(["echo", "1"], timeout=5).text == "1\n"
    server.cut()
    assert host.exec(["echo", "2"], timeout=5).text == "2\n"
    host.close()
    host.close()
    assert host.exec(["echo", "3"], timeout=5).text == "3\n"
    assert server.log.read_text().count("Accepted publickey") == 3
    server.stop()
    assert "refuses" in refusal(lambda: host.exec(["true"], timeout=5), Unreachable).message


def test_two_threads_make_one_connection(
    make_sshd: MakeSshd, make_host: MakeHost, make_proxy: Callable[[int], Proxy]
) -> None:
    server = make_sshd()
    proxy = make_proxy(server.port)
    host = make_host(proxy.port, server.line(port=proxy.port))
    with ThreadPoolExecutor(6) as threads:
        for done in [threads.submit(host.exec, ["true"], timeout=10) for _ in range(6)]:
            assert done.result().exit_code == 0
    assert proxy.accepted == 1


def test_a_user_who_may_not_run_commands(make_sshd: MakeSshd, make_host: MakeHost) -> None:
    server = make_sshd(more="MaxSessions 0")
    host = make_host(server.port, server.line())
    error = refusal(lambda: host.exec(["true"], timeout=5), Unreachable)
    assert "opens no session" in error.message


def test_no_tracebacks_on_standard_error(
    make_host: MakeHost, mute: Callable[[bytes | None], Mute], capfd: pytest.CaptureFixture[str]
) -> None:
    refusal(make_host(mute(None).port, "").connect, Unreachable)
    assert capfd.readouterr().err == ""


def test_what_is_set_on_the_connection(sshd: Sshd, make_host: MakeHost) -> None:
    host = make_host(sshd.port, sshd.line())
    host.connect()
    assert host._link is not None
    policy = host._link.connection.client._policy
    assert not isinstance(policy, (paramiko.AutoAddPolicy, paramiko.WarningPolicy))
    sock = host._link._wire._sock
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    transport = host._link.transport
    # paramiko would wait an hour for a channel.
    assert (transport.channel_timeout, transport.auth_timeout) == (15, 15)

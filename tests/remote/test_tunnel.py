"""A port here that leads to a port of a host: through a real sshd, to a real server."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.errors import Unreachable
from deploy.remote.tunnel import Tunnel

from .sshd import Sshd, eventually, free_port

if TYPE_CHECKING:
    from .conftest import MakeHost, MakeSshd


class Echo:
    """Says back what it hears, and ends when the other end does."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.ended = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                one, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._say_back, args=(one,), daemon=True).start()

    def _say_back(self, one: socket.socket) -> None:
        with one:
            while data := one.recv(65536):
                one.sendall(data)
        self.ended += 1

    def close(self) -> None:
        self._server.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


def said_back(port: int, data: bytes) -> bytes:
    """Send it whole, say that no more comes, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as one:

        def send() -> None:
            with contextlib.suppress(OSError):  # the other end may have closed it by now
                one.sendall(data)
                one.shutdown(socket.SHUT_WR)

        threading.Thread(target=send, daemon=True).start()
        found = bytearray()
        while piece := one.recv(65536):
            found += piece
        return bytes(found)


def test_what_goes_through_comes_back_whole(sshd: Sshd, make_host: MakeHost, echo: Echo) -> None:
    host = make_host(sshd.port, sshd.line())
    data = bytes(range(256)) * 8192
    with Tunnel(host, echo.port) as tunnel:
        assert said_back(tunnel.port, data) == data
        assert eventually(lambda: echo.ended == 1), "the end of ours is passed on"


def test_many_connections_at_once_beside_commands(
    sshd: Sshd, make_host: MakeHost, echo: Echo
) -> None:
    """More than the ten sessions that sshd allows: these are none."""
    host = make_host(sshd.port, sshd.line())
    with Tunnel(host, echo.port) as tunnel:
        ends = [socket.create_connection(("127.0.0.1", tunnel.port), 20) for _ in range(20)]
        for number, one in enumerate(ends):
            one.sendall(b"%d" % number)
        assert host.exec(["echo", "in"], timeout=10).text == "in\n"
        for number, one in enumerate(ends):
            assert one.recv(10) == b"%d" % number
            one.close()
        assert eventually(lambda: echo.ended == 20)


def test_nothing_answers_there(sshd: Sshd, make_host: MakeHost) -> None:
    host = make_host(sshd.port, sshd.line())
    with pytest.raises(ConnectionRefusedError, match="nothing answers on port"):
        host.dial(port := free_port(), timeout=5)
    with Tunnel(host, port) as tunnel:
        assert said_back(tunnel.port, b"") == b""
        assert str(tunnel.failure) == f"nothing answers on port {port}"


def test_a_host_that_forwards_nothing(make_sshd: MakeSshd, make_host: MakeHost, echo: Echo) -> None:
    server = make_sshd(more="AllowTcpForwarding no\n")
    host = make_host(server.port, server.line())
    with Tunnel(host, echo.port) as tunnel:
        assert said_back(tunnel.port, b"") == b""
        assert isinstance(tunnel.failure, Unreachable)
        assert str(tunnel.failure) == (
            f"web-1: sshd there lets nobody through to port {echo.port}\n"
            "authorized_keys needs port-forwarding beside restrict, and sshd_config "
            "AllowTcpForwarding local"
        )
    assert host.exec(["echo", "in"], timeout=10).text == "in\n"


@pytest.mark.parametrize(
    ("options", "allowed"),
    [
        ("restrict", False),
        ('restrict,port-forwarding,permitopen="127.0.0.1:PORT"', True),
        ('restrict,port-forwarding,permitopen="127.0.0.1:1"', False),
    ],
)
def test_what_the_key_may_do(
    tmp_path: Path, key_file: Path, make_host: MakeHost, echo: Echo, options: str, allowed: bool
) -> None:
    """As docs/security.md has it."""
    copy = tmp_path / "key.pub"
    public = key_file.with_suffix(".pub").read_text()
    copy.write_text(f"{options.replace('PORT', str(echo.port))} {public}")
    server = Sshd(tmp_path / "sshd", copy.with_suffix(""))
    try:
        host = make_host(server.port, server.line())
        assert host.exec(["echo", "in"], timeout=10).text == "in\n"
        with Tunnel(host, echo.port) as tunnel:
            assert said_back(tunnel.port, sent := b"a" if allowed else b"") == sent
            assert isinstance(tunnel.failure, Unreachable) is not allowed
    finally:
        server.stop()


def test_a_host_that_cannot_be_reached(make_host: MakeHost, sshd: Sshd) -> None:
    host = make_host(free_port(), sshd.line())
    with Tunnel(host, 1) as tunnel:
        assert said_back(tunnel.port, b"") == b""
        assert isinstance(tunnel.failure, Unreachable)


def test_the_connection_is_lost_meanwhile(
    make_sshd: MakeSshd, make_host: MakeHost, echo: Echo
) -> None:
    server = make_sshd()
    host = make_host(server.port, server.line())
    with (
        Tunnel(host, echo.port) as tunnel,
        socket.create_connection(("127.0.0.1", tunnel.port), 10) as one,
    ):
        one.sendall(b"a")
        assert one.recv(1) == b"a"
        server.cut()
        assert one.recv(1) == b"", "it ends, instead of waiting for ever"
        # The next one makes a new connection, as a command would.
        assert said_back(tunnel.port, b"again") == b"again"


def test_closing_ends_what_goes_through(sshd: Sshd, make_host: MakeHost, echo: Echo) -> None:
    host = make_host(sshd.port, sshd.line())
    tunnel = Tunnel(host, echo.port)
    with socket.create_connection(("127.0.0.1", tunnel.port), 10) as one:
        one.sendall(b"a")
        assert one.recv(1) == b"a"
        tunnel.close()
        tunnel.close()
        began = time.monotonic()
        assert one.recv(1) == b""
        assert time.monotonic() - began < 5
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", tunnel.port), 1)
    assert eventually(lambda: echo.ended == 1)

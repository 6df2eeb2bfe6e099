"""When a machine of the sandbox is ready."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from deploy.sandbox.containers import answers
from deploy.sandbox.machines import Machine


@dataclass
class Engine:
    """The sandbox's engine, and whether that of the VPS answers."""

    up: bool

    def works(self, *_argv: str) -> bool:
        return self.up


@pytest.fixture
def sshd() -> Iterator[tuple[int, list[str]]]:
    """A port behind which somebody speaks first, as sshd does; and who has connected."""
    came: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, address = server.accept()
                came.append(address[0])
                connection.sendall(b"SSH-2.0-OpenSSH\r\n")
                connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield server.getsockname()[1], came
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()


@pytest.mark.parametrize("up", [True, False])
def test_sshd_is_asked_once_the_engine_answers(sshd: tuple[int, list[str]], up: bool) -> None:
    port, came = sshd
    machine = Machine("web-1", "vps", "10.0.0.1", ((port, 22),))
    assert answers(Engine(up), machine) is up
    assert len(came) == up

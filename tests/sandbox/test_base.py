"""Where the image that all others stand on comes from: a hub that answers, or this machine."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.sandbox import base
from deploy.sandbox.docker import Docker, DockerFailed
from tests.remote.sshd import free_port

VERSION = "Docker-Distribution-Api-Version"


@contextmanager
def web(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def hub(request: BaseHTTPRequestHandler) -> None:
    """It asks for a login, and is Docker's all the same."""
    request.send_response(401 if request.path == "/v2/" else 404)
    request.send_header(VERSION, "registry/2.0")
    request.end_headers()


def page(request: BaseHTTPRequestHandler) -> None:
    """A hotel's or a company's, in the place of whatever was asked for."""
    request.send_response(200)
    request.end_headers()
    request.wfile.write(b"<h1>Please log in</h1>")


def garbage(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"no HTTP at all\r\n\r\n")


def asked_at(port: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    def connect(host: str, timeout: float) -> http.client.HTTPConnection:
        assert (host, timeout) == (base.HUB, base.HUB_SECONDS)
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    monkeypatch.setattr(base.http.client, "HTTPSConnection", connect)
    return base.hub_answers()


@pytest.mark.parametrize(("answer", "is_one"), [(hub, True), (page, False), (garbage, False)])
def test_the_hub_itself_answers(
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[BaseHTTPRequestHandler], None],
    is_one: bool,
) -> None:
    with web(answer) as port:
        assert asked_at(port, monkeypatch) is is_one


def test_no_hub_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not asked_at(free_port(), monkeypatch)


class Engine(Docker):
    """One that has, or gets by a pull, an image made by `made_by`; "" is what the hub's has."""

    has: str | None = None
    pulls = True

    def __call__(self, *argv: str, **_: object) -> str:
        if argv[0] == "pull":
            if not self.pulls:
                raise DockerFailed(argv, 1, "toomanyrequests")
            object.__setattr__(self, "has", "")
            return ""
        if self.has is None:
            raise DockerFailed(argv, 1, "No such image")
        return f"sha256:0 {self.has}" if "Labels" in argv[3] else "sha256:0"


@pytest.mark.parametrize(
    ("has", "answers", "pulls", "done"),
    [
        (None, True, True, "pulled"),
        (None, True, False, "made"),
        (None, False, True, "made"),
        ("", False, False, "kept"),
        ("this recipe", False, False, "kept"),
        ("an older recipe", False, False, "made"),
        ("an older recipe", True, True, "pulled"),
    ],
)
def test_pulled_where_that_can_be_else_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has: str | None,
    answers: bool,
    pulls: bool,
    done: str,
) -> None:
    engine, seen = Engine(), []
    object.__setattr__(engine, "has", has)
    object.__setattr__(engine, "pulls", pulls)

    def make(docker: Docker, *_: object) -> None:
        object.__setattr__(docker, "has", "this recipe")
        seen.append("made")

    monkeypatch.setattr(base, "hub_answers", lambda: answers)
    monkeypatch.setattr(base, "recipe", lambda _mirror: "this recipe")
    monkeypatch.setattr(base, "make", make)
    assert base.ensure(engine, tmp_path / "base", print) == "sha256:0"
    found = seen or ["kept" if engine.has == has else "pulled"]
    assert found == [done]

"""Requests to real servers: what is sent, and what becomes of everything that can go wrong."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy.remote.fake import FakeHost
from deploy.remote.fake import says as told
from deploy.remote.tunnel import Tunnel
from deploy.settings.smoke import Expect
from deploy.smoke.ask import MOST, NoAnswer, ask
from deploy.smoke.probes import Probe
from deploy.smoke.way import Way

from ..remote.sshd import free_port
from .site import Handler, certificate, says

if TYPE_CHECKING:
    from deploy.smoke.judge import Answer

    from .conftest import MakeSite


def probe(path: str = "/", method: str = "GET", **more: Any) -> Probe:
    given = {"headers": {}, "json": None, "per_host": False, "expect": Expect()} | more
    return Probe("one", method, path, **given)


def asked(url: str, one: Probe | None = None, timeout: float = 5.0) -> Answer:
    return ask(one or probe(), Way(url), "d-1", timeout)


def refused(url: str, timeout: float = 5.0, way: Way | None = None) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        ask(probe(), way or Way(url), "d-1", timeout)
    return caught.value


def test_what_is_sent_and_what_comes_back(make_site: MakeSite) -> None:
    site = make_site({"/base/api/login": says(201, {"user": "a"}, X_Version="v7")})
    one = probe("/api/login?x=1", "POST", headers={"X-Key": "k"}, json={"email": "a@b"})
    answer = asked(f"http://127.0.0.1:{site.port}/base", one)
    assert (answer.status, answer.body) == (201, b'{"user": "a"}')
    assert answer.headers["x-version"] == "v7"
    assert 0 < answer.seconds < 5
    (request,) = site.asked
    assert (request.command, request.path) == ("POST", "/base/api/login?x=1")
    assert json.loads(request.body) == {"email": "a@b"}
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["X-Key"] == "k"
    assert request.headers["X-Smoke-Test"] == "d-1"
    assert request.headers["User-Agent"] == "headway-smoke"


def test_a_redirect_is_an_answer(make_site: MakeSite) -> None:
    site = make_site({"/": says(303, Location="/elsewhere")})
    answer = asked(f"http://127.0.0.1:{site.port}")
    assert (answer.status, answer.headers["location"]) == (303, "/elsewhere")
    assert len(site.asked) == 1


def test_nothing_listens() -> None:
    error = refused(f"http://127.0.0.1:{free_port()}")
    assert (error.reason, error.again, error.here) == (
        "no connection: Connection refused",
        True,
        False,
    )


def test_a_name_that_nobody_knows() -> None:
    error = refused("http://shop.invalid")
    assert (error.reason, error.here) == ("the name shop.invalid can't be resolved here", True)
    assert not error.again


def test_a_page_that_hangs_is_asked_once(make_site: MakeSite) -> None:
    site = make_site({"/": lambda _handler: time.sleep(3)})
    began = time.monotonic()
    error = refused(f"http://127.0.0.1:{site.port}", timeout=0.5)
    assert time.monotonic() - began < 2
    assert (error.reason, error.again) == ("no whole answer within 0.5 s", False)


def test_a_body_that_comes_byte_by_byte_is_no_answer(make_site: MakeSite) -> None:
    def drip(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b".")
            time.sleep(0.1)

    site = make_site({"/": drip})
    began = time.monotonic()
    assert refused(f"http://127.0.0.1:{site.port}", timeout=1).reason == (
        "no whole answer within 1 s"
    )
    assert time.monotonic() - began < 3


def test_a_body_without_an_end_is_cut(make_site: MakeSite) -> None:
    def flood(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    answer = asked(f"http://127.0.0.1:{make_site({'/': flood}).port}")
    assert (len(answer.body), answer.cut) == (MOST, True)


def test_a_connection_that_is_cut_is_not_asked_again(make_site: MakeSite) -> None:
    def cut(handler: Handler) -> None:
        handler.connection.shutdown(socket.SHUT_RDWR)

    error = refused(f"http://127.0.0.1:{make_site({'/': cut}).port}")
    assert error.reason == "the connection was lost: it was closed"
    assert (error.again, error.here) == (False, False)


def test_what_is_no_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        error = refused(f"https://127.0.0.1:{port}", timeout=0.5)
    assert not error.here


# --- certificates --------------------------------------------------------------------------------


def test_days_of_a_certificate(
    make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = certificate(tmp_path, "localhost", 20.5)
    site = make_site({"/": says(200, "ok")}, context)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    one = probe(expect=Expect(certificate_days=30))
    assert asked(f"https://localhost:{site.port}", one).certificate_days == 20
    assert asked(f"https://localhost:{site.port}").certificate_days is None


def test_a_certificate_that_nobody_believes(make_site: MakeSite, tmp_path: Path) -> None:
    context, _ = certificate(tmp_path, "localhost", 20)
    error = refused(f"https://localhost:{make_site({'/': says()}, context).port}")
    assert error.reason.startswith("the TLS connection failed: self")
    assert (error.again, error.here) == (False, False)


def test_a_certificate_that_has_ended(
    make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = certificate(tmp_path, "localhost", -3)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(file))
    error = refused(f"https://localhost:{make_site({'/': says()}, context).port}")
    assert error.reason == "the TLS connection failed: certificate has expired"


# --- through a tunnel ----------------------------------------------------------------------------


def through(site_port: int, url: str, tls: bool = False) -> Way:
    host = FakeHost("web-1", lambda _: told())
    return Way(url, "web-1", Tunnel(host, site_port), tls)


def test_a_host_is_asked_under_the_sites_name(make_site: MakeSite) -> None:
    site = make_site({"/base/": says(200, "ok")})
    way = through(site.port, "https://shop.example:8443/base")
    assert ask(probe(), way, "d-1", 5).status == 200
    (request,) = site.asked
    assert request.headers["Host"] == "shop.example:8443"
    assert request.headers["X-Forwarded-Proto"] == "https"


def test_a_hosts_own_tls_is_asked_for_the_site_and_not_believed_anew(
    make_site: MakeSite, tmp_path: Path
) -> None:
    context, _ = certificate(tmp_path, "shop.example", 5.5)
    named: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: named.append(name)
    site = make_site({"/": says(200, "ok")}, context)
    way = through(site.port, "https://shop.example", tls=True)
    answer = ask(probe(expect=Expect(certificate_days=3)), way, "d-1", 5)
    assert (answer.status, answer.certificate_days) == (200, 5)
    assert set(named) == {"shop.example"}
    assert site.asked[0].headers["Host"] == "shop.example"


def test_no_proxy_of_this_machine_is_in_the_way(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NO_PROXY", "")
    site = make_site({"/": says(200, "ok")})
    assert ask(probe(), through(site.port, "http://shop.example"), "d-1", 5).status == 200
    assert refused("http://shop.example").reason == (
        "the proxy of this machine's environment failed"
    )


def test_nothing_answers_on_the_host() -> None:
    way = through(free_port(), "http://shop.example")
    error = refused("", way=way)
    assert error.reason.startswith("no connection: ")
    assert (error.again, error.here) == (True, False)

"""A probe as bytes: what a real server makes of them, and what is made of its answer."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.settings.smoke import Expect
from deploy.smoke.plain import Plain, of_service, read
from deploy.smoke.probes import Probe
from tests.settings.repository import GOOD, loaded

from .site import Handler, Site

RUN = "d-1"


@pytest.fixture
def site() -> Iterator[Site]:
    def login(one: Handler) -> None:
        good = json.loads(one.body)["password"] == "hunter22"
        one.answer(200 if good else 500, {"user": "Ada"} if good else "no column mail\n  at x")

    def in_pieces(one: Handler) -> None:
        one.send_response(200)
        one.send_header("Transfer-Encoding", "chunked")
        one.end_headers()
        one.wfile.write(b"3\r\nit \r\n5\r\nworks\r\n0\r\n\r\n")

    routes = {
        "/login": login,
        "/pieces": in_pieces,
        "/moved": lambda one: one.answer(302, "", location="/"),
    }
    found = Site(routes)
    yield found
    found.close()


def probe(path: str, expect: Expect | None = None, **more: Any) -> Probe:
    body = more.pop("json", None)
    method = "GET" if body is None else "POST"
    return Probe("login", method, path, more, body, per_host=True, expect=expect or Expect())


def sent(site: Site, one: Plain) -> bytes:
    """What comes back until the server closes the connection, as it is asked to."""
    with socket.create_connection(("127.0.0.1", site.server_address[1]), 5) as connection:
        connection.sendall(one.request)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_a_login_with_its_body_and_headers(site: Site) -> None:
    one = Plain(
        probe("/login", Expect(json={"user": "Ada"}), json={"password": "hunter22"}, X_Of="ä"),
        "https://shop.example:8443",
        RUN,
    )
    assert one.fault(sent(site, one), 0.1) == ""
    (asked,) = site.asked
    assert asked.command == "POST"
    assert {
        name: asked.headers[name] for name in ("Host", "X-Forwarded-Proto", "X-Smoke-Test")
    } == {
        "Host": "shop.example:8443",
        "X-Forwarded-Proto": "https",
        "X-Smoke-Test": RUN,
    }
    assert asked.headers["Content-Type"] == "application/json"


def test_what_is_wrong_with_an_answer(site: Site) -> None:
    def hide(text: str) -> str:
        return text.replace("mail", "***")

    one = Plain(probe("/login", json={"password": "x"}), "http://shop.example/shop", RUN, hide)
    assert "X-Forwarded-Proto" not in one.request.decode()
    assert one.request.startswith(b"POST /shop/login HTTP/1.1\r\n")
    one = Plain(one.probe, "http://shop.example", RUN, hide)
    assert one.fault(sent(site, one), 0.1) == ("answered 500, expected 2xx (500 no column ***)")


def test_an_answer_in_pieces(site: Site) -> None:
    one = Plain(probe("/pieces", Expect(text="it works")), "http://shop.example", RUN)
    reply = sent(site, one)
    assert one.fault(reply, 0.1) == ""
    # Cut off in the middle it is what has come.
    half = read(reply[: reply.index(b"works") + 2], "GET", 0.1)
    assert half is not None
    assert (half.status, half.body) == (200, b"it ")


def test_a_redirect_is_well_for_a_health_check_alone(site: Site) -> None:
    for redirects, fault in ((True, ""), (False, "answered 302, expected 2xx (302)")):
        one = Plain(probe("/moved"), "http://shop.example", RUN, redirects=redirects)
        assert one.fault(sent(site, one), 0.1) == fault


@pytest.mark.parametrize(
    "reply", [b"", b"\0\1\2", b"HTTP/1.1 x\r\n\r\n", b"SSH-2.0-x\r\n", b"HTTP"]
)
def test_what_is_no_answer(reply: bytes) -> None:
    one = Plain(probe("/"), "http://shop.example", RUN)
    assert one.fault(reply, 1) == "nothing answered"


SMOKE = """\
url: https://shop.example/shop
smoke:
  probes:
    home: {kind: home}
    user:
      kind: login
      json: {password: "${SMOKE_PASSWORD}"}
      expect: {status: 201, max_ms: 5, certificate_days: 9}
"""


def of(root: Path, service: str, more: str = SMOKE) -> list[Plain]:
    text = GOOD.replace("port: 3000}", f"port: 3000{service}}}") + more
    environment = loaded(root, text, {"SMOKE_PASSWORD": "hunter22"})
    return of_service(environment, environment.services["web"], RUN, str)


def test_a_service_is_asked_its_own_paths_and_the_logins(tmp_path: Path) -> None:
    found = of(tmp_path, ", health: /healthz, probes: [/ready, /healthz]")
    assert [one.name for one in found] == ["/healthz", "/ready", "user"]
    # As in a roll its own paths are the container's, and a visitor's begin with the site's.
    lines = [one.request.partition(b"\r\n")[0].decode() for one in found]
    assert lines == [
        "GET /healthz HTTP/1.1",
        "GET /ready HTTP/1.1",
        "POST /shop/api/login HTTP/1.1",
    ]
    assert found[-1].request.endswith(b'{"password": "hunter22"}')
    assert found[-1].probe.expect == Expect(status=201)
    assert [one.redirects for one in found] == [True, True, False]


def test_one_without_any_is_asked_for_its_first_page(tmp_path: Path) -> None:
    (one,) = of(tmp_path, "", "")
    assert one.request.startswith(b"GET / HTTP/1.1\r\nHost: localhost\r\n")

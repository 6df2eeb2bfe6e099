"""Which hosts can be asked through their own proxy, and where that listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.errors import HeadwayError
from deploy.settings import load
from deploy.situation import Situation
from deploy.smoke.check import faults_of
from deploy.smoke.way import Door, Way, answering, door, doors

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = """\
app: shop
image: ghcr.io/acme/shop
url: URL
hosts:
  web-1: {address: 203.0.113.11, roles: [web], env: {PROXY_PORT: "8081"}}
  web-2: {address: 203.0.113.12, roles: [web], env: {PROXY_PORT: "8082"}}
  worker-1: {address: 203.0.113.21, roles: [worker]}
services:
  web: {role: web, port: 3000}
  worker: {role: worker}
proxy: {kind: own-caddy, service: proxy}
smoke: {probes: {health: {kind: health}}}
"""
COMPOSE = """\
services:
  web: {image: 'ghcr.io/acme/shop:x'}
  worker: {image: 'ghcr.io/acme/shop:x'}
  proxy:
    image: caddy:2
    volumes: ["./Caddyfile:/etc/caddy/Caddyfile"]
    ports: PORTS
"""


def made(root: Path, ports: str, url: str = "http://shop.example") -> Situation:
    (root / "hosts").mkdir()
    (root / "hosts/staging.yaml").write_text(HOSTS.replace("URL", url))
    (root / "compose.yaml").write_text(COMPOSE.replace("PORTS", ports))
    return Situation.of(load(root, "staging", {}))


def found(one: Situation, host: str = "web-1") -> Door:
    return door(one.environment, one.compose, one.placements[host])


def test_a_worker_has_no_door(tmp_path: Path) -> None:
    one = made(tmp_path, "['80:80']")
    assert answering(one.environment, one.placements) == ["web-1", "web-2"]


@pytest.mark.parametrize(
    ("ports", "url", "expected"),
    [
        ("['80:80']", "http://shop.example", Door(80, False)),
        ("['80:80', '443:443']", "http://shop.example", Door(80, False)),
        ("['80:80', '443:443']", "https://shop.example", Door(443, True)),
        ("['8443:443', '80:80']", "https://shop.example", Door(8443, True)),
        ("['80:80']", "https://shop.example", Door(80, False)),
        ("['9000:8000']", "https://shop.example", Door(9000, False)),
        ("['127.0.0.1:8080:80']", "http://shop.example", Door(8080, False)),
        ("[{target: 80, published: 8080}]", "http://shop.example", Door(8080, False)),
        ("['2019', '80:80']", "http://shop.example", Door(80, False)),
    ],
)
def test_where_a_proxy_listens(tmp_path: Path, ports: str, url: str, expected: Door) -> None:
    assert found(made(tmp_path, ports, url)) == expected


def test_a_port_that_differs_by_host(tmp_path: Path) -> None:
    one = made(tmp_path, "['${PROXY_PORT}:80']")
    assert (found(one).port, found(one, "web-2").port) == (8081, 8082)
    assert doors(one.environment, one.compose, one.placements) == [8081, 8082]


@pytest.mark.parametrize("ports", ["[]", "['80']", "['8080-8090:80']"])
def test_a_proxy_whose_port_nobody_knows(tmp_path: Path, ports: str) -> None:
    one = made(tmp_path, ports)
    with pytest.raises(HeadwayError) as caught:
        found(one)
    assert caught.value.message == (
        "web-1: the proxy publishes no port in the compose file, so it can't be asked there"
    )
    assert doors(one.environment, one.compose, one.placements) == []
    faults = faults_of(one.environment, one.compose, one.placements)
    assert [(fault.where, fault.path) for fault in faults] == [
        ("web-1", "smoke"),
        ("web-2", "smoke"),
    ]
    assert faults[0].mend == "publish one: proxy needs ports: with a number, such as 80:80"


def test_addresses_of_the_site() -> None:
    way = Way("https://shop.example:8443/base")
    assert way.address("/x?y=1") == "https://shop.example:8443/base/x?y=1"
    assert (way.site, way.name, way.port) == ("shop.example:8443", "shop.example", 8443)
    assert (Way("http://a.example").port, Way("https://a.example").port) == (80, 443)
    assert (way.encrypted, Way("http://a.example").encrypted) == (True, False)

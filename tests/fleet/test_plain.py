"""The compose file that most people have: a literal image, a published port, no proxy."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fleet.conftest import Loads, no_failure
from tests.fleet.project import ROOT, WEB, Project, container_ids, on_host, settled

COMPOSE = ROOT / "examples" / "shop" / "compose.plain.yaml"
SECRETS = """REGISTRY_PASSWORD={registry}
DATABASE_PASSWORD=plain-and-simple
DATABASE_URL=postgresql://shop:plain-and-simple@database:5432/shop
SESSION_KEY=0123456789abcdef0123456789abcdef
"""


@pytest.fixture(scope="module")
def plain(
    fleet: None, shop: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """That file on web-1 alone, on the port that the edge takes when nobody answers on 80."""
    folder = tmp_path_factory.mktemp("plain")
    lines = (ROOT / ".sandbox" / "env").read_text().splitlines()
    registry = next(line for line in lines if line.startswith("REGISTRY_PASSWORD="))
    secrets = folder / "secrets"
    secrets.touch(0o600)
    secrets.write_text(SECRETS.format(registry=registry.partition("=")[2].strip("'\"")))
    body = {
        "app": "plain",
        "compose": str(COMPOSE),
        "image": "localhost:5050/shop",
        "registry": shop.body["registry"],
        "url": "http://127.0.0.1:8080",
        "env": {"POSTGRES_IMAGE": "localhost:5050/postgres:17"},
        "secrets": ["DATABASE_URL", "DATABASE_PASSWORD", "SESSION_KEY"],
        "ssh": shop.body["ssh"],
        "hosts": {"web-1": {"address": "127.0.0.1", "port": 22001, "roles": ["web"]}},
        "dotenv": str(secrets),
        "services": {
            "web": {
                "port": 3000,
                "health": "/healthz",
                "probes": ["/"],
                "drain": "5s",
                "version": {"path": "/healthz", "json": "version"},
            }
        },
        "rollout": {"min_healthy_time": "1s", "probe_deadline": "3s", "bake": "2s"},
        "proxy": {"kind": "caddy", "image": "localhost:5050/caddy:2"},
        "database": {
            "kind": "postgres",
            "service": "database",
            "host": "web-1",
            "migrations": "drizzle",
        },
    }
    for host in WEB:
        on_host(
            host,
            "docker stop -t 1 $(docker ps -q --filter "
            "label=com.docker.compose.service=proxy) >/dev/null 2>&1 || true",
        )
    yield Project(folder / "repository", "one", body)
    on_host(
        "web-1",
        "cd /srv/plain && docker compose down -v -t 1 2>&1; rm -rf /srv/plain; "
        "docker network rm plain-slots",
    )
    for host in WEB:
        on_host(
            host,
            "docker start $(docker ps -aq --filter "
            "label=com.docker.compose.service=proxy) >/dev/null 2>&1 || true",
        )


def test_it_is_rolled_and_reverted_unchanged_with_no_failed_request(
    plain: Project, release, load: Loads
) -> None:
    before = COMPOSE.read_bytes()
    first = plain.deploy(release("v1"))
    assert first.exit_code == 0, first.text
    bad = release("bad-plain", "error-500")
    with load() as traffic:
        second = plain.deploy(release("v2"))
        third = plain.deploy(bad)
    assert second.exit_code == 0, second.text
    assert third.exit_code == 4, third.text
    no_failure(traffic)
    assert plain.tags() == {"web-1": "v2"}
    settled("web-1", "/srv/plain", "web")
    assert on_host("web-1", "cat /srv/plain/compose.yaml").encode() == before.strip()
    ids = container_ids("web-1")
    on_host("web-1", "cd /srv/plain && docker compose up -d 2>&1")
    assert container_ids("web-1") == ids
    done = plain.inv("plan", "--tag", "v2", "--detailed-exit-code")
    assert done.exit_code == 0, done.text

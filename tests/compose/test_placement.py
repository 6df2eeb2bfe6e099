"""Which service is on which host, and how it is rolled there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.compose.placement import Placement, Rolled, place
from deploy.errors import SettingsError

from .project import FLEET, HOSTS, PUBLISHED, compose_of, environment_of

SHOP = """\
services:
  database: {image: postgres}
  proxy: {image: caddy}
  web: {image: acme/shop, depends_on: [database]}
  worker: {image: acme/shop}
"""
OWN = "proxy: {kind: own-caddy, service: proxy}\n"
DATABASE = "database: {kind: postgres, service: database, host: db-1}\n"


def placed(
    root: Path, compose: str, hosts: str = HOSTS, values: dict[str, str] | None = None
) -> dict[str, Placement]:
    return place(environment_of(root, hosts), compose_of(root, compose), values or {})


def faults(
    root: Path, compose: str, hosts: str = HOSTS, values: dict[str, str] | None = None
) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        placed(root, compose, hosts, values)
    return [str(fault) for fault in caught.value.faults]


def rolls(placement: Placement) -> dict[str, str]:
    return {one.name: one.order for one in placement.rolled}


def test_each_host_has_the_services_of_its_roles(tmp_path: Path) -> None:
    found = placed(tmp_path, SHOP, FLEET + OWN + DATABASE)
    assert list(found) == ["web-1", "worker-1", "db-1"]
    web, worker, database = found.values()
    assert rolls(web) == {"web": "start-first"}
    assert (web.others, web.absent) == (("proxy",), ("worker", "database"))
    assert rolls(worker) == {"worker": "stop-first"}
    assert (worker.others, worker.absent) == ((), ("web", "database", "proxy"))
    assert rolls(database) == {}
    assert (database.others, database.absent) == (("database",), ("web", "worker", "proxy"))
    assert not any(one.own_proxy for one in found.values())
    assert web.services == ("web", "proxy")


def test_a_single_host_takes_everything(tmp_path: Path) -> None:
    compose = PUBLISHED + "x: 1\n"
    compose = compose.replace("}}", "}, db: {image: postgres}, cache: {image: redis}}")
    (only,) = placed(tmp_path, compose).values()
    assert only == Placement(
        "web-1", (Rolled("web", "start-first", 3000, 30.0, 1),), ("db", "cache"), (), True
    )
    assert only.services == ("web", "db", "cache", "headway-proxy")


def test_services_roll_in_the_order_of_the_hosts_file(tmp_path: Path) -> None:
    compose = 'services: {web: {image: i, ports: ["80:3000"]}, api: {image: i}, jobs: {image: i}}'
    (only,) = placed(tmp_path, compose, HOSTS + "  api: {port: 8000}\n  jobs: {}\n").values()
    assert list(rolls(only)) == ["web", "api", "jobs"]
    hosts = HOSTS.replace("  web:", "  jobs: {}\n  api: {port: 8000}\n  web:")
    (only,) = placed(tmp_path, compose, hosts).values()
    assert list(rolls(only)) == ["jobs", "api", "web"]


def test_how_a_service_is_rolled(tmp_path: Path) -> None:
    web = "{port: 3000, health: /up, probes: [/, /up], version: {path: /v, json: a.b}, drain: 2m}"
    hosts = HOSTS.replace("{role: web, port: 3000}", web)
    hosts = hosts.replace("roles: [web]", "roles: [web], env: {WEB: 3}")
    compose = PUBLISHED.replace('ports: ["80', 'deploy: {replicas: "${WEB}"}, ports: ["80')
    (only,) = placed(tmp_path, compose, hosts, {"WEB": "2"}).values()
    # A host's own environment wins: it does in its .env as well.
    assert only.rolled == (
        Rolled("web", "start-first", 3000, 120.0, 3, ("/up", "/"), ("/v", "a.b")),
    )


def test_a_database_without_a_host_of_its_own_is_on_none_but_its_own(tmp_path: Path) -> None:
    found = placed(tmp_path, SHOP, FLEET + OWN + DATABASE.replace("db-1", "worker-1"))
    assert [host for host, one in found.items() if "database" in one.others] == ["worker-1"]


def test_a_proxy_is_where_something_answers(tmp_path: Path) -> None:
    hosts = FLEET.replace("{role: web, port", "{port") + OWN + DATABASE
    found = placed(tmp_path, SHOP, hosts)
    assert all("proxy" in one.others for one in found.values())
    named = FLEET + "  proxy: {role: db, rolled: false}\n" + OWN + DATABASE
    found = placed(tmp_path, SHOP, named)
    assert [host for host, one in found.items() if "proxy" in one.others] == ["db-1"]


@pytest.mark.parametrize(
    ("service", "own"),
    [("port: 3000", True), ("port: 3000, order: stop-first", False), ("order: start-first", False)],
)
def test_headways_caddy_is_where_something_has_slots(
    tmp_path: Path, service: str, own: bool
) -> None:
    compose = PUBLISHED if "port:" in service else "services: {web: {image: i}}"
    (only,) = placed(tmp_path, compose, HOSTS.replace("port: 3000", service)).values()
    assert only.own_proxy is own


def test_one_shots_run_first_and_where_they_are_waited_for(tmp_path: Path) -> None:
    compose = """\
services:
  web:
    image: ${IMAGE:?}
    ports: ["80:3000"]
    depends_on: {assets: {condition: service_completed_successfully}}
  worker:
    image: ${IMAGE}
    depends_on: {init: {condition: service_completed_successfully}, web: {}}
  assets: {image: "${IMAGE:-dev}"}
  init: {build: .}
"""
    found = placed(tmp_path, compose, FLEET)
    assert rolls(found["web-1"]) == {"assets": "one-shot", "web": "start-first"}
    assert rolls(found["worker-1"]) == {"init": "one-shot", "worker": "stop-first"}
    assert rolls(found["db-1"]) == {}
    assert found["web-1"].rolled[0] == Rolled("assets", "one-shot", None, 0, 1)


def test_a_tool_behind_a_profile_is_left_alone(tmp_path: Path) -> None:
    compose = SHOP + "  adminer: {image: adminer, profiles: [tools]}\n"
    hosts = FLEET + OWN + DATABASE
    for one in placed(tmp_path, compose, hosts).values():
        assert "adminer" not in (*one.services, *one.absent)
    # Asked for, it is a service like any other.
    awake = faults(tmp_path, compose, hosts, {"COMPOSE_PROFILES": "a, tools"})
    assert "adminer is in compose.yaml, and nothing says on which hosts it runs" in awake[0]
    assert len(faults(tmp_path, compose, hosts, {"COMPOSE_PROFILES": "*"})) == 1
    named = hosts.replace("services:", "services:\n  adminer: {role: db, rolled: false}")
    assert "adminer" in placed(tmp_path, compose, named)["db-1"].others


STOP = "or let it stop first: services.web.order: stop-first"
FAULTS = [
    (HOSTS + "  api: {}\n", PUBLISHED,
     ["hosts/production.yaml  services.api: compose.yaml has no service api; it has web"]),
    (FLEET + OWN + DATABASE, "services: {web: {image: i}, worker: {image: i}}",
     ["hosts/production.yaml  proxy.service: compose.yaml has no service proxy; "
      "it has web, worker",
      "hosts/production.yaml  database.service: compose.yaml has no service database; "
      "it has web, worker"]),
    (FLEET + OWN, SHOP,
     ["hosts/production.yaml  services: database is in compose.yaml, and nothing says on which "
      "hosts it runs; add services.database: {role: …, rolled: false}"]),
    (HOSTS, PUBLISHED.replace("}}", "}, db: {build: ./db}}"),
     ["compose.yaml  services.db: has no image, and a host does not build; "
      "push its image and name it there, or roll it: services.db"]),
    (HOSTS, "services: {web: {image: i, network_mode: host}}",
     [f"compose.yaml  services.web.network_mode: is host, so no two of them can run side by side; "
      f"take it away, {STOP}"]),
    (HOSTS, "services: {web: {image: i, network_mode: none}}",
     [f"compose.yaml  services.web.network_mode: is none, so no two of them can be in a slot; "
      f"take it away, {STOP}"]),
    (HOSTS, "services: {web: {image: i, network_mode: 'container:vpn'}}",
     ["compose.yaml  services.web.network_mode: is container:vpn, so no two of them can run side "
      f"by side; take it away, {STOP}"]),
    (HOSTS, "services: {web: {image: i, networks: {front: {ipv4_address: 10.0.0.9}, back: }}}",
     ["compose.yaml  services.web.networks.front: is a fixed address, so two of them cannot run "
      f"side by side; take it away, {STOP}"]),
    (HOSTS, "services: {web: {image: i, ports: ['80:3000', '9229:9229', '443:3000/udp', "
     "'8000-8001:3000', 3000]}}",
     ["compose.yaml  services.web.ports: 9229:9229: only one container can hold it, and the proxy "
      f"takes over 3000 alone; take it away, {STOP}",
      "compose.yaml  services.web.ports: 443:3000/udp: only one container can hold it, and the "
      f"proxy takes over 3000 alone; take it away, {STOP}",
      "compose.yaml  services.web.ports: 8000-8001:3000: only one container can hold it, and the "
      f"proxy takes over 3000 alone; take it away, {STOP}"]),
    (HOSTS.replace("port: 3000", "order: start-first"), PUBLISHED,
     ["compose.yaml  services.web.ports: 80:3000: only one container can hold it; "
      f"take it away, {STOP}"]),
    (HOSTS, PUBLISHED.replace("ports", "volumes: [uploads:/u, ./a:/a], ports"),
     ["compose.yaml  services.web.volumes: uploads: the old container and the new one would write "
      "to it at once; say services.web.order: start-first if they may, or stop-first"]),
    (HOSTS, "services: {web: {image: acme/shop, ports: ['80:3000'], depends_on: "
     "{init: {condition: service_completed_successfully}}}, init: {image: busybox}}",
     ["compose.yaml  services.init.image: is not the image of web, which waits until init has "
      "ended well; give it that image, or wait for it by another condition"]),
    (HOSTS + OWN, "services: {web: {image: i}, proxy: {image: caddy, network_mode: host}}",
     ["compose.yaml  services.proxy.network_mode: keeps it out of the network in which it finds "
      "the slots; take it away, and publish its ports"]),
    (HOSTS, "services: {web: {image: i}}",
     ["compose.yaml  services.web.ports: publishes none, so Headway's Caddy would answer nowhere; "
      'publish one ("80:3000"), or name a proxy of your own: '
      "proxy: {kind: own-caddy, service: NAME}"]),
    (HOSTS + "  api: {port: 3000}\n",
     "services: {web: {image: i, ports: ['80:3000']}, api: {image: i, ports: ['81:3000']}}",
     ["hosts/production.yaml  services.api.port: is 3000, as web's, and Headway's Caddy answers "
      "there for one; let one of them answer on another port, or name a proxy of your own"]),
    (HOSTS, PUBLISHED.replace("}}", "}, vpn: {image: v, network_mode: 'service:web'}, "
     "x: {image: x, ipc: 'service:vpn', volumes_from: ['web:ro', 'container:y']}}"),
     ["compose.yaml  services.vpn.network_mode: needs a container of web, which is rolled or runs "
      "elsewhere; take it away",
      "compose.yaml  services.x.volumes_from: needs a container of web, which is rolled or runs "
      "elsewhere; take it away"]),
]  # fmt: skip


@pytest.mark.parametrize(("hosts", "compose", "expected"), FAULTS)
def test_what_does_not_fit(tmp_path: Path, hosts: str, compose: str, expected: list[str]) -> None:
    assert faults(tmp_path, compose, hosts) == expected


@pytest.mark.parametrize(
    "keys",
    [
        "network_mode: host",
        "network_mode: none",
        "networks: {front: {ipv4_address: 10.0.0.9}}",
        "ports: ['9229:9229', '443:443/udp']",
        "volumes: [uploads:/u]",
    ],
)
def test_what_stops_first_may_have_all_that(tmp_path: Path, keys: str) -> None:
    hosts = HOSTS.replace("port: 3000", "port: 3000, order: stop-first")
    (only,) = placed(tmp_path, f"services: {{web: {{image: i, {keys}}}}}", hosts).values()
    assert rolls(only) == {"web": "stop-first"}


@pytest.mark.parametrize(
    ("keys", "order"),
    [
        ("volumes: [uploads:/u]", ", order: start-first"),
        ("volumes: [uploads:/u:ro]", ""),
        ("volumes: [uploads:/u], deploy: {replicas: 2}", ""),
        ("networks: {front: {aliases: [shop]}, back: }", ""),
        ("network_mode: bridge", ""),
    ],
)
def test_what_may_start_first(tmp_path: Path, keys: str, order: str) -> None:
    hosts = HOSTS.replace("port: 3000", f"port: 3000{order}")
    compose = PUBLISHED.replace("ports", f"{keys}, ports")
    (only,) = placed(tmp_path, compose, hosts).values()
    assert rolls(only) == {"web": "start-first"}


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    compose = """\
services:
  web: {image: i, network_mode: host, volumes: [data:/d]}
  other: {image: o}
"""
    hosts = FLEET.replace("  worker:", "  work:")
    assert [line.split(": ", 1)[0] for line in faults(tmp_path, compose, hosts)] == [
        "hosts/production.yaml  services.work",
        "hosts/production.yaml  services",
        "compose.yaml  services.web.network_mode",
        "compose.yaml  services.web.volumes",
    ]


def test_the_same_fault_of_many_hosts_is_told_once(tmp_path: Path) -> None:
    hosts = FLEET.replace("roles: [worker]", "roles: [worker, web]")
    compose = "services: {web: {image: i}, worker: {image: i}}"
    assert len(faults(tmp_path, compose, hosts)) == 1


@pytest.mark.parametrize("name", ["a b", "-x", "a;id", "a\nb"])
def test_a_name_that_is_no_word_is_refused(tmp_path: Path, name: str) -> None:
    compose = json.dumps({"services": {"web": {"image": "acme/shop"}, name: {"image": "x"}}})
    found = faults(tmp_path, compose)
    assert f"compose.yaml  services.{name!r}: is no name of a service" in found[0]


@pytest.mark.parametrize("image", ["a b", "-x", "a\nservice web start-first - 0 1 -"])
def test_an_image_that_is_no_word_is_refused(tmp_path: Path, image: str) -> None:
    """Filled in, as it goes to the hosts."""
    compose = json.dumps({"services": {"web": {"image": "acme/shop"}, "db": {"image": "$DB"}}})
    found = faults(tmp_path, compose, values={"DB": image})
    assert found[0].startswith("compose.yaml  services.db.image: is no name of an image")

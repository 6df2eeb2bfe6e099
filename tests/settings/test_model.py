"""What a good hosts file becomes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from deploy.settings import Environment, Gateway, HostEntry, Proxy, Service, VersionProbe, load
from deploy.settings.database import Apply

from .repository import GOOD, loaded, write


def test_the_least_that_can_be_written(tmp_path: Path) -> None:
    environment = loaded(tmp_path, GOOD)
    assert (environment.name, environment.app) == ("production", "shop")
    assert environment.root == tmp_path
    assert environment.file == tmp_path / "hosts/production.yaml"
    assert environment.path == "/srv/shop"
    assert environment.compose == tmp_path / "compose.yaml"
    assert environment.dotenv == tmp_path / ".env.production"
    assert environment.ssh.known_hosts == tmp_path / "hosts/known_hosts"
    assert environment.ssh.key is None
    assert environment.proxy == Proxy(kind="caddy", image="caddy:2")
    assert environment.database is None
    assert list(environment.hosts) == ["web-1", "web-2"]


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    environment = loaded(
        tmp_path,
        f"{GOOD}path: /opt/{{app}}/\ncompose: examples/compose.yaml\n"
        "dotenv: ../env/{environment}\n"
        "files: [./Caddyfile, conf//nginx.conf]\nssh: {key: ~/.ssh/id, known_hosts: ../known}\n",
    )
    assert environment.path == "/opt/shop"
    assert environment.compose == tmp_path / "examples/compose.yaml"
    assert environment.dotenv == tmp_path / "env/production"
    assert environment.files == ["Caddyfile", "conf/nginx.conf"]
    assert environment.ssh.key == Path("/home/ana/.ssh/id")
    assert environment.ssh.known_hosts == tmp_path / "known"


def test_a_relative_root_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert loaded(Path(), GOOD).compose == tmp_path / "compose.yaml"


def test_variables_stay_as_they_are_written(tmp_path: Path) -> None:
    env = "{A: 1.10, B: 0755, C: yes, D: True, E: '', F: 2026-11-22, G: 1e3, H: a\u00e9}"
    text = f"{GOOD}env: {env}\n".replace("113.11, ", "113.11, env: {W: 007}, ")
    environment = loaded(tmp_path, text)
    assert environment.env == {
        "A": "1.10", "B": "0755", "C": "yes", "D": "True", "E": "", "F": "2026-11-22", "G": "1e3",
        "H": "aé",
    }  # fmt: skip
    assert environment.hosts["web-1"].env == {"W": "007"}


@pytest.mark.parametrize(
    ("written", "gateway"),
    [
        ("b.example", Gateway(address="b.example")),
        ("ana@b.example", Gateway(address="b.example", user="ana")),
        ("ana@b.example:2222", Gateway(address="b.example", port=2222, user="ana")),
        ("2001:db8::1", Gateway(address="2001:db8::1")),
        ("'[2001:db8::1]:2222'", Gateway(address="2001:db8::1", port=2222)),
        ("{address: b.example, user: ana}", Gateway(address="b.example", user="ana")),
    ],
)
def test_gateways(tmp_path: Path, written: str, gateway: Gateway) -> None:
    assert loaded(tmp_path, f"{GOOD}ssh: {{gateway: {written}}}\n").ssh.gateway == gateway


def test_durations_become_seconds(tmp_path: Path) -> None:
    environment = loaded(
        tmp_path, f"{GOOD}rollout: {{bake: 1m30s, min_healthy_time: 500ms, healthy_deadline: 90}}\n"
    )
    rollout = environment.rollout
    assert (rollout.bake, rollout.min_healthy_time, rollout.healthy_deadline) == (90, 0.5, 90)


@pytest.mark.parametrize(
    ("service", "order"),
    [
        (Service(port=80), "start-first"),
        (Service(), "stop-first"),
        (Service(port=80, order="stop-first"), "stop-first"),
        (Service(order="start-first"), "start-first"),
    ],
)
def test_the_order_follows_the_port(service: Service, order: str) -> None:
    assert service.effective == order


def test_one_image_for_all_rolled_services(tmp_path: Path) -> None:
    environment = loaded(tmp_path, GOOD + "  cron: {rolled: false}\n")
    assert environment.image_of("web") == "ghcr.io/acme/shop"
    assert environment.image_of("cron") is None
    assert environment.image_of("database") is None


def test_an_image_for_each_service(tmp_path: Path) -> None:
    text = GOOD.replace(
        "image: ghcr.io/acme/shop", "image: {api: acme/api, web: localhost:5050/web}"
    )
    environment = loaded(tmp_path, text + "  api: {port: 80}\n")
    assert environment.image_of("web") == "localhost:5050/web"
    assert environment.image_of("api") == "acme/api"
    assert isinstance(environment.image, dict)
    assert list(environment.image) == ["api", "web"]


@pytest.mark.parametrize(
    ("written", "proxy"),
    [
        ("caddy", Proxy()),
        ("{image: registry.example/caddy:2.9}", Proxy(image="registry.example/caddy:2.9")),
        ("{kind: own-caddy, service: edge}", Proxy(kind="own-caddy", service="edge")),
        ("{kind: haproxy, service: edge}", Proxy(kind="haproxy", service="edge")),
    ],
)
def test_proxies(tmp_path: Path, written: str, proxy: Proxy) -> None:
    assert loaded(tmp_path, f"{GOOD}proxy: {written}\n").proxy == proxy


def test_hosts_of_another_file(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(
        "web-9: {address: 203.0.113.19, roles: [web], env: {A: 010}}\n"
    )
    text = GOOD[: GOOD.index("hosts:")] + "hosts: ../fleet.yaml\n" + GOOD[GOOD.index("services:") :]
    assert loaded(tmp_path, text).hosts == {
        "web-9": HostEntry(address="203.0.113.19", roles=["web"], env={"A": "010"})
    }


def test_the_site_has_no_slash_at_its_end(tmp_path: Path) -> None:
    assert loaded(tmp_path, f"{GOOD}url: https://shop.example:8443/de/\n").url == (
        "https://shop.example:8443/de"
    )


def test_values_are_frozen(tmp_path: Path) -> None:
    environment: Any = loaded(
        tmp_path, GOOD.replace("port: 3000", "port: 1, version: {path: /, json: v}")
    )
    with pytest.raises(ValidationError, match="frozen"):
        environment.app = "other"
    with pytest.raises(ValidationError, match="frozen"):
        environment.rollout.canary = 2
    assert environment.services["web"].version == VersionProbe(path="/", json="v")
    with pytest.raises(AttributeError):
        environment.services["web"].version.path = "/other"


def test_an_environment_can_be_made_by_hand() -> None:
    environment = Environment(
        name="test",
        file=Path("/r/hosts/test.yaml"),
        root=Path("/r"),
        app="shop",
        image="acme/shop",
        hosts={"web-1": HostEntry(address="203.0.113.11", roles=["web"])},
        services={"web": Service(role="web", port=3000)},
    )
    assert environment.path == "/srv/shop"
    assert environment.image_of("web") == "acme/shop"


REQUIRED = {
    "production asks for it": ("production", "", True),
    "no other does": ("staging", "", False),
    "production that does not": ("production", "backup: {required: false}", False),
    "another that does": ("staging", "backup: {required: true}", True),
}


@pytest.mark.parametrize(("name", "backup", "required"), REQUIRED.values(), ids=REQUIRED)
def test_who_needs_a_backup(tmp_path: Path, name: str, backup: str, required: bool) -> None:
    database = f"database:\n  kind: postgres\n  service: db\n  host: web-1\n  {backup}\n"
    write(tmp_path, f"{GOOD}{database}", name)
    assert load(tmp_path, name, {}).backup_required is required


@pytest.mark.parametrize(
    ("name", "more", "required"),
    [
        ("production", "", True),
        ("staging", "", False),
        ("production", "downs: optional", False),
        ("staging", "downs: required", True),
    ],
)
def test_who_needs_ways_back(tmp_path: Path, name: str, more: str, required: bool) -> None:
    database = "database:\n  kind: postgres\n  service: db\n  host: web-1\n  migrations: drizzle\n"
    write(tmp_path, f"{GOOD}{database}  {more}\n", name)
    assert load(tmp_path, name, {}).downs_required is required


def test_without_a_database_nobody_needs_one(tmp_path: Path) -> None:
    assert loaded(tmp_path, GOOD).backup_required is False
    assert loaded(tmp_path, GOOD).downs_required is False


@pytest.mark.parametrize(
    ("name", "more", "mode"),
    [
        ("production", "", "data"),
        ("staging", "", "schema"),
        ("staging", "backup: {required: true}", "data"),
        ("production", "backup: {required: false}", "schema"),
        ("production", "rehearsal: {memory: 512MiB}", "data"),
        ("production", "rehearsal: {mode: off}", "off"),
        ("staging", "rehearsal: {mode: data}", "data"),
    ],
)
def test_what_is_rehearsed_on(tmp_path: Path, name: str, more: str, mode: str) -> None:
    database = "database:\n  kind: postgres\n  service: db\n  host: web-1\n  migrations: drizzle\n"
    write(tmp_path, f"{GOOD}{database}  {more}\n", name)
    assert load(tmp_path, name, {}).rehearsal_mode == mode


def test_without_a_database_nothing_is_rehearsed(tmp_path: Path) -> None:
    assert loaded(tmp_path, GOOD).rehearsal_mode == "off"


def test_a_url_needs_no_host(tmp_path: Path) -> None:
    text = f"{GOOD}database: {{kind: postgres, url: DATABASE_URL, migrations: drizzle}}\n"
    environment = loaded(tmp_path, text, {"DATABASE_URL": "postgres://a@h/x"})
    assert environment.database
    assert environment.database.host is None
    assert environment.database.image == "postgres:{major}"


DATABASE = "database: {kind: postgres, service: db, host: web-1, migrations: drizzle, apply: APPLY}"
APPLIED = {
    "headway": ("headway", "", 900),
    "{by: headway}": ("headway", "", 900),
    "push": ("push", "npx drizzle-kit push", 900),
    "{by: push, command: npm run db-push, timeout: 5m}": ("push", "npm run db-push", 300),
    "{command: npx drizzle-kit migrate}": ("command", "npx drizzle-kit migrate", 900),
    "{command: npx drizzle-kit migrate --config=push.ts}": (
        "command",
        "npx drizzle-kit migrate --config=push.ts",
        900,
    ),
    "{command: 'npx drizzle-kit migrate && git push --force'}": (
        "command",
        "npx drizzle-kit migrate && git push --force",
        900,
    ),
}


@pytest.mark.parametrize(("written", "found"), APPLIED.items(), ids=APPLIED)
def test_who_applies_the_migrations(
    tmp_path: Path, written: str, found: tuple[str, str, float]
) -> None:
    write(tmp_path, f"{GOOD}{DATABASE.replace('APPLY', written)}\n", "staging")
    environment = load(tmp_path, "staging", {})
    assert environment.database is not None
    apply = environment.database.apply
    assert (environment.applied_by, apply.typed, apply.timeout) == found


def test_nothing_is_applied_where_there_are_no_migrations(tmp_path: Path) -> None:
    assert loaded(tmp_path, GOOD).applied_by == ""
    without = DATABASE.replace(", migrations: drizzle, apply: APPLY", "")
    assert loaded(tmp_path, f"{GOOD}{without}\n").applied_by == ""


KITS = {
    "npx drizzle-kit migrate": True,
    "unset PGOPTIONS; npx drizzle-kit migrate --config=drizzle.config.ts": True,
    "npx drizzle-kit --config x 'migrate'": True,
    "node migrate.mjs": False,
    "npx drizzle-kit check && node migrate.mjs": False,
    "npx drizzle-kit migrate-all": False,
}


@pytest.mark.parametrize(("command", "kit"), KITS.items(), ids=KITS)
def test_which_command_is_drizzle_kit(command: str, kit: bool) -> None:
    assert Apply(by="command", command=command).drizzle_kit is kit
    assert not Apply().drizzle_kit

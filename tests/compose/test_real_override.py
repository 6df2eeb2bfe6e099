"""The golden cases through the real Compose: what plain `docker compose` reads on each host."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.compose.file import FLATTEN
from deploy.compose.placement import HEADWAY_PROXY

from .cases import CASES, NAMES, SECRETS, Case
from .real import config, plain, run

pytestmark = pytest.mark.fleet

EVERYWHERE = [
    (path.parent.name, path.stem.removeprefix("expected-"))
    for path in sorted(CASES.glob("*/expected-*.yaml"))
]
RELEASE = ".headway/releases/v2-0a1b2c3d"


@dataclass(frozen=True)
class OnHost:
    """A case on one host: its folder there, and the model that plain Compose reads in it."""

    case: Case
    host: str
    folder: Path
    services: dict[str, Any]
    model: dict[str, Any]

    @classmethod
    def of(cls, name: str, host: str, root: Path) -> OnHost:
        case = Case.read(name, root / "repository")
        folder = root / "srv"
        case.lay_out(host, folder)
        answer = config(folder)
        assert answer.model is not None, answer.said
        assert answer.said == ""
        return cls(case, host, folder, answer.services, answer.model)


@pytest.fixture(params=EVERYWHERE, ids="-".join)
def on_host(request: pytest.FixtureRequest, tmp_path: Path) -> OnHost:
    return OnHost.of(*request.param, tmp_path)


def test_every_case(on_host: OnHost) -> None:
    case, services = on_host.case, on_host.services
    placement = case.placements[on_host.host]
    # Services of other roles are absent, and tools asleep.
    assert services.keys() == set(placement.services)
    assert on_host.model["name"] == case.environment.app
    for rolled in placement.rolled:
        body = services[rolled.name]
        assert body["image"] == case.images[rolled.name]
        assert "@sha256:" in body["image"]
        if rolled.order == "start-first":
            assert "container_name" not in body
            assert "ports" not in body
    for body in services.values():
        assert set(body.get("depends_on", {})) <= set(placement.others)
        assert "profiles" not in body
    proxy = HEADWAY_PROXY if placement.own_proxy else case.environment.proxy.service
    if proxy in services:
        assert "headway-slots" in services[proxy]["networks"]
        slots = on_host.model["networks"]["headway-slots"]
        assert (slots["name"], slots["external"]) == (f"{case.environment.app}-slots", True)
        mounts = {mount["target"]: mount for mount in services[proxy]["volumes"]}
        assert mounts["/slots"]["source"] == str(on_host.folder / "slots")
        assert mounts["/etc/headway"]["source"] == str(on_host.folder / ".headway/proxy")
        assert mounts["/slots"]["read_only"]
        assert mounts["/etc/headway"]["read_only"]
    else:
        assert "headway-slots" not in on_host.model.get("networks", {})


def test_the_arrows_read_what_a_person_reads(on_host: OnHost) -> None:
    release = on_host.folder / RELEASE
    files = ("-f", f"{release}/compose.yaml", "-f", f"{release}/host.yaml")
    app = on_host.case.environment.app
    answer = config(
        release,
        *("--project-directory", str(on_host.folder), "-p", app),
        *("--env-file", f"{release}/.env", *files),
    )
    assert answer.model == on_host.model


def test_a_release_leaves_alone_what_is_not_rolled(on_host: OnHost) -> None:
    """With another release's override, Compose sees no change in what does not roll."""
    before = hashes(on_host.folder)
    on_host.case.lay_out(on_host.host, on_host.folder, release="v3-99999999")
    after = hashes(on_host.folder)
    placement = on_host.case.placements[on_host.host]
    kept = {name for name in after if before[name] == after[name]}
    assert kept >= {*placement.others, *([HEADWAY_PROXY] if placement.own_proxy else [])}
    own = {name for name in after if on_host.services[name].get("secrets")}
    assert own - {*placement.others} <= {*after} - kept


def hashes(folder: Path) -> dict[str, str]:
    """Service → the hash by which Compose sees that its configuration has changed.

    Through `config` first, or what is in an `env_file` is not hashed, as it is for `up`.
    """
    whole = run(folder, "config")
    assert whole.returncode == 0, whole.stderr
    done = run(folder, "-f", "-", "config", "--hash", "*", stdin=whole.stdout)
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


def test_the_shop(tmp_path: Path) -> None:
    web = OnHost.of("shop", "web-1", tmp_path / "web")
    assert web.services["proxy"]["networks"].keys() == {"default", "headway-slots"}
    assert [mount["target"] for mount in web.services["proxy"]["volumes"]] == [
        "/etc/caddy/Caddyfile", "/slots", "/etc/headway",
    ]  # fmt: skip
    assert web.services["proxy"]["ports"][0]["published"] == "80"
    assert web.services["web"]["environment"]["HOST_NAME"] == "web-1"
    assert plain(web.services["web"]["environment"]["DATABASE_URL"]) == "postgres://shop:x@db/shop"
    database = OnHost.of("shop", "db-1", tmp_path / "db")
    password = database.services["database"]["environment"]["POSTGRES_PASSWORD"]
    assert plain(password) == "p'$w"
    assert database.services["database"]["ports"][0]["published"] == "5432"


def test_the_plain_shop(tmp_path: Path) -> None:
    one = OnHost.of("plain", "all-1", tmp_path)
    assert one.services["database"]["container_name"] == "shop-database"
    (port,) = one.services[HEADWAY_PROXY]["ports"]
    assert (port["published"], port["target"]) == ("3000", 3000)
    assert one.services["web"]["depends_on"]["database"]["condition"] == "service_healthy"
    # env_file: .env is the release's own.
    assert plain(one.services["web"]["environment"]["DATABASE_PASSWORD"]) == "p'$w"
    assert one.services["web"]["environment"]["HEADWAY_RELEASE"] == "v2-0a1b2c3d"


def test_front_and_back(tmp_path: Path) -> None:
    one = OnHost.of("front-and-back", "one", tmp_path / "one")
    found = [
        (port.get("host_ip"), port["published"], port["target"])
        for port in one.services[HEADWAY_PROXY]["ports"]
    ]
    assert found == [("127.0.0.1", "8080", 8000), (None, "80", 3000), (None, "443", 3000)]
    assert one.services["front"]["deploy"]["replicas"] == 2
    assert one.services["back"]["environment"] == {
        "CACHE": "cache", "VERSION": "v2", "PRICE": "5 $$",
    }  # fmt: skip
    assert one.services["back"]["logging"]["options"] == {"max-size": "10m"}
    assert list(one.services["back"]["depends_on"]) == ["cache"]
    two = OnHost.of("front-and-back", "two", tmp_path / "two")
    assert [port["published"] for port in two.services[HEADWAY_PROXY]["ports"]] == ["8081"]


def test_what_is_carried_comes_out_of_the_release(tmp_path: Path) -> None:
    one = OnHost.of("carried", "one", tmp_path)
    web, database = one.services["web"], one.services["database"]
    beside = one.folder / RELEASE / "beside"
    mounts = {mount["target"]: mount for mount in web["volumes"]}
    assert mounts["/etc/app.ini"]["source"] == str(beside / "app.ini")
    assert mounts["/etc/app.ini"]["read_only"]
    assert mounts["/etc/conf.d"]["source"] == str(beside / "conf.d")
    assert (beside / "conf.d/main.conf").is_file()
    assert mounts["/tmp"]["tmpfs"] == {"size": "1000000", "mode": 0o1777}
    assert mounts["/uploads"]["source"] == str(one.folder / "uploads")
    assert web["environment"]["A"] == "1"
    assert web["environment"]["HEADWAY_RELEASE"] == "v2-0a1b2c3d"
    for kind, name, file in (("secrets", "key", "key.txt"), ("configs", "app", "app.ini")):
        named = f"{name}-v2-0a1b2c3d"
        assert {entry["source"] for entry in web[kind]} == {named}
        assert one.model[kind][named]["file"] == str(beside / file)
        # What is not rolled reads the folder's own, which stays where it is.
        assert {entry["source"] for entry in database[kind]} == {name}
        assert one.model[kind][name]["file"] == str(one.folder / file)
    assert [entry["target"] for entry in web["secrets"]] == ["key", "other-key"]
    assert [entry["target"] for entry in web["configs"]] == ["/app", "/etc/app/app.ini"]
    assert plain(database["environment"]["CONF"]) == "./app.ini"
    assert database["environment"]["POSTGRES_DB"] == "shop"
    assert database["environment"]["SHOP_IMAGE"] == ""
    assert [mount["source"] for mount in database["volumes"]] == [str(one.folder / "app.ini")]


def test_secrets_as_files(tmp_path: Path) -> None:
    """One comes from the host's .env and is in no container's environment; one is on the host."""
    one = OnHost.of("secrets", "one", tmp_path)
    web = one.services["web"]
    assert [(entry["source"], entry.get("target")) for entry in web["secrets"]] == [
        ("session_key-v2-0a1b2c3d", "session_key"), ("tls_key", "tls.key"),
    ]  # fmt: skip
    assert web["environment"] == {"SESSION_KEY_FILE": "/run/secrets/session_key"}
    secrets = one.model["secrets"]
    assert secrets["session_key-v2-0a1b2c3d"]["environment"] == "SESSION_KEY"
    assert secrets["tls_key"]["file"] == "/etc/shop/tls.key"
    # The value is in the .env that Headway has written there, and Compose shows it nowhere.
    assert SECRETS["SESSION_KEY"] in (one.folder / ".env").read_text()
    assert SECRETS["SESSION_KEY"] not in run(one.folder, "config").stdout


def test_a_new_value_of_a_secret_makes_new_containers(tmp_path: Path) -> None:
    """Its value is in no hash; the name of the release that it is another one by is."""
    one = OnHost.of("secrets", "one", tmp_path)
    before = hashes(one.folder)
    env = one.folder / ".env"
    env.write_text(env.read_text().replace("SESSION_KEY=", "SESSION_KEY=x"))
    assert hashes(one.folder) == before
    one.case.lay_out(one.host, one.folder, release="v2-99999999")
    assert hashes(one.folder)["web"] != before["web"]


def test_profiles_and_links(tmp_path: Path) -> None:
    web = OnHost.of("by-profile", "web-1", tmp_path / "web")
    assert web.services.keys() == {"web", "proxy"}
    assert "links" not in web.services["web"]
    assert web.services["web"]["networks"]["front"] == {"aliases": ["shop"]}
    assert web.services["proxy"]["networks"].keys() == {"front", "headway-slots"}
    database = OnHost.of("by-profile", "db-1", tmp_path / "db")
    assert database.services["cron"]["links"] == ["db"]
    # A tool can still be had by its own profile.
    tools = config(database.folder, "--profile", "tools")
    assert tools.services.keys() == {"db", "cron", "adminer"}


def test_a_service_asleep_has_no_hash(tmp_path: Path) -> None:
    """Why a profile is taken from what runs: without a hash no plan could ever be empty."""
    (tmp_path / "compose.yaml").write_text(
        "services: {web: {image: i, profiles: [app]}, db: {image: d}}"
    )
    assert hashes(tmp_path).keys() == {"db"}


def test_a_secrets_file_is_in_no_hash(tmp_path: Path) -> None:
    """Why a carried secret has a name of its release's own."""
    text = "services: {web: {image: i, secrets: [s]}}\nsecrets: {s: {file: ./FILE}}\n"
    found = set()
    for name in ("a", "b"):
        (tmp_path / "compose.yaml").write_text(text.replace("FILE", name))
        found.add(hashes(tmp_path)["web"])
    assert len(found) == 1


def test_the_mend_for_several_files(tmp_path: Path) -> None:
    """What `deploy.compose.file.read` says to type makes one file that it then reads."""
    from deploy.compose.file import read

    (tmp_path / "base.yaml").write_text(
        "services: {base: {image: 'shop:${TAG:-x}', env_file: app.env, volumes: ['./conf:/c']}}"
    )
    (tmp_path / "app.env").write_text("PASSWORD=hidden\n")
    (tmp_path / "compose.yaml").write_text(
        "services: {web: {extends: {file: base.yaml, service: base}, profiles: [app]}}"
    )
    done = run(tmp_path, *(word.strip("'") for word in FLATTEN.split()[2:]))
    assert done.returncode == 0, done.stderr
    (tmp_path / "compose.flat.yaml").write_text(done.stdout)
    flat = read(tmp_path / "compose.flat.yaml", tmp_path)
    assert flat.services["web"]["image"] == "shop:${TAG:-x}"
    assert flat.binds("web", {}) == [(0, "conf")]
    assert [one.path for one in flat.env_files("web", {})] == ["app.env"]
    assert "hidden" not in done.stdout


def test_all_cases_are_here() -> None:
    assert {name for name, _ in EVERYWHERE} == set(NAMES)

"""What `check` finds, over hosts that are not there: all of it at once, each with its mend."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import Fault, SettingsError, Unreachable
from deploy.examine import examine
from deploy.remote.fake import Call, FakeHost, says
from deploy.situation import Situation
from deploy.tasks.check import _rendered

from .compose.project import compose_of, environment_of

if TYPE_CHECKING:
    from deploy.remote.host import Result

COMPOSE = """\
services:
  web: {image: acme/shop, ports: ['80:3000']}
  database: {image: 'postgres:17'}
"""
HOSTS = """\
app: shop
image: ghcr.io/acme/shop
secrets: [DATABASE_URL]
hosts:
  web-1: {address: 203.0.113.11, roles: [web]}
  db-1: {address: 203.0.113.31, roles: [db]}
services:
  web: {role: web, port: 3000}
  database: {role: db, rolled: false}
database: {kind: postgres, %s}
"""
SERVICE = "service: database, host: db-1, migrations: drizzle"
URL = "url: DATABASE_URL, migrations: drizzle"
GIB = 1024 * 1024
ROWS = {"id": 1, "hash": "h", "created_at": 1}


def lines(*events: dict[str, Any]) -> Result:
    return says("".join(f"{json.dumps(event)}\n" for event in events))


def facts(*more: dict[str, Any], docker: dict[str, str] | None = None) -> Result:
    return lines(
        {"event": "host", "user": "deploy", "arch": "x86_64", "time": "1"},
        {"event": "folder", "writable": "yes", "exists": "yes"},
        {"event": "docker", **(docker or {"version": "26.1.5"})},
        {"event": "compose", "version": "2.26.1"},
        *more,
    )


DATABASE = {
    "event": "container",
    "id": "0123456789abcdef",
    "service": "database",
    "state": "running",
    "health": "",
    "restarts": 0,
    "started": "",
    "image": "postgres:17",
    "hash": "h",
}
RELEASE = {"event": "release_now", "id": "v1-0a1b2c3d"}


class Hosts:
    """Two hosts that are well, with a database that has rows and much room; what is asked of it."""

    def __init__(self) -> None:
        self.facts = facts(RELEASE, DATABASE)
        self.survey = self.shelf(free_kb=100 * GIB)
        self.rows = says(f"v0\n{json.dumps(ROWS)}\n")
        self.asked: list[str] = []

    @staticmethod
    def shelf(free_kb: int) -> Result:
        return lines(
            {"event": "database", "client": "17.2", "facts": {"database_bytes": GIB * 1024}},
            {"event": "room", "free_kb": str(free_kb), "mount": "/srv"},
        )

    def answer(self, call: Call) -> Result:
        last = call.argv[2].rstrip().splitlines()[-1]
        if last.startswith("facts"):
            return self.facts if call.host == "db-1" else facts(RELEASE)
        what = (
            "rows" if b"to_regclass" in call.stdin else "survey" if "survey" in last else "version"
        )
        self.asked.append(f"{call.host}: {what}")
        return says("170002\n") if what == "version" else getattr(self, what)  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.examine.find_images", lambda _situation, _tag: {})


def situation(
    root: Path, hosts: Hosts, database: str = SERVICE, url: str = "postgresql://shop@10.0.0.1/shop"
) -> Situation:
    compose_of(root, COMPOSE)
    environment = environment_of(root, HOSTS % database, {"DATABASE_URL": url})
    made = Situation.of(environment)
    made.hosts = {name: FakeHost(name, hosts.answer) for name in environment.hosts}
    return made


def test_a_database_that_is_well_is_asked_what_a_deploy_asks(tmp_path: Path) -> None:
    hosts = Hosts()
    made = situation(tmp_path, hosts)
    assert examine(made) == []
    assert hosts.asked == ["db-1: survey", "db-1: rows"]
    assert _rendered([], made) == (
        "2 hosts, the registry, the database and the compose file are ready."
    )


def test_by_a_url_it_is_asked_from_the_first_host(tmp_path: Path) -> None:
    hosts = Hosts()
    assert examine(situation(tmp_path, hosts, URL)) == []
    assert {one.partition(":")[0] for one in hosts.asked} == {"web-1"}
    assert "web-1: rows" in hosts.asked


FATAL = (
    'psql: error: connection to server failed: FATAL:  password authentication failed for "shop"'
)
NOBODY = 'psql: error: could not translate host name "db.internal" to address: Name not known'


@pytest.mark.parametrize("said", [FATAL, NOBODY])
def test_a_server_that_does_not_let_us_in(tmp_path: Path, said: str) -> None:
    """Whatever else is wrong is told as well, and the URL is in none of it."""
    hosts = Hosts()
    hosts.survey = hosts.rows = says(exit_code=2, stderr=f"some notice\n{said}\n")
    made = situation(tmp_path, hosts, f"{URL}, image: 'postgres:17'")
    made.hosts = {**made.hosts, "db-1": FakeHost("db-1", [("", Unreachable("db-1", "no route"))])}
    assert examine(made) == [
        Fault("db-1", "", "no route"),
        Fault(
            "web-1",
            "database",
            f"the database could not be asked: {said}",
            "Look at the secret DATABASE_URL, and from where the server lets web-1 in.",
        ),
    ]


def test_a_url_that_is_none(tmp_path: Path) -> None:
    (fault,) = examine(situation(tmp_path, Hosts(), URL, "mysql://shop:hunter2@10.0.0.1/shop"))
    assert (fault.where, fault.path) == ("web-1", "database")
    assert "DATABASE_URL" in fault.message
    assert "hunter2" not in str(fault)


def test_one_that_does_not_run(tmp_path: Path) -> None:
    hosts = Hosts()
    hosts.facts = facts(RELEASE, {**DATABASE, "state": "exited"})
    assert examine(situation(tmp_path, hosts)) == [
        Fault(
            "db-1",
            "database",
            "database does not run, and nothing is migrated that could not be looked at",
            "On db-1, in /srv/shop: docker start 0123456789ab",
        )
    ]
    assert hosts.asked == []


def test_no_room_for_a_backup_where_one_is_required(tmp_path: Path) -> None:
    hosts = Hosts()
    hosts.survey = hosts.shelf(free_kb=GIB // 2)
    (fault,) = examine(situation(tmp_path, hosts))
    assert fault.message.startswith("no room for a backup: it may need 805 MB, and /srv has")
    assert fault.mend.startswith("Make room on db-1")
    other = situation(tmp_path, hosts, f"{SERVICE}, backup: {{required: false}}")
    assert examine(other) == []


def test_a_table_that_is_not_drizzles(tmp_path: Path) -> None:
    hosts = Hosts()
    hosts.rows = says("v0\n{}\n")
    (fault,) = examine(situation(tmp_path, hosts))
    assert fault.message.startswith("the table of applied migrations is not one of Drizzle's")
    assert fault.mend.startswith("Name the right one")


@pytest.mark.parametrize("database", ["", "none"])
def test_nothing_is_asked_before_the_first_deploy_or_where_there_is_none(
    tmp_path: Path, database: str
) -> None:
    hosts = Hosts()
    hosts.facts = facts()
    made = situation(tmp_path, hosts)
    if database:
        made.environment = made.environment.model_copy(update={"database": None})
        assert "database" not in _rendered([], made)
    assert examine(made) == []
    assert hosts.asked == []


def test_where_docker_is_not_there_that_is_told_alone(tmp_path: Path) -> None:
    hosts = Hosts()
    hosts.facts = facts(docker={"problem": "missing"})
    (fault,) = examine(situation(tmp_path, hosts))
    assert (fault.where, fault.path) == ("db-1", "docker")


def test_a_host_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    hosts = Hosts()
    made = situation(tmp_path, hosts)
    made.hosts = {**made.hosts, "db-1": FakeHost("db-1", [("", Unreachable("db-1", "no route"))])}
    assert examine(made) == [Fault("db-1", "", "no route")]


MISFITS = {
    "is no YAML": ("services: {web: [}\n", "compose.yaml:1"),
    "lacks the services": ("services: {api: {image: x}}\n", "hosts/production.yaml"),
    "is no service": ("services: {web: 1}\n", "compose.yaml"),
    "cannot be rolled": (COMPOSE.replace("ports:", "network_mode: host, ports:"), "compose.yaml"),
    "publishes no door": (COMPOSE.replace("80:3000", "${PORT:-80}:3000/udp"), "compose.yaml"),
}


@pytest.mark.parametrize(("text", "where"), MISFITS.values(), ids=MISFITS.keys())
def test_a_compose_file_that_does_not_fit_hides_nothing_else(
    tmp_path: Path, text: str, where: str
) -> None:
    """It is told with what is wrong on the hosts, with the database, and here."""
    hosts = Hosts()
    hosts.survey = hosts.shelf(free_kb=GIB // 2)
    well = situation(tmp_path, hosts)
    (tmp_path / "compose.yaml").write_text(text)
    with pytest.raises(SettingsError):
        Situation.of(well.environment)
    made = Situation.of(well.environment, doubtful=True)
    refusing = FakeHost("web-1", [("", Unreachable("web-1", "no route"))])
    made.hosts = {**well.hosts, "web-1": refusing}
    misfit, *others = examine(made)
    assert misfit.where == where
    assert Fault("web-1", "", "no route") in others
    assert any(one.message.startswith("no room for a backup") for one in others)

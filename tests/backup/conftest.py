"""A PostgreSQL with 200,000 rows in a container of this machine, and databases made from it."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from deploy.database.access import Access, by_url, in_container
from deploy.database.backup.backups import Backups, Order
from deploy.errors import HostError
from deploy.settings.secret import Secret
from tests.database.conftest import IMAGE, docker, image_of
from tests.database.fifteen import NAME as FIFTEEN
from tests.database.shells import Near, Shells
from tests.localhost import LocalHost

# Its own in each process: one test looks for it in the command lines of the whole machine.
PASSWORD = f"{secrets.token_hex(4)}p@ss w:rd/%"
QUOTED = quote(PASSWORD, safe="")
CLIENT = IMAGE.replace(":17", ":{major}")
ROWS = "200000"
STUCK = "/tmp/stuck"
"""While this is there, in the container, nothing is archived."""

FILL = """
create table big as
  select n as id, md5(n::text) as a, repeat(md5((n * 7)::text), 4) as b
    from generate_series(1, 200000) n;
create table small (id int primary key, "Naïve name" text default ':x');
insert into small select n from generate_series(1, 5) n;
create schema drizzle;
create table drizzle.__drizzle_migrations
  (id serial primary key, hash text not null, created_at bigint);
insert into drizzle.__drizzle_migrations (hash, created_at) values ('one', 1), ('two', 2);
analyze;
"""


@dataclass(frozen=True)
class Server:
    """A running container, and the port of 127.0.0.1 at which it answers."""

    container: str
    port: str
    shells: Shells
    major: int

    def access(self, database: str, host: LocalHost | None = None) -> Near:
        """What scripts are sent by goes through Docker; what is asked, by a shell that is open."""
        way = in_container(host or LocalHost("db-1"), self.container, database=database)
        return Near(way.host, way.part, way.settings, shells=self.shells)

    def url(self, database: str, host: LocalHost | None = None) -> Access:
        text = f"postgresql://shop:{QUOTED}@127.0.0.1:{self.port}/{database}"
        client = CLIENT if self.major == 17 else FIFTEEN
        return by_url(host or LocalHost("web-1"), Secret("DATABASE_URL", text), client)


def asked(access: Access, sql: str) -> list[str]:
    return access.psql(sql, timeout=60, doing="asked").splitlines()


@contextlib.contextmanager
def running(major: int) -> Iterator[Server]:
    """A server with the databases `model`, of 200,000 rows, and `few`, of 200; 17 archives."""
    name = f"hw-backup-{secrets.token_hex(4)}"
    docker(
        *("run", "--detach", "--name", name, "--tmpfs", "/var/lib/postgresql/data"),
        *("-p", "127.0.0.1::5432", "-e", f"POSTGRES_PASSWORD={PASSWORD}"),
        *("-e", "POSTGRES_USER=shop", image_of(major)),
        *("postgres", "-c", "fsync=off", "-c", "full_page_writes=off"),
        *("-c", f"archive_mode={'on' if major == 17 else 'off'}"),
        *("-c", f"archive_command=test ! -e {STUCK}"),
    )
    try:
        port = docker("port", name, "5432/tcp").rpartition(":")[2]
        one = Server(name, port, Shells(name), major)
        deadline = time.monotonic() + 60
        while True:
            try:
                asked(one.access("shop"), "select 1")
                break
            except HostError:
                assert time.monotonic() < deadline, docker("logs", name)
                time.sleep(0.1)
        asked(one.access("postgres"), "create database model")
        asked(one.access("model"), FILL)
        asked(one.access("postgres"), "create database few")
        asked(one.access("few"), FILL.replace(ROWS, "200"))
        yield one
        one.shells.close()
    finally:
        docker("rm", "--force", "--volumes", name)


@pytest.fixture(scope="session")
def server_17() -> Iterator[Server]:
    with running(17) as one:
        yield one


@pytest.fixture(scope="session")
def server_15() -> Iterator[Server]:
    with running(15) as one:
        yield one


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    """A running server; its version is 17 unless the test asks for another."""
    found: Server = request.getfixturevalue(f"server_{getattr(request, 'param', 17)}")
    return found


VERSIONS = [17, 15]
NAMES = [f"PostgreSQL {major}" for major in VERSIONS]
BOTH = pytest.mark.parametrize("server", VERSIONS, indirect=True, ids=NAMES)
"""For tests of what differs between versions."""
FEW = pytest.mark.usefixtures("few")


@pytest.fixture
def few() -> None:
    """Whoever uses it gets a database of few rows, whose dump is made at once."""


@pytest.fixture
def database(server: Server, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a database of the test's own, with all the rows, or with `few`."""
    name = f"shop_{secrets.token_hex(3)}"
    model = "few" if "few" in request.fixturenames else "model"
    asked(server.access("postgres"), f"create database {name} template {model} strategy file_copy")
    try:
        yield name
    finally:
        found = asked(server.access("postgres"), "select datname from pg_database")
        for one in found:
            if one.startswith(name):
                asked(server.access("postgres"), f'drop database "{one}" with (force)')


@pytest.fixture
def backups(server: Server, database: str, tmp_path: Path) -> Backups:
    """The backups of that database, reached in its container."""
    return Backups(server.access(database), str(tmp_path / "srv"), timeout=120)


def folder(backups: Backups) -> Path:
    return Path(backups.folder)


def names(backups: Backups) -> list[str]:
    return sorted(path.name for path in folder(backups).iterdir())


class Heard:
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, text: str, warned: bool) -> None:
        self.lines.append(f"! {text}" if warned else text)


ORDER = Order("v2-0a1b2c3d", "v2", "deploy", "ada@laptop")


def create(backups: Backups, order: Order = ORDER, protected: tuple[str, ...] = ()) -> str:
    return backups.create(order, protected, Heard()).name

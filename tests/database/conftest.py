"""A real PostgreSQL in a container of this machine's engine, found by its Compose labels."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from deploy.database.access import in_service
from deploy.errors import HostError
from tests.localhost import LocalHost

from .fifteen import fifteen
from .shells import Near, Shells

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.database.access import Access

IMAGE = "localhost:5050/postgres:17"


def docker(*words: str, stdin: bytes = b"", timeout: float = 120) -> str:
    done = subprocess.run(
        ["docker", *words], input=stdin, capture_output=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def have(image: str) -> str:
    """The sandbox makes its images; they are here if it was ever up."""
    if not docker("image", "ls", "-q", image):
        from deploy.sandbox import fleet

        fleet.up()
    return image


def image_of(major: int) -> str:
    """The image with a server of that version: 17, or 15."""
    have(IMAGE)
    return IMAGE if major == 17 else fifteen(docker)


@contextlib.contextmanager
def running(major: int) -> Iterator[Shells]:
    """Shells in the container of a server, which is the service `database` of its own project."""
    name = f"headway-test-{secrets.token_hex(4)}"
    docker(
        *("run", "--detach", "--name", name),
        *("--label", f"com.docker.compose.project={name}"),
        *("--label", "com.docker.compose.service=database"),
        *("--tmpfs", "/var/lib/postgresql/data"),
        *("-e", "POSTGRES_PASSWORD=x", "-e", "POSTGRES_USER=shop"),
        *(image_of(major), "postgres", "-c", "fsync=off", "-c", "full_page_writes=off"),
    )
    try:
        found = Shells(name)
        deadline = time.monotonic() + 60
        while found.run("PGPASSWORD=x psql -h 127.0.0.1 -U shop -XqAtc 'select 1'").exit_code:
            assert time.monotonic() < deadline, docker("logs", name)
            time.sleep(0.1)
        yield found
        found.close()
    finally:
        docker("rm", "--force", "--volumes", name)


@pytest.fixture(scope="session")
def shells_17() -> Iterator[Shells]:
    with running(17) as found:
        yield found


@pytest.fixture(scope="session")
def shells_15() -> Iterator[Shells]:
    with running(15) as found:
        yield found


@pytest.fixture(scope="session")
def server(shells_17: Shells) -> str:
    """The project of a running server, whose service is `database`."""
    return shells_17.container


BOTH = pytest.mark.parametrize(
    "postgres", [17, 15], indirect=True, ids=["PostgreSQL 17", "PostgreSQL 15"]
)
"""For tests of what differs between versions."""


@pytest.fixture
def postgres(request: pytest.FixtureRequest) -> Near:
    """An empty database: what an earlier test left is dropped. Its version is 17 without `BOTH`."""
    major = getattr(request, "param", 17)
    shells = request.getfixturevalue("shells_17" if major == 17 else "shells_15")
    way = in_service(LocalHost("db-1"), shells.container, "database")
    found = Near(way.host, way.part, way.settings, shells=shells)
    asked(
        found,
        "drop schema if exists drizzle cascade; drop schema public cascade; create schema public",
    )
    return found


@pytest.fixture
def service(postgres: Near) -> Access:
    """The same, the whole way through Docker, as the product goes."""
    return postgres.far


def asked(postgres: Near, sql: str) -> list[str]:
    """Ask the server by a way of the tests' own: over TCP, and not through the class."""
    psql = "psql -h 127.0.0.1 -U shop -XqAt -v ON_ERROR_STOP=1"
    done = postgres.shells.run(f"PGPASSWORD=x exec {psql}", sql.encode(), timeout=30)
    if done.exit_code:
        raise HostError("db-1", done.stderr.decode())
    return done.text.splitlines()

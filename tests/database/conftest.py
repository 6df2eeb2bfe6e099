"""A real PostgreSQL in a container of this machine's engine, found by its Compose labels."""

from __future__ import annotations

import secrets
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from deploy.database.access import Access, in_service
from deploy.errors import HostError
from tests.localhost import LocalHost

from .shells import Near, Shells

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = "localhost:5050/postgres:17"


def docker(*words: str, stdin: bytes = b"") -> str:
    done = subprocess.run(
        ["docker", *words], input=stdin, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def have(image: str) -> str:
    """The sandbox makes its images; they are here if it was ever up."""
    if not docker("image", "ls", "-q", image):
        from deploy.sandbox import fleet

        fleet.up()
    return image


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The project of a running server, whose service is `database`."""
    name = f"headway-test-{secrets.token_hex(4)}"
    docker(
        *("run", "--detach", "--name", name),
        *("--label", f"com.docker.compose.project={name}"),
        *("--label", "com.docker.compose.service=database"),
        *("--tmpfs", "/var/lib/postgresql/data"),
        *("-e", "POSTGRES_PASSWORD=x", "-e", "POSTGRES_USER=shop"),
        *(have(IMAGE), "postgres", "-c", "fsync=off", "-c", "full_page_writes=off"),
    )
    try:
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


@pytest.fixture(scope="session")
def shells(server: str) -> Iterator[Shells]:
    """Shells in its container."""
    found = Shells(server)
    deadline = time.monotonic() + 60
    ready = "psql -h 127.0.0.1 -U shop -XqAtc 'select 1'"
    while found.run(f"PGPASSWORD=x {ready}").exit_code:
        assert time.monotonic() < deadline, docker("logs", server)
        time.sleep(0.1)
    yield found
    found.close()


@pytest.fixture
def postgres(server: str, shells: Shells) -> Near:
    """An empty database: what an earlier test left is dropped."""
    way = in_service(LocalHost("db-1"), server, "database")
    found = Near(way.host, way.part, way.settings, shells=shells)
    asked(
        found,
        "drop schema if exists drizzle cascade; drop schema public cascade; create schema public",
    )
    return found


@pytest.fixture
def service(postgres: Near) -> Access:
    """The same, the whole way through Docker, as the product goes."""
    return Access(postgres.host, postgres.part, postgres.settings)


def asked(postgres: Near, sql: str) -> list[str]:
    """Ask the server by a way of the tests' own: over TCP, and not through the class."""
    psql = "psql -h 127.0.0.1 -U shop -XqAt -v ON_ERROR_STOP=1"
    done = postgres.shells.run(f"PGPASSWORD=x exec {psql}", sql.encode(), timeout=30)
    if done.exit_code:
        raise HostError("db-1", done.stderr.decode())
    return done.text.splitlines()

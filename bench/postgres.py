"""The PostgreSQL servers of the bench, in containers of this machine: they go whatever happens."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.database.rehearsal.bounds import Bounds
from deploy.errors import NeedsPerson, UsageError
from deploy.sandbox.docker import DockerFailed
from deploy.sandbox.images import OFFERED

if TYPE_CHECKING:
    from deploy.sandbox.docker import Docker

IMAGE = OFFERED["postgres"]
USER = "shop"
"""The superuser of both servers, and the database's name."""
PROGRAMS = 3600.0
"""Seconds for a program that runs in a container."""
_START = 180.0
_FILL = Path(__file__).resolve().with_name("database.sql")

# As deploy/database/rehearsal/entry.sh starts the throw-away server, without its guard; the bench
# compares the settings of both.
_SERVE = """
for folder in /usr/lib/postgresql/*/bin; do PATH=$PATH:$folder; done
initdb -D /tmp/data -U "$1" -A trust -E UTF8 --locale=C --no-sync >/dev/null || exit 1
exec postgres -D /tmp/data -c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp \
	-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c autovacuum=off \
	-c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=256MB -c checkpoint_timeout=1h \
	-c shared_buffers="$(($2 / 4))kB" -c maintenance_work_mem="$(($2 / 16))kB" \
	-c max_connections=50 -c restart_after_crash=off \
	-c max_locks_per_transaction=64 -c lc_messages=C
"""
SETTINGS = """
select json_object_agg(name, setting order by name) from pg_settings
 where source in ('command line', 'configuration file')
   and name not in ('shared_preload_libraries') and name !~ '(_directory|_file)$'
"""
"""What a server was told, beside where its files are."""
CPU = "cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpuacct/cpuacct.usage 2>/dev/null || :"
"""Version 2 of cgroups says `usage_usec N` first, version 1 nanoseconds."""


def available(docker: Docker, image: str) -> None:
    """Do nothing if this machine has the image.

    Raises:
        UsageError: it has not.
    """
    if not docker.works("image", "inspect", image):
        raise UsageError(
            f"the image {image} is not here",
            mend="inv sandbox.up makes it; or name another with --image.",
        )


@contextmanager
def filled(docker: Docker, image: str, megabytes: int) -> Iterator[str]:
    """A server as the image makes it, with a database of about that size; its container's name."""
    words = ["-e", f"POSTGRES_USER={USER}", "-e", "POSTGRES_PASSWORD=x"]
    with _container(docker, "database", [*words, image]) as name:
        # While the image makes the database, the server listens on its socket alone.
        _answers(docker, name, "-h", "127.0.0.1", "-U", USER)
        fill = ["psql", "-U", USER, "-XqAt", "-v", "ON_ERROR_STOP=1", "-v", f"mb={megabytes}"]
        docker("exec", "-i", name, *fill, stdin=_FILL.read_bytes(), timeout=PROGRAMS)
        yield name


@contextmanager
def empty(docker: Docker, image: str) -> Iterator[str]:
    """A server like a rehearsal's, with an empty database; its container's name.

    The flags are those of `deploy/database/rehearsal/throwaway.sh`.
    """
    memory = Bounds().memory // 1024
    flags = [
        *("--network", "none", "--log-driver", "none", "--user", "postgres", "--workdir", "/"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "512"),
        *("--cpu-shares", "256", "--memory", f"{memory}k", "--memory-swap", f"{memory}k"),
        *("--shm-size", f"{memory // 2}k", "-e", "PGHOST=/tmp", "-e", f"PGUSER={USER}"),
        *("--entrypoint", "sh"),
    ]
    words = [*flags, image, "-c", _SERVE, "sh", USER, str(memory)]
    with _container(docker, "empty", words) as name:
        _answers(docker, name, "-d", "template1")
        asked(docker, name, "template1", f"create database {USER} template template0")
        yield name


def asked(docker: Docker, container: str, database: str, sql: str) -> str:
    """What `psql` answers, run in a container as its superuser."""
    psql = ["psql", "-U", USER, "-d", database, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql]
    return docker("exec", container, *psql)


def cpu(docker: Docker, container: str) -> float:
    """Seconds of CPU that all processes of a container have used, those that ended among them."""
    said = docker("exec", container, "sh", "-c", CPU)
    return cpu_of(said)


def cpu_of(said: str) -> float:
    """What `CPU` printed, in seconds."""
    first = said.splitlines()[0]
    name, _, number = first.rpartition(" ")
    return int(number) / (1e6 if name else 1e9)


@contextmanager
def _container(docker: Docker, what: str, words: list[str]) -> Iterator[str]:
    name = f"headway-bench-{what}-{secrets.token_hex(4)}"
    try:
        docker("run", "--detach", "--rm", "--pull", "never", "--name", name, *words)
        yield name
    finally:
        # With its volumes; one that never came is no fault here.
        docker.works("rm", "--force", "--volumes", name, timeout=120)


def _answers(docker: Docker, name: str, *how: str) -> None:
    deadline = time.monotonic() + _START
    while True:
        try:
            docker("exec", "-e", "PGPASSWORD=x", name, "psql", *how, "-c", "", timeout=30)
        except DockerFailed as error:
            if time.monotonic() > deadline:
                raise NeedsPerson(f"{name} does not answer", state=error.output) from None
            time.sleep(0.2)
        else:
            return

"""The bare commands: what a backup and a rehearsal have to do at least, each command timed.

They are typed on the host as one types them for a database in a container: `docker exec`, with the
dump in a file of the host. Nobody sums it up, looks at anything, or makes a server.
"""

from __future__ import annotations

import json
import resource
import subprocess
import tempfile
import time
from typing import IO, TYPE_CHECKING

from bench import postgres
from bench.database_table import Bare
from bench.pending import by_hand
from bench.postgres import PROGRAMS, USER
from deploy.errors import NeedsPerson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.sandbox.docker import Docker

ROWS = """
select json_object_agg(name, (xpath('/row/n/text()', query_to_xml(
         format('select count(*) as n from %I.%I', schema, name), true, true, '')))[1]::text)
  from (select relnamespace::regnamespace as schema, relname as name from pg_class
         where relkind = 'r' and relnamespace::regnamespace::text in ('public', 'drizzle')) t
"""
"""Table → rows, counted."""


def run(docker: Docker, database: str, image: str, folder: Path) -> tuple[Bare, Mapping[str, str]]:
    """Dump a database, decode the dump, restore it and migrate what came.

    Args:
        docker: the command line.
        database: the container with the database.
        image: of the server that is restored into.
        folder: takes the dump meanwhile.

    Returns:
        What they took, and the settings of the server that was restored into.

    Raises:
        NeedsPerson: a command failed, or not every row came.
    """
    dump = folder / "bare.dump"
    seconds = {}
    used = -postgres.cpu(docker, database) - _cpu_here()
    # The same compression as Headway's.
    with dump.open("wb") as file:
        words = [database, "pg_dump", "-U", USER, "-Fc", "-Z", "zstd:3"]
        seconds["dump"] = _timed(docker, words, to=file)
    with dump.open("rb") as file:
        words = ["-i", database, "pg_restore", "-f", "/dev/null"]
        seconds["decode"] = _timed(docker, words, of=file)
    with postgres.empty(docker, image) as server:
        used -= postgres.cpu(docker, server)
        with dump.open("rb") as file:
            words = ["-i", server, "pg_restore", "--single-transaction", "--no-tablespaces"]
            seconds["restore"] = _timed(docker, [*words, "-d", USER], of=file)
        with tempfile.TemporaryFile() as file:
            file.write(by_hand())
            file.seek(0)
            psql = ["psql", "-d", USER, "-Xq", "-v", "ON_ERROR_STOP=1"]
            seconds["migrations"] = _timed(docker, ["-i", server, *psql], of=file)
        used += postgres.cpu(docker, server) + postgres.cpu(docker, database) + _cpu_here()
        came, there = (postgres.asked(docker, one, USER, ROWS) for one in (server, database))
        settings = json.loads(postgres.asked(docker, server, USER, postgres.SETTINGS))
    dump.unlink()
    if json.loads(came) != json.loads(there):
        raise NeedsPerson("the bare commands did not restore every row", state=f"{came} / {there}")
    return Bare(seconds, used), settings


def _cpu_here() -> float:
    """Seconds of CPU of the commands that this process has started and waited for."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def _timed(
    docker: Docker, words: list[str], *, of: IO[bytes] | None = None, to: IO[bytes] | None = None
) -> float:
    began = time.monotonic()
    done = subprocess.run(
        [*docker.command, "exec", *words],
        check=False,
        stdin=of or subprocess.DEVNULL,
        stdout=to or subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=PROGRAMS,
    )
    seconds = time.monotonic() - began
    if done.returncode:
        raise NeedsPerson("a bare command failed", state=done.stderr.decode().strip())
    return seconds

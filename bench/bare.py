"""The bare commands: what a backup and a rehearsal have to do at least, each command timed.

They read and write the file themselves, in the container, without a pipe; nobody sums it up, looks
at anything, or makes a server.
"""

from __future__ import annotations

import json
import resource
import time
from typing import TYPE_CHECKING

from bench import postgres
from bench.database_table import Bare
from bench.pending import by_hand
from bench.postgres import PROGRAMS, SHARED, USER
from deploy.errors import NeedsPerson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from deploy.sandbox.docker import Docker

DUMP = "bare.dump"
ROWS = """
select json_object_agg(name, (xpath('/row/n/text()', query_to_xml(
         format('select count(*) as n from %I.%I', schema, name), true, true, '')))[1]::text)
  from (select relnamespace::regnamespace as schema, relname as name from pg_class
         where relkind = 'r' and relnamespace::regnamespace::text in ('public', 'drizzle')) t
"""
"""Table → rows, counted."""


def run(docker: Docker, database: str, image: str, shared: Path) -> tuple[Bare, Mapping[str, str]]:
    """Dump a database, decode the dump, restore it and migrate what came.

    Args:
        docker: the command line.
        database: the container with the database.
        image: of the server that is restored into.
        shared: the folder that the container has as /bench.

    Returns:
        What they took, and the settings of the server that was restored into.

    Raises:
        NeedsPerson: a command failed, or not every row came.
    """
    file = f"{SHARED}/{DUMP}"
    seconds = {}
    used = -postgres.cpu(docker, database) - _cpu_here()
    # The same compression as Headway's, and pg_dump sees to it that the file is on the disk.
    dump = ["pg_dump", "-U", USER, "-Fc", "-Z", "zstd:3", "-f", file]
    seconds["dump"] = _timed(docker, [database, *dump])
    seconds["decode"] = _timed(docker, [database, "pg_restore", "-f", "/dev/null", file])
    with postgres.empty(docker, image, shared) as server:
        used -= postgres.cpu(docker, server)
        restore = ["pg_restore", "--single-transaction", "--no-tablespaces", "-d", USER, file]
        seconds["restore"] = _timed(docker, [server, *restore])
        psql = ["psql", "-d", USER, "-Xq", "-v", "ON_ERROR_STOP=1"]
        seconds["migrations"] = _timed(docker, ["-i", server, *psql], by_hand())
        used += postgres.cpu(docker, server) + postgres.cpu(docker, database) + _cpu_here()
        came, there = (postgres.asked(docker, one, USER, ROWS) for one in (server, database))
        settings = json.loads(postgres.asked(docker, server, USER, postgres.SETTINGS))
    (shared / DUMP).unlink()
    if json.loads(came) != json.loads(there):
        raise NeedsPerson("the bare commands did not restore every row", state=f"{came} / {there}")
    return Bare(seconds, used), settings


def _cpu_here() -> float:
    """Seconds of CPU of the commands that this process has started and waited for."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def _timed(docker: Docker, words: list[str], stdin: bytes = b"") -> float:
    began = time.monotonic()
    docker("exec", *words, stdin=stdin, timeout=PROGRAMS)
    return time.monotonic() - began

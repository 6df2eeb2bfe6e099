"""`python -m bench.rehearsing CONTAINER HOME`: one backup and one rehearsal, as a deploy does them.

A program of its own, so that its memory is that of a deploy's process and of nothing else: it has
all of Headway in it, SSH included, although the host that it speaks to is this machine. It prints
what it took as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import deploy.api
import deploy.remote.ssh  # noqa: F401 - for its memory, as is the one above
from bench import pending
from bench.postgres import CPU, SETTINGS, cpu_of
from deploy.database.access import in_container
from deploy.database.backup.backups import Backups, Order
from deploy.database.backup.copies import Copies
from deploy.database.migrations.script import Limits
from deploy.database.rehearsal.course import Pending, rehearse
from deploy.database.rehearsal.rehearsed import Way
from deploy.database.rehearsal.source import Data
from deploy.database.rehearsal.throwaway import throwaway
from deploy.database.sizes import sizes
from deploy.errors import HeadwayError, NeedsPerson
from deploy.settings.database import Copy
from tests.localhost import LocalHost

LIMITS = Limits(lock_timeout=5, statement_timeout=600)


def main(container: str, home: str) -> dict[str, Any]:
    """Back up and rehearse; then copy the dump here, and so through this process.

    Returns:
        `seconds` by part; `ended`, before the copy, on the clock of `time.monotonic`; `cpu`, the
        seconds of this process, of its commands and of the throw-away server until then; `bytes`
        of the database and of the dump; `settings` of the throw-away server; and `peak`, the most
        memory that this process has had, in bytes.
    """
    backups = Backups(in_container(LocalHost("db-1"), container), home)
    folder = pending.folder()
    clock = [time.monotonic()]
    real = sizes(backups.access)
    made = backups.create(Order("v2-0a1b2c3d", "v2", "deploy"), (), _say)
    clock.append(time.monotonic())
    with throwaway(backups, Data(made), say=_say) as server:
        clock.append(time.monotonic())
        found = rehearse(
            server,
            Pending(folder.migrations, folder.format, LIMITS, downs=True),
            superuser=server.superuser,
            running=pending.running(),
            real=real,
        )
        clock.append(time.monotonic())
        # Asked of the server, and not part of what a deploy does: it is taken from the time.
        used = sum(_cpu(one) for one in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        inside = ["docker", "exec", server.container, "sh", "-c", CPU]
        used += cpu_of(backups.access.host.exec(inside, timeout=60).text)
        settings = json.loads(server.superuser.psql(SETTINGS, timeout=60, doing="not asked"))
        began_closing = time.monotonic()
    ended = time.monotonic() - (began_closing - clock[-1])
    backs = [one.back and one.back.way for one in found.trials]
    if found.failed or found.contract != () or backs != [Way.EQUAL] * len(folder.migrations):
        raise NeedsPerson("the rehearsal was not what it should be", state=str(found.body()))
    assert server.manifest  # noqa: S101 - it had the rows
    host = {"db-1": backups.access.host}
    away = Copy(to="local", folder=f"{home}/copies")
    Copies(backups, host, [away], Path(home)).make(server.manifest, _say)
    dumped = {name: float(value) for name, value in made.body["seconds"].items()}
    return {
        "seconds": {
            "dump": dumped["dump"],
            "decode": dumped["decode"],
            "around the backup": clock[1] - clock[0] - sum(dumped.values()),
            "restore": server.seconds,
            "around the restore": clock[2] - clock[1] - server.seconds,
            "migrations": clock[3] - clock[2],
        },
        "ended": ended,
        "cpu": used,
        "bytes": [int(made.facts["database_bytes"]), made.bytes],
        "settings": settings,
        "peak": peak(),
    }


def _cpu(who: int) -> float:
    found = resource.getrusage(who)
    return found.ru_utime + found.ru_stime


def peak() -> int:
    """The most memory that this process has had, in bytes; what started it is not in it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise NeedsPerson("the kernel does not say how much memory was used")


def _say(text: str, warned: bool) -> None:
    print(f"{'! ' if warned else ''}{text}", file=sys.stderr)


if __name__ == "__main__":
    try:
        print(json.dumps(main(*sys.argv[1:])))
    except HeadwayError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)

"""What a backup and a rehearsal cost beside the bare commands: `script/bench database`.

A database of about 1 GB is made in a container. In each round Headway backs it up and rehearses
migrations on the backup (`rehearsing.py`), and the bare commands do what of that they can
(`bare.py`), in turn, and who goes first changes from round to round. A smaller database is backed
up and rehearsed once, to see whether the memory of our process grows with what it handles.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import bare, database_table, postgres, setting
from bench.command import count, options, run, say
from bench.database_table import Figures, Own, Round
from deploy.errors import NeedsPerson
from deploy.sandbox.docker import Docker
from deploy.sandbox.home import ROOT

CALM = 2.0
"""Seconds before each measurement, for what the last one left behind to end."""


def main() -> int:
    """Measure; the exit code is 0, or that of the error that ended it."""
    parser = options("script/bench database", "Measure a backup and a rehearsal.")
    parser.add_argument(
        "--megabytes", type=count, default=1000, help="about the size of the database (1000)"
    )
    parser.add_argument(
        "--small", type=count, default=100, help="that of the one for the memory alone (100)"
    )
    parser.add_argument("--image", default=postgres.IMAGE, help=f"of both ({postgres.IMAGE})")
    arguments = parser.parse_args()

    def measured() -> str:
        docker = Docker()
        figures = measure(
            docker, arguments.image, arguments.rounds, arguments.megabytes, arguments.small
        )
        return database_table.rendered(figures, setting.machine(docker))

    return run(arguments.out, (database_table.BEGIN, database_table.END), measured)


def measure(docker: Docker, image: str, rounds: int, megabytes: int, small: int) -> Figures:
    """Make the databases, and do `rounds` rounds on the large one; the small one is only looked at.

    Raises:
        UsageError: the image is not here.
        NeedsPerson: something failed, or the two sides did not do the same.
    """
    postgres.available(docker, image)
    with _folder() as work:
        say(f"a database of about {small} MB")
        with postgres.filled(docker, image, small) as container:
            beside, _ = headway(docker, container, work)
            say(f"peak {beside.peak / 1e6:.0f} MB")
        say(f"a database of about {megabytes} MB")
        found = []
        with postgres.filled(docker, image, megabytes) as container:
            load = [os.getloadavg()[0]]
            for number in range(1, rounds + 1):
                found.append(_round(docker, container, image, work, first=bool(number % 2)))
                one = found[-1]
                load.append(os.getloadavg()[0])
                say(
                    f"round {number} of {rounds}: Headway {one.own.whole:.2f} s, bare "
                    f"{one.bare.whole:.2f} s, ratio {one.ratio:.2f}; "
                    f"peak {one.own.peak / 1e6:.0f} MB"
                )
    return Figures(found, beside, load)


def _round(docker: Docker, container: str, image: str, work: Path, *, first: bool) -> Round:
    # Whoever is second finds warmer caches: that changes from round to round.
    if first:
        own, like = headway(docker, container, work)
    time.sleep(CALM)
    by_hand, settings = bare.run(docker, container, image, work)
    if not first:
        own, like = headway(docker, container, work)
    if settings != like:
        raise NeedsPerson(
            "the two servers that were restored into have not the same settings",
            state=f"Headway's: {like}\nthe bare commands': {settings}",
        )
    return Round(own, by_hand)


def headway(docker: Docker, container: str, work: Path) -> tuple[Own, Mapping[str, str]]:
    """One backup and one rehearsal by Headway; and the settings of its throw-away server.

    Raises:
        NeedsPerson: it failed; what it said is shown.
    """
    home = work / "home"
    home.mkdir()
    time.sleep(CALM)
    before = postgres.cpu(docker, container)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "bench.rehearsing", container, str(home)],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    shutil.rmtree(home)
    if done.returncode:
        raise NeedsPerson("the backup or the rehearsal failed", state=done.stderr.strip())
    found: dict[str, Any] = json.loads(done.stdout)
    whole = found["ended"] - began
    database, dump = found["bytes"]
    cpu = postgres.cpu(docker, container) - before + found["cpu"]
    own = Own(found["seconds"], whole, cpu, found["peak"], database, dump)
    rest = {"start and end": whole - sum(own.seconds.values())}
    return replace(own, seconds={**own.seconds, **rest}), found["settings"]


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder on the disk for the dumps."""
    path = Path(tempfile.mkdtemp(prefix="headway-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


if __name__ == "__main__":
    sys.exit(main())

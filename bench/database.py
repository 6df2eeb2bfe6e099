"""What a backup and a rehearsal cost beside the bare commands: `script/bench database`.

A database of about 1 GB is made in a container. In each round Headway backs it up and rehearses
migrations on the backup (`rehearsing.py`), and the bare commands do what of that they can
(`bare.py`), in turn, and who goes first changes from round to round. A smaller database is backed
up and rehearsed once, to see whether the memory of our process grows with what it handles.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import bare, database_table, postgres, setting, table
from bench.database_table import Figures, Own, Round
from deploy.errors import HeadwayError, NeedsPerson
from deploy.sandbox.docker import Docker
from deploy.sandbox.home import ROOT

Say = Callable[[str], None]

CALM = 2.0
"""Seconds before each measurement, for what the last one left behind to end."""


def main() -> int:
    """Measure; the exit code is 0, or that of the error that ended it."""
    arguments = options().parse_args()
    # The containers have to go then, too.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    try:
        # A document without its markers must not be found out after ten minutes.
        _placed(arguments.out, "")
        docker = Docker()
        figures = measure(
            docker, arguments.image, arguments.rounds, arguments.megabytes, arguments.small, _say
        )
    except (OSError, ValueError) as error:
        print(f"script/bench: {error}", file=sys.stderr)
        return 2
    except HeadwayError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    block = database_table.rendered(figures, setting.machine(docker))
    arguments.out.write_text(_placed(arguments.out, block))
    print(f"\n{block}\n\nwritten to {arguments.out}")
    return 0


def options() -> argparse.ArgumentParser:
    """What may be typed behind `script/bench database`."""
    parser = argparse.ArgumentParser(
        "script/bench database", description="Measure a backup and a rehearsal."
    )
    parser.add_argument("--rounds", type=_count, default=5, help="how many (5)")
    parser.add_argument(
        "--megabytes", type=_count, default=1000, help="about the size of the database (1000)"
    )
    parser.add_argument(
        "--small", type=_count, default=100, help="that of the one for the memory alone (100)"
    )
    parser.add_argument("--image", default=postgres.IMAGE, help=f"of both ({postgres.IMAGE})")
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "docs" / "performance.md",
        help="the document that takes the figures, between its two markers (docs/performance.md)",
    )
    return parser


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _placed(document: Path, block: str) -> str:
    return table.placed(document.read_text(), block, database_table.BEGIN, database_table.END)


def measure(
    docker: Docker, image: str, rounds: int, megabytes: int, small: int, say: Say
) -> Figures:
    """Make the databases, and do `rounds` rounds on the large one; the small one is only looked at.

    Raises:
        UsageError: the image is not here.
        NeedsPerson: something failed, or the two sides did not do the same.
    """
    postgres.available(docker, image)
    with _folder() as work:
        shared = work / "shared"
        shared.mkdir(mode=0o755)
        say(f"a database of about {small} MB")
        with postgres.filled(docker, image, small, shared) as container:
            beside, _ = headway(docker, container, work)
            say(f"peak {beside.peak / 1e6:.0f} MB")
        say(f"a database of about {megabytes} MB")
        found = []
        with postgres.filled(docker, image, megabytes, shared) as container:
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
    by_hand, settings = bare.run(docker, container, image, work / "shared")
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


def _say(text: str) -> None:
    """Print a line at once, as what follows may take a while."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())

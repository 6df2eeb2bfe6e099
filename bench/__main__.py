"""`python -m bench`, which `script/bench` calls: measures, and writes the figures down."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bench import rounds, setting, short, table
from bench.figures import Figures
from bench.fleet import Fleet, workplace
from deploy.errors import HeadwayError
from deploy.sandbox import fleet as sandbox
from deploy.sandbox import release
from deploy.sandbox.home import ROOT

WEB_HOSTS = 3


def main() -> int:
    """Measure; the exit code is 0, or that of the error that ended it."""
    arguments = options().parse_args()
    try:
        # A document without its markers must not be found out after ten minutes.
        table.placed(arguments.out.read_text(), "")
        figures, lines = measure(arguments.rounds)
    except (OSError, ValueError) as error:
        print(f"script/bench: {error}", file=sys.stderr)
        return 2
    except HeadwayError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    block = table.rendered(figures, lines)
    arguments.out.write_text(table.placed(arguments.out.read_text(), block))
    print(f"\n{block}\n\nwritten to {arguments.out}")
    return 0


def options() -> argparse.ArgumentParser:
    """What may be typed behind `script/bench`."""
    parser = argparse.ArgumentParser("script/bench", description="Measure Headway on the sandbox.")
    parser.add_argument("--rounds", type=_count, default=5, help="how many (5)")
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
        raise argparse.ArgumentTypeError("at least one round")
    return number


def measure(count: int) -> tuple[Figures, list[str]]:
    """Bring up what is needed, do `count` rounds and the short ones; the figures, and on what."""
    sandbox.up(WEB_HOSTS, say=say)
    start, pairs = rounds.versions(count)
    for version in (start, *(version for pair in pairs for version in pair)):
        release.release(version, say=_quiet)
        say(f"built {version}")
    fleet = Fleet()
    with workplace(fleet.home) as work:
        rolls = rounds.run(fleet, count, work, say)
        say("inv --list, and the same over an empty tasks.py")
        listing = short.listing(work)
    say("facts of all hosts, and connecting to one")
    facts = short.facts(fleet)
    environment = fleet.environment
    rollout = environment.rollout
    with fleet.situation() as situation:
        rolled = [one for one in situation.placements.values() if one.rolled]
    figures = Figures(
        rounds=rolls,
        ordered=len(rolled) * (rollout.min_healthy_time + rollout.bake),
        listing=listing,
        facts=facts,
        hosts=len(environment.hosts),
        cores=os.cpu_count() or 1,
    )
    return figures, setting.lines(fleet.docker)


def say(text: str) -> None:
    """Print a line at once, as what follows may take a while."""
    print(text, flush=True)


def _quiet(_text: str) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main())

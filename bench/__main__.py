"""`python -m bench`, which `script/bench` calls: measures, and writes the figures down."""

from __future__ import annotations

import os
import sys

from bench import rounds, setting, short, table
from bench.command import options, run, say
from bench.figures import Figures
from bench.fleet import Fleet, workplace
from deploy.sandbox import fleet as sandbox
from deploy.sandbox import release
from deploy.sandbox.home import Home

WEB_HOSTS = 3


def main() -> int:
    """Measure; the exit code is 0, or that of the error that ended it."""
    arguments = options("script/bench", "Measure Headway on the sandbox.").parse_args()
    return run(
        arguments.out,
        (table.BEGIN, table.END),
        lambda: table.rendered(*measure(arguments.rounds)),
    )


def measure(count: int) -> tuple[Figures, list[str]]:
    """Bring up what is needed, do `count` rounds and the short ones; the figures, and on what."""
    sandbox.up(WEB_HOSTS, say=say)
    start, pairs = rounds.versions(count)
    for version in (start, *(version for pair in pairs for version in pair)):
        release.release(version, say=_quiet)
        say(f"built {version}")
    with workplace(Home()) as work:
        fleet = Fleet(work / "project")
        rolls = rounds.run(fleet, count, work, say)
        say("inv --list, and the same over an empty tasks.py")
        listing = short.listing(work)
        say("facts of all hosts, and connecting to one")
        facts = short.facts(fleet)
        environment = fleet.environment
        with fleet.situation() as situation:
            rolled = [one for one in situation.placements.values() if one.rolled]
    rollout = environment.rollout
    figures = Figures(
        rounds=rolls,
        ordered=len(rolled) * (rollout.min_healthy_time + rollout.bake),
        listing=listing,
        facts=facts,
        keeper=environment.lease_host,
        hosts=len(environment.hosts),
        cores=os.cpu_count() or 1,
    )
    return figures, setting.lines(fleet.docker)


def _quiet(_text: str) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main())

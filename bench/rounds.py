"""Rolls one version by Headway and another by floor.sh, in turn, and measures both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Roll, Round, Usage
from bench.fleet import ENVIRONMENT
from deploy.errors import NeedsPerson

if TYPE_CHECKING:
    from bench.fleet import Fleet
    from deploy.settings import Environment

Say = Callable[[str], None]

HERE = Path(__file__).resolve().parent
CALM = 2.0
"""Seconds before each measurement, for what the last one left behind to end."""


def inv(*words: str) -> list[str]:
    """The argv of `inv words...`, of this virtual environment."""
    return [str(Path(sys.executable).with_name("inv")), *words]


def versions(rounds: int) -> tuple[str, list[tuple[str, str]]]:
    """The version to start from, and for each round that of Headway and that of the floor."""
    return "bench-0", [(f"bench-{n}-headway", f"bench-{n}-floor") for n in range(1, rounds + 1)]


def knobs(environment: Environment) -> dict[str, str]:
    """The settings of the roll as floor.sh takes them.

    Raises:
        ValueError: one is no whole number of seconds, which is all that a shell can count.
    """
    rollout = environment.rollout
    found = {
        "MIN_HEALTHY": rollout.min_healthy_time,
        "BAKE": rollout.bake,
        "DEADLINE": rollout.healthy_deadline,
        "DRAIN": environment.services["web"].drain,
        "KEEP": float(rollout.keep_releases),
    }
    broken = [name for name, value in found.items() if value != int(value)]
    if broken:
        raise ValueError(f"no whole number: {', '.join(broken)}")
    return {name: str(int(value)) for name, value in found.items()}


def run(fleet: Fleet, rounds: int, work: Path, say: Say) -> list[Round]:
    """Bring the fleet to a known release, then do the rounds.

    Raises:
        NeedsPerson: a roll failed, or the floor left something that Headway would roll again.
    """
    start, pairs = versions(rounds)
    bench = _Bench(fleet, work)
    say(f"rolling {start}, which is not measured")
    bench.headway(start)
    found = []
    for number, (by_headway, by_floor) in enumerate(pairs, start=1):
        # Whoever is second finds warmer caches: that changes from round to round.
        if number % 2:
            headway = bench.headway(by_headway)
            floor = bench.floor(by_floor)
        else:
            floor = bench.floor(by_floor)
            headway = bench.headway(by_headway)
        found.append(Round(headway, floor))
        say(
            f"round {number} of {rounds}: Headway {headway.usage.seconds:.2f} s, floor "
            f"{floor.usage.seconds:.2f} s, ratio {found[-1].ratio:.2f}; "
            f"execs {_listed(headway.execs)} / {_listed(floor.execs)}"
        )
    return found


def _listed(execs: Mapping[str, int]) -> str:
    return " ".join(map(str, execs.values()))


class _Bench:
    def __init__(self, fleet: Fleet, work: Path) -> None:
        self.fleet = fleet
        self.work = work

    def headway(self, tag: str) -> Roll:
        return self._roll(tag, inv(f"deploy.{ENVIRONMENT}", "--tag", tag, "--yes"), {})

    def floor(self, tag: str) -> Roll:
        files = self.work / tag
        self.fleet.files_of(tag, files)
        argv = [str(HERE / "floor.sh"), tag, str(files)]
        roll = self._roll(tag, argv, knobs(self.fleet.environment))
        plan = inv(f"plan.{ENVIRONMENT}", "--tag", tag, "--detailed-exit-code")
        done = subprocess.run(
            plan, check=False, cwd=self.fleet.folder, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise NeedsPerson(
                f"floor.sh rolled {tag}, and Headway finds something to do",
                state=done.stdout + done.stderr,
            )
        return roll

    def _roll(self, tag: str, argv: Sequence[str], environ: Mapping[str, str]) -> Roll:
        self.fleet.forget(tag)
        time.sleep(CALM)
        began = time.time()
        usage = measured(argv, self.fleet.folder, self.work, environ)
        return Roll(usage, self.fleet.sessions(began))


def measured(argv: Sequence[str], folder: Path, work: Path, environ: Mapping[str, str]) -> Usage:
    """Run a command in a folder by usage.py, its output kept from the terminal.

    Raises:
        NeedsPerson: it failed; the end of what it said is shown.
    """
    result, output = work / "usage.json", work / "output.txt"
    with output.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(HERE / "usage.py"), str(result), *argv],
            check=False,
            cwd=folder,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    if done.returncode != 0:
        tail = "\n".join(output.read_text(errors="replace").splitlines()[-30:])
        raise NeedsPerson(f"{' '.join(argv)}: exit code {done.returncode}", state=tail)
    return Usage(**json.loads(result.read_text()))

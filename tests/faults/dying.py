"""`inv`, but killed by SIGKILL at one of the boundaries of its run.

    python -m tests.faults.dying WHERE inv WORD...

There is one before each phase, when the line that says so is on the disk, and one after it, when
nobody has written down how it ended. WHERE is a boundary's number, 2k before the k-th phase and
2k + 1 after it, or what it begins with in words: `after migrate`. The way back is the last phase of
a run that has one. A run that has no such boundary ends as it would. The last line of standard
error says where it was killed, or how many boundaries were passed.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from invoke.main import program

from deploy.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from deploy.steps.step import Step

passed: list[str] = []


def boundary(where: str, here: str) -> None:
    if where == str(len(passed)) or (not where.isdigit() and here.startswith(where)):
        print(f"killed {here}", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    passed.append(here)


def dying(phase: Callable[..., Any], where: str) -> Callable[..., Any]:
    def run(self: Run, *steps: Iterable[Step]) -> Any:
        # The way back is of no steps of its own.
        what = named(steps[0]) if steps else "the way back"
        boundary(where, f"before {what}")
        ended = phase(self, *steps)
        boundary(where, f"after {what}")
        return ended

    return run


def named(phase: Iterable[Step]) -> str:
    """Each step with its hosts: `settle web-1 and stage web-2`."""
    found: dict[str, list[str]] = {}
    for step in phase:
        found.setdefault(step.name, []).extend([step.host] if step.host else [])
    return " and ".join(" ".join([name, ", ".join(hosts)]).strip() for name, hosts in found.items())


if __name__ == "__main__":
    Run._phase = dying(Run._phase, sys.argv[1])  # type: ignore[method-assign]
    Run._revert = dying(Run._revert, sys.argv[1])  # type: ignore[method-assign]
    try:
        program.run(sys.argv[2:], exit=True)
    finally:
        print(len(passed), file=sys.stderr)

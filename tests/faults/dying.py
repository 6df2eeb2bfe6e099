"""`inv`, but killed by SIGKILL at one of the boundaries of its run.

    python -m tests.faults.dying NUMBER inv WORD...

Boundary 2k is before the k-th phase, when the line that says so is on the disk; 2k + 1 is after it,
when nobody has written down how it ended. The way back is the last phase of a run that has one. A
run that has not so many ends as it would. How many boundaries were passed is the last line of
standard error.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING, Any

from invoke.main import program

from deploy.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

passed: list[str] = []


def boundary(number: int, where: str) -> None:
    if len(passed) == number:
        os.kill(os.getpid(), signal.SIGKILL)
    passed.append(where)


def dying(phase: Callable[..., Any], number: int) -> Callable[..., Any]:
    def run(self: Run, *steps: Any) -> Any:
        boundary(number, "before")
        ended = phase(self, *steps)
        boundary(number, "after")
        return ended

    return run


if __name__ == "__main__":
    Run._phase = dying(Run._phase, int(sys.argv[1]))  # type: ignore[method-assign]
    Run._revert = dying(Run._revert, int(sys.argv[1]))  # type: ignore[method-assign]
    try:
        program.run(sys.argv[2:], exit=True)
    finally:
        print(len(passed), file=sys.stderr)

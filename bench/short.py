"""What takes less than a second or two: the list of tasks, and the facts of the hosts."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import Pair
from bench.rounds import inv
from deploy.sandbox.home import ROOT

if TYPE_CHECKING:
    from bench.fleet import Fleet

TURNS = 10


def listing(work: Path) -> Pair:
    """`inv --list` in this repository and in a folder with an empty tasks.py."""
    empty = work / "empty"
    empty.mkdir()
    (empty / "tasks.py").touch()
    _list(ROOT)  # the first time compiles
    return _in_turn(lambda: _list(ROOT), lambda: _list(empty))


def facts(fleet: Fleet) -> Pair:
    """Reading all hosts, connections included, and connecting to one."""
    _facts(fleet)  # the first time imports
    return _in_turn(lambda: _facts(fleet), lambda: _connect(fleet))


def _in_turn(this: Callable[[], float], that: Callable[[], float]) -> Pair:
    turns = [(this(), that()) for _ in range(TURNS)]
    return Pair(tuple(one for one, _ in turns), tuple(one for _, one in turns))


def _list(folder: Path) -> float:
    began = time.perf_counter()
    # Over an empty file Invoke says that there are no tasks and exits with 1.
    subprocess.run(inv("--list"), check=False, cwd=folder, capture_output=True)
    return time.perf_counter() - began


def _facts(fleet: Fleet) -> float:
    with fleet.situation() as situation:
        began = time.perf_counter()
        situation.gather()
        return time.perf_counter() - began


def _connect(fleet: Fleet) -> float:
    from deploy.remote.pool import hosts_of

    host = next(iter(hosts_of(fleet.environment).values()))
    began = time.perf_counter()
    host.connect()
    seconds = time.perf_counter() - began
    host.close()
    return seconds

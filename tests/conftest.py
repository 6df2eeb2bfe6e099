"""Options of the whole suite, and which of its tests run at the same time."""

from __future__ import annotations

import fcntl
import gc
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

HERE = Path(__file__).parent
_TURNS = "headway_turns"
_GIVE_WAY = "headway_give_way"
WAY = 5
"""The niceness of tests beside the fleet's: a third of a core at least, when both want one."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all",
        action="store_true",
        help="all cases: each arrow and each run killed everywhere, everything typed",
    )
    parser.addoption("--thorough", action="store_true", help="what is marked thorough, too")
    parser.addoption("--faults-table", metavar="FILE", help="where the fault suite's table goes")


def pytest_configure(config: pytest.Config) -> None:
    """A shell that starts us in the background has interrupts ignored; the tests send some."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    path = config.getoption("--faults-table")
    if path and not hasattr(config, "workerinput"):  # in the process that hears of all tests
        from tests.faults.table import Table

        config.pluginmanager.register(Table(path))


LONG = {
    "tests/arrows/": "arrows",
    "tests/faults/": "fleet",
    "tests/fleet/": "fleet",
    "tests/sandbox/test_fleet.py": "fleet",
    "tests/sandbox/test_start_over.py": "fleet",
}
"""Where tests run one after the other, by what they have in common."""
IN_MEMORY = tuple(
    f"tests/faults/test_{name}.py" for name in ("hostile_text", "state_machine", "table", "told")
)
"""What of it is in no long room, since it has a fleet in memory, or none."""
LONGEST = tuple(
    f"tests/{name}.py"
    for name in ("faults/test_crash_points", "fleet/test_rolls", "fleet/test_database")
)
"""Those begin first where each process has a fleet, so that both end at much the same time."""


def room(nodeid: str) -> str:
    """Tests of one room run one after the other in one process: there is one sandbox."""
    file = nodeid.partition("::")[0]
    if file in IN_MEMORY:
        return file
    return next((name for place, name in LONG.items() if file.startswith(place)), file)


def _place(item: pytest.Item) -> tuple[bool, bool, bool, bool]:
    """The longest rooms come first; in them, what runs alone, and what takes the sandbox away."""
    file = item.nodeid.partition("::")[0]
    return (
        item.path.name == "test_start_over.py",
        room(item.nodeid) not in LONG.values(),
        file not in LONGEST,
        item.get_closest_marker("alone") is not None,
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not (config.getoption("--all") or config.getoption("--thorough")):
        left = [item for item in items if item.get_closest_marker("thorough")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
    items.sort(key=_place)


def _of_a_long_room(scope: str) -> bool:
    return room(scope) in LONG.values() and "test_start_over" not in scope


def _annexed(config: pytest.Config) -> bool:
    """Whether the second process has a fleet of its own; see `tests/annex.sh`."""
    return any("annex" in spec for spec in config.option.tx)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Rooms are handed out, whole and in their order, to the processes."""
    from xdist.scheduler import LoadScopeScheduling

    annexed = _annexed(config)

    class Rooms(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            # With an annex each process has a sandbox, and takes file by file; of the one that is
            # as long as many others, kind by kind.
            if not annexed:
                return room(nodeid)
            kind = re.search(r"test_killed_at_a_boundary\[(.+)-\d+-\w+\]$", nodeid)
            return nodeid.partition("::")[0] + (f" {kind[1]}" if kind else "")

        def _assign_work_unit(self, node: Any) -> None:
            if not (self._helps(node) and any(map(_of_a_long_room, self.workqueue))):
                super()._assign_work_unit(node)

        def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
            super().mark_test_complete(node, item_index, duration)
            for one in filter(self._helps, self.nodes):
                if not self._pending_of(self.assigned_work[one]):
                    self._reschedule(one)

        def _helps(self, node: Any) -> bool:
            """It has no sandbox, and begins once both cores are no longer taken by fleets."""
            return annexed and node.gateway.id not in {"gw0", "gw1"}

    return Rooms(config, log)


class Turns:
    """What the processes of one run share: many tests at once, or one that is alone."""

    def __init__(self, folder: Path) -> None:
        self.gate, self.room = folder / "gate", folder / "room"

    @contextmanager
    def take(self, *, alone: bool) -> Iterator[None]:
        with self.gate.open("w") as gate, self.room.open("w") as room:
            # Whoever waits for the room holds the gate, so that those who come later wait for it.
            fcntl.flock(gate, fcntl.LOCK_EX)
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            if not alone:
                fcntl.flock(gate, fcntl.LOCK_UN)
            yield


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Called in the process that starts the others, once for each of them."""
    config = node.config
    if not hasattr(config, _TURNS):
        folder = tempfile.mkdtemp(prefix="headway-turns-")
        setattr(config, _TURNS, folder)
        config.add_cleanup(lambda: shutil.rmtree(folder))
    node.workerinput[_TURNS] = getattr(config, _TURNS)
    node.workerinput[_GIVE_WAY] = not _annexed(config)


@pytest.hookimpl(wrapper=True, tryfirst=True)  # waiting is no part of a test's time
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    given = getattr(item.config, "workerinput", {})
    if _TURNS not in given:
        return (yield)
    if given[_GIVE_WAY] and room(item.nodeid) != "fleet":
        # The fleet's room is the longest, and begins first: what else there is gives way to it.
        os.setpriority(os.PRIO_PROCESS, 0, WAY)
    with Turns(Path(given[_TURNS])).take(alone=item.get_closest_marker("alone") is not None):
        return (yield)


@pytest.fixture
def no_collection() -> Iterator[None]:
    """For what recurses to the limit: there, finalizers of what other tests have left fail."""
    gc.disable()
    yield
    gc.enable()

"""A run is killed at one of its boundaries; the next command brings the fleet to an end."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.questions import ask
from tests.fleet.project import ROOT, Done, Project

if TYPE_CHECKING:
    from tests.fleet.conftest import Loads

pytestmark = pytest.mark.fleet

ROLLING = 24
"""Boundaries of a deploy that goes host by host over the fleet, and more: the last one is past its
end, and a run that is longer fails there."""
AT_ONCE = 12
"""Of a rollback, and of a blue-green deploy."""
BACK = (8, 9)
"""Before and after the way back of a deploy whose release is bad on the second host."""

POINTS = [
    *(("rolling", number) for number in range(ROLLING)),
    *(("reverting", number) for number in BACK),
    *(("blue-green", number) for number in range(AT_ONCE)),
    *(("rollback", number) for number in range(AT_ONCE)),
]
PAST = {("rolling", ROLLING - 1), ("blue-green", AT_ONCE - 1), ("rollback", AT_ONCE - 1)}
THEN = ("recover", "deploy", "rollback")
SOME = {
    (("rolling", 7), "recover"),  # the second host is staged, and the first has settled
    (("rolling", 9), "deploy"),  # it is switched
}
"""Where nobody asks for `--all`."""


def die(shop: Project, number: int, verb: str, *words: str) -> Done:
    argv = [sys.executable, "-m", "tests.faults.dying", str(number), "inv", f"{verb}.{shop.name}"]
    done = subprocess.run(
        [*argv, *words],
        cwd=shop.folder,
        env=shop.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    return Done(done.returncode, [(time.time(), line) for line in done.stdout.splitlines()])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "point" not in metafunc.fixturenames:
        return
    every = metafunc.config.getoption("--all")
    cases = [(point, then) for point in POINTS for then in THEN if every or (point, then) in SOME]
    metafunc.parametrize(
        ("point", "then"), cases, ids=[f"{kind}-{number}-{then}" for (kind, number), then in cases]
    )


def test_killed_at_a_boundary(
    settings_of_shop: Project, release, load: Loads, point: tuple[str, int], then: str
) -> None:
    shop = settings_of_shop
    kind, number = point
    shop.change(
        lease={"expires_after": "5s"},
        rollout={
            "strategy": "rolling" if kind in {"rolling", "reverting"} else "blue-green",
            "bake": "0s",
            "min_healthy_time": "0s",
            "healthy_deadline": "20s",
        },
    )
    # Where the fleet is, and where it is going.
    old, new, other = shop.on_one_of(release("v1"), release("v2"), release("v3"))
    before = old
    if kind == "rollback":
        shop.on(new)
        old, new = new, old
    if kind == "reverting":
        new = release("bad-never-healthy", "never-healthy,bad-on=web-2")
    whole = 4 if kind == "reverting" else 0
    with load(rate=20) as traffic:
        words = [] if kind == "rollback" else ["--tag", new]
        died = die(shop, number, "rollback" if kind == "rollback" else "deploy", *words)
        if died.exit_code == whole:
            # Past the end of this run: it has none such.
            assert int(died.lines[-1][1]) <= number
        else:
            assert died.exit_code == -9, died.text
            assert point not in PAST, "the run has more boundaries than are tried"
        if then == "recover":
            done = shop.inv("recover")
            came = died.exit_code == 0 or "finishing it" in done.text
            version = {new if came else old}
        elif then == "deploy":
            done, version = shop.deploy(other), {other}
        else:
            done, version = shop.inv("rollback"), {before}
    if then == "rollback" and kind == "rollback" and died.exit_code == 0:
        # Back from where it had come to its end; there may be no release before that.
        assert done.exit_code in {0, 3}, done.text
        return
    ask(shop, traffic, done, exit_code=0, version=version, first=died)
    assert kind != "rollback" or then != "recover" or version == {new}
    again = shop.inv("recover")
    assert again.exit_code == 0, again.text
    assert "nothing was left" in again.text

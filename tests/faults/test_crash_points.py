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
"""Boundaries of a deploy that goes host by host over the fleet, or more: what is past the end is
counted and skipped by none."""
AT_ONCE = 12
"""Of a rollback, and of a blue-green deploy."""

POINTS = [
    *(("rolling", number) for number in range(ROLLING)),
    *(("blue-green", number) for number in range(AT_ONCE)),
    *(("rollback", number) for number in range(AT_ONCE)),
]
THEN = ("recover", "deploy", "rollback")
SOME = {
    (("rolling", 7), "deploy"),  # the second host is staged, and the first has settled
    (("rolling", 9), "recover"),  # it is switched
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
    strategy = "rolling" if kind == "rolling" else "blue-green"
    shop.change(
        lease={"expires_after": "5s"},
        rollout={"strategy": strategy, "bake": "0s", "min_healthy_time": "0s"},
    )
    # Where the fleet is, and where it is going.
    old, new, other = shop.on_one_of(release("v1"), release("v2"), release("v3"))
    before = old
    if kind == "rollback":
        shop.on(new)
        old, new = new, old
    with load(rate=20) as traffic:
        words = [] if kind == "rollback" else ["--tag", new]
        died = die(shop, number, "rollback" if kind == "rollback" else "deploy", *words)
        if died.exit_code == 0:
            # Past the end of this run: it has none such.
            assert int(died.lines[-1][1]) <= number
        else:
            assert died.exit_code == -9, died.text
        if then == "recover":
            done, version = shop.inv("recover"), {old, new}
        elif then == "deploy":
            done, version = shop.deploy(other), {other}
        else:
            done, version = shop.inv("rollback"), {before}
    if then == "rollback" and kind == "rollback" and died.exit_code == 0:
        # Back from where it had come to its end; there may be no release before that.
        assert done.exit_code in {0, 3}, done.text
        return
    ask(shop, traffic, done, exit_code=0, version=version, first=died)
    again = shop.inv("recover")
    assert again.exit_code == 0, again.text
    assert "nothing was left" in again.text

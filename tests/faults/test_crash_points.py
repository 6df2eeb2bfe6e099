"""A run is killed at one of its boundaries; the next command brings the fleet to an end."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.questions import ask
from tests.fleet.database import EXPAND, sql
from tests.fleet.project import ROOT, Done, Project

if TYPE_CHECKING:
    from tests.fleet.conftest import Loads

pytestmark = pytest.mark.fleet

ROLLING = 23
"""Boundaries of a deploy that goes host by host over the fleet, and one that is past its end: a run
that is longer fails there."""
AT_ONCE = 11
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
TURNS = (*THEN, "deploy", "recover", "rollback")
"""Another deploy meets both a host that is staged and one that is switched."""
SOME = {(point, TURNS[turn % len(TURNS)]) for turn, point in enumerate(POINTS[::3])}
"""Every third point, each with the next of the commands, where nobody asks for `--all`.

Even numbers are before a phase and odd ones after it, so that threes are so by turns. Of a rolling
deploy they are before the pull; after the first host's stage; before it settles and the second one
is staged; after that one's switch; before the third one's; after that one has settled and the
worker is staged; before the worker settles; after it was looked at the whole. Of one that reverts,
after the way back; of a blue-green one before stage, after switch, and before that look; of a
rollback before the pull, after stage, before settle, and after that look. Each kind but the one of
two points meets each of the commands.
"""
CONTRACT = "-- deploy: phase=contract\nALTER TABLE orders DROP COLUMN colour;"
COLOUR = "select count(*) from pg_attribute where attname = $$colour$$"
ROWS = "select count(*) from drizzle.__drizzle_migrations"


def die(shop: Project, where: int | str, verb: str, *words: str) -> Done:
    argv = [sys.executable, "-m", "tests.faults.dying", str(where), "inv", f"{verb}.{shop.name}"]
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
        new = release("bad-error-500", "error-500,bad-on=web-2")
    whole = 4 if kind == "reverting" else 0
    with load() as traffic:
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


BESIDE = (
    "after migrate",
    *("before migrate", "in migrate", "after backup", "after rehearse"),
    *("before contract", "after contract"),
)


@pytest.mark.parametrize(
    "where",
    [pytest.param(one, marks=pytest.mark.thorough if at else ()) for at, one in enumerate(BESIDE)],
)
def test_killed_beside_a_migration(shop_with_rows: Project, image, load: Loads, where: str) -> None:
    """The hosts and the database agree after it, and what was applied is not applied again."""
    shop = shop_with_rows
    text = CONTRACT if "contract" in where else EXPAND
    if where not in {"after backup", "after rehearse"}:
        shop.change(database={"backup": {"required": False}, "rehearsal": {"mode": "off"}})
    shop.change(lease={"expires_after": "5s"}, rollout={"bake": "0s", "min_healthy_time": "0s"})
    if text == CONTRACT:
        sql("alter table orders add column if not exists colour text")
    had, rows = (int(sql(one)) for one in (COLOUR, ROWS))
    tag = image(f"died-{where.replace(' ', '-')}", x1_colour=text)
    with load() as traffic:
        if where == "in migrate":
            applying = "applying x1_colour"
            died = shop.inv("deploy", "--tag", tag, kill_at=lambda line: applying in line)
        else:
            died = die(shop, where, "deploy", "--tag", tag)
        first = shop.inv("recover")
        on, has, applied = set(shop.tags().values()), int(sql(COLOUR)), int(sql(ROWS)) - rows
        done = shop.deploy(tag)
    assert died.exit_code == -9, died.text
    assert first.exit_code == 0, first.text
    assert on == {tag if text == CONTRACT else "v1"}
    assert abs(has - had) == applied
    if where != "in migrate":  # where the session may have ended before or after its end
        assert applied == (where in {"after migrate", "after contract"})
    assert done.text.count("✓ migrate") + done.text.count("✓ contract") == 1 - applied
    ask(shop, traffic, done, exit_code=0, version=tag, first=died)
    assert abs(int(sql(COLOUR)) - had) == 1
    assert int(sql(ROWS)) == rows + 1

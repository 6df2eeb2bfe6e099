"""People who type on a host in the middle of a roll, or go back and back again.

What may be typed at which moment is in `tests/arrows/test_by_hand.py`, without a fleet.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.sandbox import elsewhere
from tests.faults.questions import ask, ask_whichever
from tests.faults.watched import end_of, gone_for, until
from tests.fleet.project import Project, on_host

if TYPE_CHECKING:
    from tests.fleet.conftest import Loads

pytestmark = pytest.mark.fleet

HOST = "web-2"


@pytest.mark.parametrize(
    "typed",
    ["up -d", *(pytest.param(one, marks=pytest.mark.thorough) for one in ("restart", "down"))],
)
def test_somebody_types_in_the_middle_of_a_roll(quick: Project, load: Loads, typed: str) -> None:
    """While the new containers are watched. What they take away themselves can't be answered."""
    quick.change(rollout={"bake": "6s"})
    gone: list[tuple[float, float]] = []
    with load() as traffic:
        process = quick.start("deploy", "--tag", quick.new)
        said = until(process, f"{HOST}     switch                switched")
        with gone_for(HOST, gone):
            on_host(HOST, f"cd /srv/shop && docker compose {typed} 2>&1 || true")
        done = end_of(process, said)
    ask_whichever(quick, traffic, done, old=quick.old, new=quick.new, gone=gone)


def test_a_compose_file_is_edited_by_hand(quick: Project, load: Loads) -> None:
    """The plan shows it, and the next deploy of the very same release puts it right."""
    on_host(HOST, "echo '# by hand' >>/srv/shop/compose.yaml")
    with load() as traffic:
        plan = quick.inv("plan", "--tag", quick.old, "--detailed-exit-code")
        done = quick.deploy(quick.old)
        after = quick.inv("plan", "--tag", quick.old, "--detailed-exit-code")
    assert plan.exit_code == 10, plan.text
    assert "compose.yaml was edited by hand" in plan.text
    assert f"Order: {HOST} (" in plan.text
    ask(quick, traffic, done, exit_code=0, version=quick.old, first=plan)
    assert after.exit_code == 0, after.text


@pytest.mark.thorough
def test_back_and_back_again(quick: Project, load: Loads) -> None:
    """A rollback of a rollback goes on backwards, and not to what somebody has just left."""
    quick.on(quick.new)
    quick.on(quick.other)
    with load() as traffic:
        first = quick.inv("rollback")
        between = set(quick.tags().values())
        second = quick.inv("rollback")
    assert first.exit_code == 0, first.text
    assert between == {quick.new}
    ask(quick, traffic, second, exit_code=0, version=quick.old, first=first)


def test_back_to_nothing(quick: Project, load: Loads, tmp_path: Path) -> None:
    """An application that was never deployed to these hosts."""
    fresh = Project(tmp_path / "repository", "fresh", elsewhere.settings(app="fresh"))
    try:
        with load() as traffic:
            done = fresh.inv("rollback")
    finally:
        on_host("web-1", "rm -rf /srv/fresh")  # where its lease was kept
    ask(quick, traffic, done, exit_code=3, version=quick.old)
    assert "there is no earlier release to go back to" in done.text
    assert "Nothing has been changed." in done.text

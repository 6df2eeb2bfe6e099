"""Where a rollback leads when somebody with a newer Headway has been at the hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.errors import Refused
from deploy.intent import intend_rollback
from deploy.situation import Situation
from tests.faults.faulty import Course
from tests.faults.fleet import Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """From v1 over v2 to v3; what brought it there is not to be read on one host."""
    found = Fleet.new(tmp_path, {"bake": "0s", "min_healthy_time": "0s"})
    for tag in ("v1", "v2", "v3"):
        found.run(tag, Course())
    machine = found.machines["web-2"]
    *others, last = machine.journal
    machine.journal = [*others, last.replace('"v": 1', '"v": 2')]
    return found


def test_nobody_goes_back_past_what_is_not_known(fleet: Fleet) -> None:
    before = fleet.settled()
    refused = fleet.run(None, Course()).refused
    assert isinstance(refused, Refused)
    assert "a newer version of Headway has written in the journal of web-2" in str(refused)
    assert "pip install --upgrade headway" in refused.mend
    assert fleet.settled() == before


def test_who_says_where_to_is_taken_there(fleet: Fleet) -> None:
    with fleet._in_memory():
        intent = intend_rollback(Situation.of(fleet.environment), "v2", {})
    assert intent.plan.after == "v2"
    assert len(intent.plan.rolling) == len(fleet.hosts)

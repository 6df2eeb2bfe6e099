"""`inv status` over hosts of which one may be down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from deploy.tasks import status
from tests.faults.faulty import Course
from tests.tasks.in_memory import new_fleet

if TYPE_CHECKING:
    from tests.faults.fleet import Fleet


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    found = new_fleet(tmp_path, monkeypatch, status)
    found.run("v1", Course())
    return found


def typed(**options: bool) -> None:
    status.make(Path(), "staging").body(Context(), **options)


def test_a_host_that_is_down_hides_none_of_the_others(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.hosts["web-2"].away_until = fleet.clock + 100
    typed()
    said = capsys.readouterr().out
    assert "  web-1  v1\n" in said
    assert "  web-2  ! web-2: no route to it\n" in said


def test_as_json(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.hosts["web-2"].away_until = fleet.clock + 100
    typed(json=True)
    rows = json.loads(capsys.readouterr().out)
    assert {host: (row["tag"], row["problem"]) for host, row in rows.items()} == {
        "db-1": ("v1", ""),
        "web-1": ("v1", ""),
        "web-2": ("", "web-2: no route to it"),
        "web-3": ("v1", ""),
    }


def test_none_answers(fleet: Fleet) -> None:
    for host in fleet.hosts.values():
        host.away_until = fleet.clock + 100
    with pytest.raises(Exit, match="web-1: no route to it") as ended:
        typed()
    assert ended.value.code == 3

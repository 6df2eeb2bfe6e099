"""`inv history`: over the hosts that answer, as lines, as JSON and as a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from deploy.tasks import history
from deploy.tasks.report import file_of
from tests.faults.faulty import Course, Fault
from tests.tasks.in_memory import new_fleet

if TYPE_CHECKING:
    from tests.faults.fleet import Fleet


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Of two deploys that went well and one that was put back, on 2 January 2026."""
    monkeypatch.chdir(tmp_path)
    found = new_fleet(tmp_path, monkeypatch, history)
    found.run("v1", Course())
    found.run("v2", Course())
    ended = found.run("v3", Course({12: Fault("refuse")})).ended
    assert ended
    assert ended.exit_code == 4
    return found


def typed(**options: Any) -> None:
    history.make(Path(), "staging").body(Context(), **options)


def test_a_line_for_each_run_and_the_figures(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    typed()
    said = capsys.readouterr().out
    runs = [line.split()[2:5] for line in said.splitlines() if line.startswith("  2026-01-02 ")]
    assert runs == [
        ["deploy", "v3", "reverted"],
        ["deploy", "v2", "done"],
        ["deploy", "v1", "done"],
    ]
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert "in the last 30 days 90 days" in lines
    assert "deploys 2, 0.5 a week 2, 0.2 a week" in lines
    assert "failed 1 of 3, 33% 1 of 3, 33%" in lines
    assert "lead time not known not known" in lines
    assert "Not asked" not in said


def test_a_host_that_is_down_is_named(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.hosts["web-2"].away_until = fleet.clock + 100
    typed(limit=1)
    said = capsys.readouterr().out
    assert said.count("  2026-01-02 ") == 1
    assert "Not asked, as they do not answer: web-2." in said
    typed(json=True)
    assert json.loads(capsys.readouterr().out)["not_asked"] == ["web-2"]


def test_none_answers(fleet: Fleet) -> None:
    for host in fleet.hosts.values():
        host.away_until = fleet.clock + 100
    with pytest.raises(Exit, match="web-1: no route to it") as ended:
        typed()
    assert ended.value.code == 3


def test_as_json(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    typed(json=True, limit=2)
    found = json.loads(capsys.readouterr().out)
    assert [(one["tag"], one["outcome"]) for one in found["runs"]] == [
        ("v2", "done"),
        ("v3", "reverted"),
    ]
    month, quarter = found["figures"]
    assert (month["days"], quarter["days"]) == (30, 90)
    assert (month["deploys"], month["tried"], month["failed"]) == (2, 3, 1)
    assert month["failure_rate"] == pytest.approx(1 / 3)
    assert month["lead_time"] is None
    assert month["recovery"] == 0


def test_the_page_links_the_reports_beside_it(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(json=True)
    ids = [one["deploy"] for one in json.loads(capsys.readouterr().out)["runs"]]
    Path(file_of("staging", ids[1])).touch()
    typed(html=True)
    assert capsys.readouterr().out == "3 runs of staging: history-staging.html\n"
    file = Path("history-staging.html")
    page = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert f'<a href="{file_of("staging", ids[1])}">{ids[1]}</a>' in page
    assert page.count("<a ") == 1
    assert all(one in page for one in ids)
    typed(out="elsewhere.html")
    assert "<a " in Path("elsewhere.html").read_text()


def test_a_page_that_can_not_be_written(fleet: Fleet) -> None:
    with pytest.raises(Exit, match="can't be written") as ended:
        typed(out="nowhere/history.html")
    assert ended.value.code == 2

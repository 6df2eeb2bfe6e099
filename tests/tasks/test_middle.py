"""What `inv status` and `inv history` say of who is at work, and of what dead runs have left."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from invoke.context import Context

from deploy.lease.words import Claim, Hold, Seen
from deploy.situation import Situation
from deploy.tasks import history, status
from deploy.tasks.middle import in_the_middle
from tests.faults.faulty import Course
from tests.tasks.in_memory import new_fleet

if TYPE_CHECKING:
    from tests.faults.fleet import Fleet


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """On v1 everywhere, and both verbs are typed over it."""
    monkeypatch.chdir(tmp_path)
    found = new_fleet(tmp_path, monkeypatch, history)
    monkeypatch.setattr(status, "situation", history.situation)
    found.run("v1", Course())
    return found


def typed(task: ModuleType, **options: Any) -> None:
    task.make(Path(), "staging").body(Context(), **options)


def died(fleet: Fleet, phase: str) -> None:
    """A deploy of v2 that has left web-2 in this phase; "": that has come to the end of all."""
    fleet.die("v2", phase, "web-2")
    fleet.clock = fleet.keeping.expire()


def said(capsys: pytest.CaptureFixture[str], task: ModuleType, **options: Any) -> str:
    typed(task, **options)
    return capsys.readouterr().out


def test_nothing_was_left(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    assert "cut off" not in said(capsys, status)
    rows = json.loads(said(capsys, status, json=True))
    assert [row["dead_runs"] for row in rows.values()] == [[]] * len(fleet.hosts)
    assert json.loads(said(capsys, history, json=True))["dead"] == []


@pytest.mark.parametrize("task", [status, history])
def test_one_that_is_taken_back(
    fleet: Fleet, capsys: pytest.CaptureFixture[str], task: ModuleType
) -> None:
    died(fleet, "staged")
    text = said(capsys, task)
    assert "deploy of v2 by ana@github, begun 2" in text
    assert "died in the middle: taking it back, as only db-1, web-1 had come to the end of it" in (
        text
    )
    assert "inv recover.staging does that, and so does the next deploy." in text


def test_what_comes_of_each_host(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    died(fleet, "staged")
    text = said(capsys, status)
    assert "(staged) was cut off; by the next deploy it is taken back\n" in text


def test_what_is_settling_is_not_said_to_be_taken_back(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    died(fleet, "settling")
    text = said(capsys, status)
    assert "(settling) was cut off; by the next deploy it goes on to its end, and the host" in text
    assert "back to v1\n" in text


def test_one_that_is_finished(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    died(fleet, "")
    text = said(capsys, status)
    assert "died in the middle: finishing it, as every host serves v2" in text
    assert "taken back" not in text


def test_while_it_is_at_work_nothing_was_cut_off(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    died(fleet, "staged")
    fleet.clock -= 20  # it was heard of a moment ago
    text = said(capsys, status)
    assert "a roll to v2-" in text
    assert "(staged) is under way\n" in text
    assert "cut off" not in text
    assert "\nat work: " in text
    assert json.loads(said(capsys, history, json=True))["dead"] == []


def test_as_json(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    died(fleet, "staged")
    (dead,) = json.loads(said(capsys, history, json=True))["dead"]
    assert (dead["run"], dead["verb"], dead["tag"], dead["way"]) == (
        fleet.run_id,
        "deploy",
        "v2",
        "undo",
    )
    assert (dead["by"], dead["stopped"]) == ("ana@github", False)
    assert {*dead["hosts"]} == {*fleet.hosts}
    rows = json.loads(said(capsys, status, json=True))
    assert [row["dead_runs"] for row in rows.values()] == [[dead]] * len(rows)
    assert rows["web-2"]["half_way"].endswith("was cut off; by the next deploy it is taken back")
    assert rows["web-1"]["half_way"] == ""


def test_hosts_that_it_is_not_about(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    fleet.die("v2", "staged", "web-1", ("web-1",))
    fleet.clock = fleet.keeping.expire()
    rows = json.loads(said(capsys, status, json=True))
    assert [host for host, row in rows.items() if row["dead_runs"]] == ["web-1"]


def test_the_page_says_it_too(fleet: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    died(fleet, "staged")
    said(capsys, history, html=True)
    page = Path("history-staging.html").read_text()
    assert "died in the middle: taking it back" in page


def test_which_way_it_goes_depends_on_a_host_that_is_silent(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    died(fleet, "")
    fleet.hosts["web-3"].away_until = fleet.clock + 100
    text = said(capsys, status)
    assert "died in the middle\nWhat comes of it depends on web-3 too: no answer." in text
    (dead,) = json.loads(said(capsys, history, json=True))["dead"]
    assert dead["way"] is None


def test_the_host_that_keeps_the_records_is_silent(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    died(fleet, "staged")
    fleet.hosts[fleet.environment.lease_host].away_until = fleet.clock + 100
    text = said(capsys, status)
    assert f"{fleet.environment.lease_host}: no route to it" in text
    assert "(staged) was cut off\n" in text
    assert json.loads(said(capsys, status, json=True))["web-2"]["dead_runs"] is None
    assert json.loads(said(capsys, history, json=True))["dead"] is None


def test_held_and_nothing_left(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    hold = Hold("ana", "we move the DNS", "2026-01-01T00:00:00Z")

    def look(_keeper: object, _claim: Claim) -> Seen:
        return Seen(None, hold)

    monkeypatch.setattr("deploy.lease.keeper.Keeper.look", look)
    with fleet._in_memory():
        one = Situation.of(fleet.environment)
        one.gather()
        found = in_the_middle(one)
    assert [*found.lines] == ["held by ana since 2026-01-01 00:00:00 UTC: we move the DNS"]


def test_what_a_newer_headway_wrote_is_said_to_be_missing(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.machines["web-1"].journal.append('{"v": 2}')
    assert "! What a newer Headway wrote is not shown: web-1." in said(capsys, history)
    assert json.loads(said(capsys, history, json=True))["not_read"] == ["web-1"]
    said(capsys, history, html=True)
    page = Path("history-staging.html").read_text()
    assert "A newer Headway has written in the journal of web-1" in page

"""How a recovery ends: what is asked last, what is taken back then, which records are closed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy import history
from deploy import recover as module
from deploy.errors import HeadwayError, NeedsPerson, Refused
from deploy.events import Outcome, RunEnded, Stream
from deploy.facts import HostFacts, read
from deploy.recovery import Recovery
from deploy.steps.smoke import Smoke
from tests.faults.faulty import Course
from tests.faults.fleet import Fleet
from tests.run.walk import Stub, raises


@dataclass
class Lease:
    written: list[Any] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    unheard = ""

    def record(self, *lines: Any) -> None:
        self.written += lines

    note = record

    def close(self, runs: Any) -> None:
        self.closed += runs


def step(name: str, error: HeadwayError | None = None) -> Stub:
    does = raises(error) if error else lambda: None
    return Stub([], name, "", does, touches=False, reverts=False)


@pytest.fixture
def recovered(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Recover to v1 where every host is on it already, and say what was asked last."""
    target = SimpleNamespace(id="v1-1", tag="v1", commit="")
    found = Recovery("undo", "it says so", target, {}, [SimpleNamespace(run="d-0")])  # type: ignore[list-item,arg-type]
    rollout = SimpleNamespace(progress_deadline=3600.0, auto_revert=True)
    situation = SimpleNamespace(
        environment=SimpleNamespace(app="shop", name="staging", rollout=rollout),
        placements=["web-1"],
        facts={"web-1": HostFacts(release="v1-1")},
        left_out=(),
    )
    intent = SimpleNamespace(order=None, plan=SimpleNamespace(empty=False), again=None)
    monkeypatch.setattr(module, "to_known", lambda *_: intent)

    def run(smoke: Stub | None, *, limit: float = 3600.0) -> tuple[RunEnded, Lease]:
        rollout.progress_deadline = limit
        purge = Stub([], "purge", "", reverts=False)
        monkeypatch.setattr(module, "phases", lambda *_: [[purge]])
        monkeypatch.setattr(module, "smoke_after_all", lambda *_: [[smoke]])
        lease: Any = Lease()
        stream = Stream()
        ended = module.recover(situation, found, "ana", stream, lease, smoke=smoke is not None)  # type: ignore[arg-type]
        return ended, lease

    return run


def did(lease: Lease) -> list[str]:
    return [line["step"] for line in lease.written if line["what"] == "did"]


def test_what_serves_is_asked_last(recovered: Any) -> None:
    ended, lease = recovered(step("smoke"))
    assert (ended.outcome, ended.message) == (Outcome.DONE, "every host is on v1")
    assert did(lease) == ["purge", "smoke"]
    assert lease.closed == ["d-0"]


def test_what_fails_its_smoke_tests_is_not_in_its_middle(recovered: Any) -> None:
    """Else no deploy could come after it: each begins with what was left."""
    ended, lease = recovered(step("smoke", NeedsPerson("login: failed")))
    assert ended.exit_code == NeedsPerson.exit_code
    assert ended.message == "every host is on v1, and it fails its smoke tests"
    assert lease.closed == ["d-0"]


def test_before_a_deploy_nothing_is_asked(recovered: Any) -> None:
    ended, lease = recovered(None)
    assert ended.exit_code == 0
    assert did(lease) == ["purge"]


def test_it_has_the_time_that_a_deploy_has(recovered: Any) -> None:
    ended, lease = recovered(None, limit=0)
    assert (ended.exit_code, ended.message) == (5, "purge failed on the whole; left as it is")
    assert did(lease) == []
    assert lease.closed == []


# --- a deploy that died when every host was on its release ---------------------------------------


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    """On v1 everywhere."""
    found = Fleet.new(tmp_path, {"bake": "0s", "min_healthy_time": "0s"})
    found.run("v1", Course())
    return found


def died_before_it_asked(fleet: Fleet, tag: str) -> None:
    fleet.die(tag, "", "")
    assert tags(fleet) == {tag}


def tags(fleet: Fleet) -> set[str]:
    return {str(one).partition("-")[0] for one in fleet.settled().values()}


def way_back(fleet: Fleet) -> list[str]:
    facts = {}
    for name, machine in fleet.machines.items():
        lines = [f'{{"event":"journal","line":{line}}}' for line in machine.journal]
        facts[name] = read(lines)
    return [one.partition("-")[0] for one in history.way_back(history.entries(facts))]


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch, fleet: Fleet) -> set[str]:
    """The tags that fail the smoke tests, of which there are some."""
    found: set[str] = set()

    def do(_self: Smoke, _say: object) -> str:
        if tags(fleet) & found:
            raise NeedsPerson("GET /: 500")
        return "1 passed"

    monkeypatch.setattr(Smoke, "do", do)
    monkeypatch.setattr(module, "smoke_after_all", lambda *_: [[Smoke(lambda _: None)]])  # type: ignore[arg-type,return-value]
    return found


def test_what_was_not_asked_is_asked_and_then_it_is_finished(fleet: Fleet, bad: set[str]) -> None:
    died_before_it_asked(fleet, "v2")
    ran = fleet.recover(Course())
    assert ran.recovered is not None
    assert (ran.recovered.ended.exit_code, ran.recovered.ended.message) == (
        0,
        "every host is on v2",
    )
    assert fleet.left() == []
    assert way_back(fleet) == ["v1", "v2"], "a rollback from there goes to v1"


def test_what_was_not_asked_and_fails_is_taken_back(fleet: Fleet, bad: set[str]) -> None:
    died_before_it_asked(fleet, "v2")
    bad.add("v2")
    ran = fleet.recover(Course())
    assert ran.recovered is not None
    ended = ran.recovered.ended
    assert (ended.exit_code, ended.message) == (0, "every host is on v1; v2 was taken back")
    assert tags(fleet) == {"v1"}
    assert fleet.left() == []
    assert way_back(fleet) == ["v1"]


def test_before_a_deploy_it_is_asked_too(fleet: Fleet, bad: set[str]) -> None:
    """The same release has nothing to be rolled any more, and nobody would ask."""
    died_before_it_asked(fleet, "v2")
    bad.add("v2")
    ran = fleet.run("v2", Course())
    assert ran.recovered is not None
    assert {str(one).partition("-")[0] for one in ran.recovered.on.values()} == {"v1"}


def test_where_nothing_was_deployed_before_it_stays(tmp_path: Path, bad: set[str]) -> None:
    first = Fleet.new(tmp_path, {"bake": "0s", "min_healthy_time": "0s"})
    died_before_it_asked(first, "v1")
    bad.add("v1")
    ran = first.recover(Course())
    assert ran.recovered is not None
    assert ran.recovered.ended.exit_code == 5
    assert ran.recovered.ended.message == "every host is on v1, and it fails its smoke tests"


def test_what_the_database_is_beyond_is_not_gone_back_to(
    fleet: Fleet, bad: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    died_before_it_asked(fleet, "v2")
    bad.add("v2")

    def refuse(_situation: object, _known: object, target: Any) -> None:
        raise Refused(f"{target.tag} cannot live with what has been applied since")

    monkeypatch.setattr(module, "not_past_a_contract", refuse)
    ran = fleet.recover(Course())
    assert ran.recovered is not None
    assert ran.recovered.ended.exit_code == 5
    assert tags(fleet) == {"v2"}


def test_where_reverts_are_off_nothing_is_taken_back(
    fleet: Fleet, bad: set[str], tmp_path: Path
) -> None:
    off = Fleet.new(tmp_path, {"bake": "0s", "min_healthy_time": "0s", "auto_revert": False})
    fleet.environment = off.environment
    died_before_it_asked(fleet, "v2")
    bad.add("v2")
    ran = fleet.recover(Course())
    assert ran.recovered is not None
    assert ran.recovered.ended.exit_code == 5
    assert tags(fleet) == {"v2"}


def test_what_settled_on_its_way_back_is_settled_again(fleet: Fleet) -> None:
    """The mend and the way back are two runs of one arrow; the host must not take them for one."""
    fleet.die("v2", "settling", "web-1")
    ran = fleet.recover(Course())
    assert ran.recovered is not None
    assert ran.recovered.ended.message == "every host is on v1"
    assert tags(fleet) == {"v1"}

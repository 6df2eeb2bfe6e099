"""How a recovery ends: what is asked last, and which records are closed."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from deploy import recover as module
from deploy.errors import HeadwayError, NeedsPerson
from deploy.events import Outcome, RunEnded, Stream
from deploy.recovery import Recovery
from tests.test_run import Stub, raises


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
    situation = SimpleNamespace(
        environment=SimpleNamespace(app="shop", name="staging"), placements=["web-1"], facts={}
    )
    intent = SimpleNamespace(order=None, plan=SimpleNamespace(empty=True), again=None)
    monkeypatch.setattr(module, "to_known", lambda *_: intent)
    monkeypatch.setattr(module, "purging", lambda *_: [[step("purge")]])

    def run(smoke: Stub | None) -> tuple[RunEnded, Lease]:
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

"""What a deploy does about runs that died, and who is told that somebody waits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import Held, Refused
from deploy.lease.words import Holder, Seen
from deploy.tasks import leased

if TYPE_CHECKING:
    from deploy.facts import HostFacts

HOLDER = Holder(
    "d-1", "ana", "laptop", 7, "", "deploy of v2", "2026-01-01T00:00:00Z", 1, 3, True, 40
)
BEGAN = {
    "v": 1,
    "run": "d-1",
    "at": "2026-01-01T00:00:00Z",
    "what": "began",
    "deploy": "d-1",
    "verb": "deploy",
    "release": "v2-1",
    "tag": "v2",
    "by": "ana",
    "before": {"web-1": ""},
}


class Lease:
    def __init__(self, *records: dict[str, Any]) -> None:
        self.seen = Seen(None, None, records)
        self.closed: list[str] = []

    def close(self, runs: list[str]) -> None:
        self.closed += runs


def test_where_there_is_no_way_to_an_end_the_deploy_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> bool:
        raise Refused("the files of v1-1 are no longer on any host")

    monkeypatch.setattr(leased, "mended", refuse)
    lease = Lease(BEGAN)
    with leased.after_the_dead(SimpleNamespace(left_out=()), lease):  # type: ignore[arg-type]
        assert lease.closed == [], "not before every host is on the new release"
    assert lease.closed == ["d-1"]
    assert "the deploy takes every host to its release all the same" in capsys.readouterr().err


def test_a_deploy_that_fails_leaves_the_records_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leased, "mended", lambda *_: True)
    lease = Lease(BEGAN)
    with (
        pytest.raises(RuntimeError),
        leased.after_the_dead(SimpleNamespace(left_out=()), lease),  # type: ignore[arg-type]
    ):
        raise RuntimeError
    assert lease.closed == []


def situation(seen: Seen, **facts: HostFacts) -> Any:
    return SimpleNamespace(
        run="d-9",
        environment=SimpleNamespace(name="staging"),
        facts=facts,
        keeper=SimpleNamespace(look=lambda _claim: seen),
    )


@pytest.mark.parametrize("wait", [None, "15m"])
def test_slack_hears_of_who_waits_and_not_of_who_only_looks(
    monkeypatch: pytest.MonkeyPatch, wait: str | None
) -> None:
    heard: list[tuple[str, ...]] = []
    monkeypatch.setattr("deploy.notify.choose.tell_waiting", lambda _, *words: heard.append(words))
    monkeypatch.setattr(leased, "refused", lambda error: error)

    def take(_claim: object, tell: Any, **_: object) -> None:
        tell("ana has the lease")
        raise Held("ana has the lease, and renews it")

    one = situation(Seen(HOLDER, None, ()))
    one.keeper.take = take
    with pytest.raises(Held), leased.leased(one, "deploy of v3", wait):
        pass
    said = [words[1:] for words in heard]
    assert said == ([("deploy of v3", "ana has the lease")] if wait else [])

"""Waiting for a lease, asking its owner to stop, holding it by hand, and taking it by force."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import Held, OutcomeUnknown, Refused, Reverted
from deploy.tasks.leased import leased
from tests.lease.conftest import MakeKeeper, claim, quiet

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.lease.keeper import Keeper


def test_waiting_for_a_live_one(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper(40)
    lease = keeper.take(claim("d-1"), quiet)
    threading.Timer(1.5, lease.release).start()
    said: list[str] = []
    taken = keeper.take(claim("d-2", "ben@desk"), said.append, wait=20)
    assert taken.token == 2
    assert said[0].startswith("ana@laptop (deploy v2")
    assert "waiting for it for up to 20 s" in said[0]


def test_waiting_for_a_person_to_give_it_back(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper(40)
    keeper.hold(claim("h-1", "ana@laptop", "we move the DNS"))
    threading.Timer(1.5, keeper.break_, [claim("u-1")]).start()
    said: list[str] = []
    taken = keeper.take(claim("d-2", "ben@desk"), said.append, wait=20)
    assert taken.token == 1
    assert len(said) == 1
    assert said[0].startswith("held by ana@laptop since 2")
    assert "we move the DNS; waiting for up to 20 s until it is given back" in said[0]


@pytest.mark.parametrize("how", [{"wait": 1}, {"preempt": True}, {}])
def test_a_hold_that_stays_is_a_refusal(make_keeper: MakeKeeper, how: dict[str, Any]) -> None:
    keeper = make_keeper(40)
    keeper.hold(claim("h-1", "ana@laptop", "we move the DNS"))
    began = time.monotonic()
    with pytest.raises(Held, match=r"held by ana@laptop since 2.*: we move the DNS"):
        keeper.take(claim("d-2", "ben@desk"), quiet, **how)
    assert time.monotonic() - began < 10, "a person is not asked to stop, and not waited for"


def test_waiting_has_an_end(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper(40)
    keeper.take(claim("d-1"), quiet)
    with pytest.raises(Held):
        keeper.take(claim("d-2"), quiet, wait=1)


def test_a_rollback_asks_the_owner_to_stop(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper(40)
    lease = keeper.take(claim("d-1"), quiet)
    asked: list[str] = []
    lease.on_ask = asked.append

    def work() -> None:
        while not asked:
            lease.record()
            time.sleep(0.2)
        lease.release()

    worker = threading.Thread(target=work)
    worker.start()
    taken = keeper.take(claim("r-2", "ben@desk", "rollback"), quiet, preempt=True)
    worker.join()
    assert taken.token == 2
    assert asked == ["ben@desk asks for the lease: rollback"]
    # The next one is not asked for what was meant for the one before.
    later: list[str] = []
    taken.on_ask = later.append
    taken.record()
    assert later == []


def test_who_asks_while_nobody_listens_is_heard_later(keeper: Keeper) -> None:
    """The run still looks, or waits for an answer; later there are two that can be stopped."""
    lease = keeper.take(claim("d-1"), quiet)
    keeper.ask(claim("r-2", "ben@desk", "rollback"), "lease_ask")
    lease.record()
    first: list[str] = []
    second: list[str] = []
    lease.on_ask = first.append
    assert first == ["ben@desk asks for the lease: rollback"]
    lease.record()
    lease.on_ask = second.append
    assert (first, second) == (first[:1], first)


def test_held_by_a_person(keeper: Keeper) -> None:
    keeper.ask(claim("h-1", "ana@laptop", 'we move the "DNS"'), "lease_hold")
    with pytest.raises(Held, match=r'held by ana@laptop since 2.*: we move the "DNS"'):
        keeper.take(claim("d-2", "ben@desk"), quiet)
    own = keeper.take(claim("d-3", "ana@laptop"), quiet)
    own.release()
    keeper.ask(claim("h-2", "ben@desk"), "lease_hold")
    hold = keeper.look(claim("h-3")).hold
    assert hold is not None
    assert hold.by == "ana@laptop", "another one's is not taken by holding it too"
    other = keeper.break_(claim("h-4", "ben@desk")).hold
    assert other is not None
    assert other.by == "ana@laptop", "it is not theirs to give back"
    assert keeper.break_(claim("h-4")).hold is None
    assert keeper.look(claim("h-5")).hold is None


def test_taken_away_by_force(keeper: Keeper) -> None:
    lease = keeper.take(claim("d-1"), quiet)
    holder = keeper.break_(claim("u-1", "ben@desk")).holder
    assert holder is not None
    assert holder.run == "d-1", "without force it stays theirs"
    lease.record({"what": "began"})
    keeper.break_(claim("u-1", "ben@desk"), force=True)
    with pytest.raises(Held, match="taken away by hand"):
        lease.record({"what": "doing"})
    after = keeper.take(claim("d-2", "ben@desk"), quiet)
    assert after.was == "broken"
    after.release()
    assert keeper.take(claim("d-3"), quiet).was == "free"


ENDS: dict[str, tuple[Exception, str]] = {
    "it said that it failed": (Reverted("it failed"), "free"),
    "nothing is known of it": (OutcomeUnknown("db-1", "the connection was lost"), "broken"),
}


@pytest.mark.parametrize(("error", "was"), ENDS.values(), ids=ENDS)
def test_what_may_be_at_work_is_waited_for_by_the_next_one(
    keeper: Keeper, error: Exception, was: str
) -> None:
    lease = keeper.take(claim("d-1"), quiet)
    with pytest.raises(type(error)), lease.kept(), lease.at_work():
        raise error
    assert keeper.take(claim("d-2"), quiet).was == was


def test_who_could_not_wait_for_it_leaves_that_to_the_next_one(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken over is as good as free only once every host was waited for."""
    monkeypatch.setenv("GITHUB_ACTOR", "ben")
    keeper.take(claim("d-1"), quiet)
    keeper.break_(claim("u-1"), force=True)
    waited: list[str] = []

    def has(run: str, bar: Callable[[], object]) -> str:
        about = SimpleNamespace(name="staging", lease_host="web-1")
        one: Any = SimpleNamespace(run=run, environment=about, keeper=keeper, bar=bar)
        with leased(one, "deploy") as lease:
            return lease.was

    def busy() -> None:
        raise Refused("a backup of an earlier run has been at work on this host for 120 s")

    with pytest.raises(Refused, match="a backup of an earlier run"):
        has("d-2", busy)
    assert has("d-3", lambda: waited.append("d-3")) == "broken"
    assert has("d-4", lambda: waited.append("d-4")) == "free"
    assert waited == ["d-3"]

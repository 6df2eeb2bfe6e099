"""Who gets the lease, keeps it and loses it: real scripts in a folder of this machine."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.errors import Held
from deploy.lease.words import Claim
from tests.lease.conftest import MakeKeeper, claim, place, quiet

if TYPE_CHECKING:
    from deploy.lease.keeper import Keeper
    from deploy.lease.lease import Lease


def test_it_is_written_down_with_all_that_somebody_else_wants_to_know(keeper: Keeper) -> None:
    keeper.take(Claim("d-1", "ana@laptop", "deploy v2", "https://ci.example/1"), quiet)
    written = json.loads((place(keeper) / "now").read_text())
    assert written["owner"] == "ana@laptop"
    assert written["url"] == "https://ci.example/1"
    assert written["reason"] == "deploy v2"
    assert written["token"] == 1
    assert written["pid"] > 1
    assert written["machine"]
    holder = keeper.look(claim("d-2")).holder
    assert holder is not None
    assert holder.alive
    assert "ana@laptop (deploy v2, since 2" in str(holder)
    assert "https://ci.example/1" in str(holder)


def test_of_many_who_ask_at_once_one_gets_it(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper(sleep=lambda _s: None)

    def ask(number: int) -> str | None:
        report = keeper.ask(claim(f"d-{number}"), "lease_take")
        return f"d-{number}" if report.last("taken") else None

    with ThreadPoolExecutor(8) as pool:
        got = [run for run in pool.map(ask, range(16)) if run]
    assert len(got) == 1
    holder = keeper.look(claim("d-x")).holder
    assert holder is not None
    assert holder.run == got[0]


def test_a_number_is_never_given_twice(keeper: Keeper) -> None:
    tokens = []
    for run in ("d-1", "d-2", "d-3"):
        lease = keeper.take(claim(run), quiet)
        tokens.append(lease.token)
        lease.release()
    assert tokens == [1, 2, 3]


def test_asked_again_by_the_same_run_it_is_the_same_lease(keeper: Keeper) -> None:
    """After a lost connection nobody knows whether it was given."""
    assert keeper.take(claim("d-1"), quiet).token == keeper.take(claim("d-1"), quiet).token == 1


def test_one_who_renews_it_keeps_it(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper(4)
    lease = keeper.take(claim("d-1"), quiet)
    said: list[str] = []
    with lease.kept():
        began = time.monotonic()
        with pytest.raises(Held, match=r"ana@laptop .deploy v2, since .* has the lease") as refused:
            keeper.take(claim("d-2", "ben@desk"), said.append)
        assert refused.value.exit_code == 6
        assert time.monotonic() - began < 4, "found out within a heartbeat or two, not at its end"
        assert "heard of" in said[0]
    assert keeper.take(claim("d-2", "ben@desk"), quiet).was == "free"


def test_one_who_is_silent_loses_it_and_then_changes_nothing(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper(2)
    slept = keeper.take(claim("d-1"), quiet)
    slept.record({"what": "began"})
    taken = keeper.take(claim("d-2", "ben@desk"), quiet)
    assert taken.was == "expired"
    assert taken.token > slept.token
    assert [line["what"] for line in taken.seen.records] == ["began"]
    with pytest.raises(Held, match="ben@desk has it") as lost:
        slept.record({"what": "doing"})
    assert lost.value.exit_code == 6
    slept.release()
    assert keeper.look(claim("d-3")).holder is not None, "what is not ours is not given back"


def test_an_expired_one_that_nobody_took_goes_on(make_keeper: MakeKeeper) -> None:
    """The network was away for a while; nobody has asked meanwhile."""
    keeper = make_keeper(1)
    lease = keeper.take(claim("d-1"), quiet)
    time.sleep(2.2)
    lease.record({"what": "doing"})
    holder = keeper.look(claim("d-2")).holder
    assert holder is not None
    assert holder.alive


def test_the_clock_on_the_wall_says_nothing(make_keeper: MakeKeeper, tmp_path: Path) -> None:
    """Only /proc/uptime counts: `date` three days off does not make a lease expire."""
    keeper = make_keeper(40)
    keeper.take(claim("d-1"), quiet)
    wrong = tmp_path / "bin"
    wrong.mkdir()
    (wrong / "date").write_text("#!/bin/sh\necho 2031-01-01T00:00:00Z\n")
    (wrong / "date").chmod(0o755)
    host = keeper.arrows.host
    host.environ = {"PATH": f"{wrong}:/usr/bin:/bin"}  # type: ignore[attr-defined]
    report = keeper.ask(claim("d-2"), "lease_take")
    assert report.last("taken") is None
    assert report.last("busy")


def test_after_a_restart_of_the_host_its_owner_has_time_to_come_back(keeper: Keeper) -> None:
    keeper.take(claim("d-1"), quiet)
    file = place(keeper) / "now"
    written = json.loads(file.read_text())
    # As if it were of another start of the machine, at a time that is long over in this one.
    file.write_text(file.read_text().replace(written["boot"], "0-0-0-0"))
    holder = keeper.look(claim("d-2")).holder
    assert holder is not None
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    assert holder.age == pytest.approx(uptime, abs=3)


def test_above_what_a_host_has_seen_of_another_keeper(keeper: Keeper) -> None:
    lease = keeper.take(claim("d-1"), quiet)
    lease.above(41)
    assert lease.token == 42
    lease.above(7)
    assert lease.token == 42
    lease.record()
    lease.release()
    assert keeper.take(claim("d-2"), quiet).token == 43


def test_it_is_renewed_within_the_time_that_it_has(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper(2)
    lease: Lease = keeper.take(claim("d-1"), quiet)
    with lease.kept():
        time.sleep(5)
        lease.record()
    assert keeper.look(claim("d-2")).holder is None

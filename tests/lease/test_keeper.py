"""Who gets the lease, and who does not: real scripts in a folder of this machine."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import Held, OutcomeUnknown, Refused, Reverted
from deploy.lease.words import Claim
from deploy.tasks.leased import leased
from tests.lease.conftest import MakeKeeper, claim

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.lease.keeper import Keeper
    from deploy.lease.lease import Lease


def quiet(_text: str) -> None:
    pass


def place(keeper: Keeper) -> Path:
    return Path(keeper.arrows.settings["dir"]) / ".headway" / "lease"


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


def test_above_what_a_host_has_seen_of_another_keeper(keeper: Keeper) -> None:
    lease = keeper.take(claim("d-1"), quiet)
    lease.above(41)
    assert lease.token == 42
    lease.above(7)
    assert lease.token == 42
    lease.record()
    lease.release()
    assert keeper.take(claim("d-2"), quiet).token == 43


def test_a_record_has_each_line_on_the_disk_before_the_next_step(keeper: Keeper) -> None:
    lease = keeper.take(claim("d-1"), quiet)
    lease.record({"what": "began"}, {"what": "doing", "step": "stage"})
    file = place(keeper) / "records" / "d-1.jsonl"
    assert [json.loads(line)["what"] for line in file.read_text().splitlines()] == [
        "began",
        "doing",
    ]
    lease.release({"what": "ended", "outcome": "done"})
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["n"] for line in lines] == [1, 2, 3]
    assert keeper.take(claim("d-2"), quiet).seen.records == (), "it has come to its end"


def test_lines_that_could_not_be_sent_come_with_the_next(keeper: Keeper) -> None:
    lease = keeper.take(claim("d-1"), quiet)
    trouble: list[str] = []
    lease.on_trouble = trouble.append
    folder = place(keeper)
    folder.rename(folder.with_name("away"))
    folder.write_text("")
    lease.record({"what": "began"})
    folder.unlink()
    folder.with_name("away").rename(folder)
    lease.record({"what": "doing"})
    lines = (folder / "records" / "d-1.jsonl").read_text().splitlines()
    assert [json.loads(line)["what"] for line in lines] == ["began", "doing"]
    assert len(trouble) == 1


def test_how_a_step_ended_goes_with_the_next_heartbeat(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper(4)
    lease = keeper.take(claim("d-1"), quiet)
    with lease.kept():
        lease.record({"what": "doing"})
        lease.note({"what": "did"})
        time.sleep(2)
        lines = (place(keeper) / "records" / "d-1.jsonl").read_text().splitlines()
    assert [(line["n"], line["what"]) for line in map(json.loads, lines)] == [
        (1, "doing"),
        (2, "did"),
    ]


def test_a_line_that_comes_while_others_are_on_their_way_is_not_lost(keeper: Keeper) -> None:
    lease = keeper.take(claim("d-1"), quiet)
    ask = keeper.ask

    def slow(*args: object, **more: object) -> object:
        lease.note({"what": "did"})
        return ask(*args, **more)  # type: ignore[arg-type]

    object.__setattr__(keeper, "ask", slow)
    lease.record({"what": "doing"})
    object.__setattr__(keeper, "ask", ask)
    lease.record()
    lines = (place(keeper) / "records" / "d-1.jsonl").read_text().splitlines()
    assert [json.loads(line)["what"] for line in lines] == ["doing", "did"]


def test_silence_that_is_longer_than_a_lease_lasts(keeper: Keeper) -> None:
    lease = keeper.take(claim("d-1"), quiet)
    now = [lease.clock()]
    lease.clock = lambda: now[0]
    folder = place(keeper)
    folder.rename(folder.with_name("away"))
    folder.write_text("")
    now[0] += 39
    lease.record({"what": "doing"})
    assert lease.unheard == "", "it may be back in time"
    now[0] += 2
    assert "has not answered for 41 s, and after 40 s it is anybody's" in lease.unheard
    folder.unlink()
    folder.with_name("away").rename(folder)
    lease.record({"what": "doing"})
    assert lease.unheard == ""


def test_a_record_that_can_not_be_written_counts_as_silence(keeper: Keeper) -> None:
    """As where the disk is full: who believes that it is written goes on without a record."""
    lease = keeper.take(claim("d-1"), quiet)
    trouble: list[str] = []
    lease.on_trouble = trouble.append
    file = place(keeper) / "records" / "d-1.jsonl"
    file.mkdir()
    lease.record({"what": "doing"})
    assert "cannot write the record of this run" in trouble[0]
    file.rmdir()
    lease.release()
    assert json.loads(file.read_text())["what"] == "doing"
    assert keeper.look(claim("d-2")).holder is None


def test_old_records_go(keeper: Keeper) -> None:
    folder = place(keeper) / "records"
    folder.mkdir(parents=True)
    for number in range(103):
        (folder / f"d-{number:03}.jsonl").write_text('{"what":"ended"}\n')
    lease = keeper.take(claim("d-103"), quiet)
    kept = sorted(file.name for file in (place(keeper) / "records").iterdir())
    assert len(kept) == 100
    assert kept[-1] == "d-102.jsonl"
    lease.release()


def test_a_folder_that_is_not_ours(keeper: Keeper) -> None:
    folder = Path(keeper.arrows.settings["dir"])
    (folder / ".headway").write_text("")
    with pytest.raises(Refused, match="cannot write to"):
        keeper.take(claim("d-1"), quiet)


def test_a_lease_of_a_newer_headway_is_not_guessed_at(keeper: Keeper) -> None:
    keeper.take(claim("d-1"), quiet)
    file = place(keeper) / "now"
    file.write_text(file.read_text().replace('"v":1', '"v":2'))
    with pytest.raises(Refused, match="newer version of Headway"):
        keeper.take(claim("d-2"), quiet)


NEWER = {
    "expired": '{"v":2,"token":7,"run":"d-1","boot":"0-0-0-0","renewed":0,"ttl":-1}',
    "in another form": '{"v":2,"owner":{"name":"ana"}}',
}


@pytest.mark.parametrize("written", NEWER.values(), ids=NEWER)
@pytest.mark.parametrize("name", ["now", "hold"])
def test_nothing_is_written_over_what_a_newer_headway_wrote(
    keeper: Keeper, name: str, written: str
) -> None:
    keeper.take(claim("d-1"), quiet).release()
    file = place(keeper) / name
    file.write_text(written + "\n")
    before = {path.name: path.read_bytes() for path in place(keeper).iterdir() if path.is_file()}
    for ask in (lambda: keeper.take(claim("d-2"), quiet), lambda: keeper.hold(claim("h-3"))):
        with pytest.raises(Refused, match="newer version of Headway"):
            ask()
    after = {path.name: path.read_bytes() for path in place(keeper).iterdir() if path.is_file()}
    assert after == before


def test_a_line_that_was_cut_off_is_nobodys(keeper: Keeper) -> None:
    keeper.take(claim("d-1"), quiet)
    (place(keeper) / "now").write_text("")
    assert keeper.take(claim("d-2"), quiet).token == 2


def test_a_name_cannot_become_another_key(keeper: Keeper) -> None:
    keeper.take(Claim("d-1", 'x","token":99,"y":"', 'a","ttl":0,"b":"'), quiet)
    written = json.loads((place(keeper) / "now").read_text())
    assert written["token"] == 1
    assert written["ttl"] == 40
    assert keeper.ask(claim("d-2"), "lease_take").last("busy")


def test_what_is_written_is_synced(keeper: Keeper, tmp_path: Path) -> None:
    """A line counts when it would be there after a power cut: sync is called for each file."""
    log = tmp_path / "synced"
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    real = subprocess.run(["which", "sync"], capture_output=True, text=True, check=True).stdout
    (bin_ / "sync").write_text(f'#!/bin/sh\necho "$@" >>{log}\nexec {real.strip()} "$@"\n')
    (bin_ / "sync").chmod(0o755)
    keeper.arrows.host.environ = {"PATH": f"{bin_}:/usr/bin:/bin"}  # type: ignore[attr-defined]
    lease = keeper.take(claim("d-1"), quiet)
    log.unlink()
    lease.record({"what": "began"})
    records = place(keeper) / "records"
    assert f"{records}/d-1.jsonl {records}" in log.read_text(), "and the name of a new one"
    log.unlink()
    lease.record({"what": "doing"})
    assert f"{records}/d-1.jsonl\n" in log.read_text()


def test_it_is_renewed_within_the_time_that_it_has(make_keeper: MakeKeeper) -> None:
    keeper = make_keeper(2)
    lease: Lease = keeper.take(claim("d-1"), quiet)
    with lease.kept():
        time.sleep(5)
        lease.record()
    assert keeper.look(claim("d-2")).holder is None

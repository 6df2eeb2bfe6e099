"""The record of a run, which is written under its lease."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from tests.lease.conftest import MakeKeeper, claim, place, quiet

if TYPE_CHECKING:
    from deploy.lease.keeper import Keeper


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

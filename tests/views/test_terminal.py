from __future__ import annotations

import io
import re
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from rich.console import Console

from deploy.events import (
    Outcome,
    RunEnded,
    RunStarted,
    StepDone,
    StepStarted,
    StepUndone,
    Stream,
    Warned,
)
from deploy.views.terminal import Terminal

from . import hostile
from .render import picture
from .sequences import CASES, fleet

if TYPE_CHECKING:
    from deploy.events import Event

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
# What rich itself sends: the cursor up, lines erased, the cursor hidden and shown.
OWN = re.compile(r"\x1b\[(?:\d+A|2K|\?25[lh])|\r")


def console(stream: io.StringIO, **options: object) -> Console:
    settled: dict[str, object] = {"width": 80, "height": 24, "color_system": None}
    return Console(file=stream, force_terminal=True, **(settled | options))  # type: ignore[arg-type]


def test_the_screen_gets_its_cursor_back_and_keeps_the_summary() -> None:
    stream = io.StringIO()
    view = Terminal(console(stream))
    for event in CASES["success"]():
        view(event)
    shown = stream.getvalue()
    assert shown.count(HIDE) == shown.count(SHOW) == 1
    last = OWN.sub("", shown[shown.rindex("done in") :])
    assert last.endswith("Back again: inv rollback.production\n")
    view.close()
    assert stream.getvalue() == shown


def test_closing_in_the_middle_stops_the_table_for_good() -> None:
    stream = io.StringIO()
    before = sys.stdout, sys.stderr
    view = Terminal(console(stream))
    view(StepStarted(step="checks"))
    view.close()
    view.close()
    shown = stream.getvalue()
    assert shown.count(HIDE) == shown.count(SHOW) == 1
    assert (sys.stdout, sys.stderr) == before
    view(StepDone(step="checks", seconds=1.0))
    assert stream.getvalue() == shown
    view(RunEnded(outcome=Outcome.CANCELLED, exit_code=130, seconds=1.0, message="stopped"))
    assert stream.getvalue().removeprefix(shown).endswith("stopped\nexit 130\n")


def test_a_run_that_ends_at_once_is_told_once() -> None:
    stream = io.StringIO()
    view = Terminal(console(stream))
    view(RunEnded(outcome=Outcome.REFUSED, exit_code=3, seconds=0.1, message="no", next="do"))
    view.close()
    assert stream.getvalue() == "no\ndo    exit 3\n"


def test_events_from_several_threads_while_the_table_is_drawn() -> None:
    screen = io.StringIO()
    view = Terminal(console(screen))
    stream = Stream()
    stream.listen(view)
    failed: list[Event] = []
    stream.listen(lambda event: failed.append(event) if isinstance(event, Warned) else None)
    hosts = tuple(f"web-{number}" for number in range(8))
    stream.emit(
        RunStarted(
            id="1", verb="deploy", app="a", environment="e", before="1", after="2", hosts=hosts
        )
    )

    def roll(host: str) -> None:
        for _ in range(40):
            for step in ("stage", "switch", "settle"):
                stream.emit(StepStarted(step=step, host=host))
                view.picture()
                stream.emit(StepDone(step=step, host=host, seconds=0.1))

    threads = [threading.Thread(target=roll, args=(host,), daemon=True) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    stream.emit(RunEnded(outcome=Outcome.DONE, exit_code=0, seconds=1.0, message="served"))
    assert failed == []
    final = screen.getvalue()[screen.getvalue().rindex("done in") :]
    assert final.count("staged 4.0  switched 4.0  settled 4.0") == len(hosts)


def test_no_color_is_respected() -> None:
    for no_color, expected in ((False, True), (True, False)):
        stream = io.StringIO()
        view = Terminal(console(stream, color_system="standard", no_color=no_color))
        for event in CASES["reverted"]():
            view(event)
        assert bool(re.search(r"\x1b\[[0-9;]*3\d[m;]", stream.getvalue())) is expected


@settings(deadline=None, max_examples=60)
@given(hostile.runs)
def test_no_foreign_sequence_reaches_the_screen(events: list[Event]) -> None:
    stream = io.StringIO()
    view = Terminal(console(stream))
    for event in events:
        view(event)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", OWN.sub("", stream.getvalue()))


def test_markup_is_only_text() -> None:
    assert "[red]no markup[/red] :boom:" in picture(CASES["hostile"]())


@pytest.mark.parametrize("height", [12, 20, 60])
def test_a_large_fleet_fits_the_screen(height: int) -> None:
    shown = picture(fleet(20), height=height)
    assert len(shown.splitlines()) < height
    assert re.search(r"web-23 +stage failed", shown)
    assert ("web-40" in shown) is (height == 60)


def test_more_hosts_at_work_than_the_screen_has_lines() -> None:
    events = fleet(0)[:3] + [StepStarted(step="stage", host=f"web-{n}") for n in range(1, 41)]
    shown = picture(events, height=20)
    assert len(shown.splitlines()) < 20
    assert "… and 29 more at work" in shown


def test_what_could_not_be_put_back_stands_out() -> None:
    events = [
        StepStarted(step="stage", host="web-1"),
        StepUndone(step="stage", host="web-1", seconds=0.2, ok=True, text="switched back"),
        StepUndone(step="stage", host="web-1", seconds=2, ok=False, text="no answer"),
    ]
    shown = picture(events)
    assert "✗ web-1      switched back in 0.2 s; not put back, after 2.0 s: no answer" in shown

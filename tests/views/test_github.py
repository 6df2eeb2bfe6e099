from __future__ import annotations

import io
import pathlib
import re
import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.events import Event, Outcome, RunEnded, RunStarted, StepDone, StepFailed, StepStarted
from deploy.views.actions import SUMMARY_LIMIT, outputs, summarise
from deploy.views.github import GitHub, command, inert
from deploy.views.summary import escaped, fenced, markdown, planned, shortened
from deploy.views.tally import Tally
from deploy.views.text import one_line

from . import hostile
from .render import github_parts
from .runner import Command, commands
from .sequences import CASES, Script

if TYPE_CHECKING:
    from pathlib import Path


def test_the_parser_knows_a_command_when_it_sees_one() -> None:
    log = "\t ::Error title=a%3Ab,line=3::x%0Ay\nsaid ##[error]z\r::nonsense::q\r\n##[a]b"
    assert commands(log) == [
        Command("Error", (("title", "a:b"), ("line", "3")), "x\ny"),
        Command("error", (), "z"),
    ]
    assert commands("::stop-commands::t\n::error::x\n::T::\n::debug::y")[1:] == [
        Command("debug", (), "y")
    ]


@given(hostile.text, hostile.text)
def test_a_command_is_read_back_as_it_was_written(title: str, data: str) -> None:
    title, data = one_line(title).replace("##[", "").rstrip(), data.replace("##[", "")
    [read] = commands(command("error", data, title=title) if title else command("error", data))
    assert read == Command("error", (("title", title),) if title else (), data)


@given(hostile.text.map(lambda text: text.replace("\r", "").replace("\n", "")))
def test_an_inert_line_is_no_command_and_keeps_its_words(line: str) -> None:
    assert commands(inert(line)) == []
    assert line.replace(" ", "") in inert(line).replace(" ", "")


@settings(deadline=None, max_examples=300)
@given(hostile.runs)
def test_no_foreign_line_is_a_command(events: list[Event]) -> None:
    log, _ = github_parts(events)
    found = commands(log)
    names = [each.name for each in found]
    ended = events[-1]
    assert isinstance(ended, RunEnded)
    assert names.count("error") == (1 if ended.exit_code else 0)
    assert [each.name for each in found if each.name != "error"] == ["group", "endgroup"] * (
        names.count("group")
    )
    groups = {each.data for each in found if each.name == "group"}
    assert groups <= {*hostile.STEPS, "roll"} - {"stage", "switch", "settle"}
    if ended.exit_code:
        assert names[-1] == "error"
        assert [key for key, _ in found[-1].properties] == ["title"]


@settings(deadline=None, max_examples=200)
@given(hostile.runs)
def test_no_foreign_line_leaves_its_fence(events: list[Event]) -> None:
    _, page = github_parts(events)
    fence = ""
    outside = []
    for line in page.split("\n"):
        run = len(line) - len(line.lstrip("`"))
        if not fence and run >= 3:
            fence = line[:run]
        elif fence and run >= len(fence) and not line[run:].strip():
            fence = ""
        elif not fence:
            outside.append(line)
    assert fence == ""
    failures = sum(isinstance(event, StepFailed) for event in events)
    assert sum(line.startswith("**") for line in outside) == failures
    assert "<" not in "".join(outside)


def test_the_error_says_the_first_failure_and_what_became_of_it() -> None:
    log, _ = github_parts(CASES["reverted"]())
    [error] = [each for each in commands(log) if each.name == "error"]
    assert dict(error.properties) == {"title": "deploy of v1.5.0 to production: reverted"}
    assert error.data == ("web-2 switch: /healthz through the proxy answered 500 (3 times in 5 s)")


def test_a_view_that_is_closed_early_ends_its_group_once() -> None:
    stream = io.StringIO()
    view = GitHub(stream)
    view(StepStarted(step="pull", host="web-1"))
    view.close()
    view.close()
    assert stream.getvalue().count("::endgroup::") == 1


def _failing(detail: str) -> list[Event]:
    return [
        StepStarted(at=1, step="checks"),
        StepDone(at=2, step="checks", seconds=1),
        StepFailed(at=3, step="stage", host="web-1", reason="no", detail=detail),
        RunEnded(at=4, outcome=Outcome.REVERTED, exit_code=4, seconds=3, message="as it was"),
    ]


@pytest.mark.parametrize("detail", ["é" * 3_000_000, "`" * 3_000_000, "line\n" * 600_000])
def test_the_summary_stays_under_the_limit(detail: str) -> None:
    _, page = github_parts(_failing(detail))
    assert 100_000 < len(page.encode()) <= SUMMARY_LIMIT
    assert "bytes left out" in page


def test_the_summary_leaves_room_for_what_others_wrote(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("x" * (SUMMARY_LIMIT - 300))
    view = GitHub(io.StringIO(), {"GITHUB_STEP_SUMMARY": str(path)})
    for event in _failing("y" * 1000):
        view(event)
    page = path.read_text("utf-8")
    assert len(page.encode()) <= SUMMARY_LIMIT
    assert "as it was" in page
    assert "yyy" not in page


def test_a_summary_that_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    stream = io.StringIO()
    view = GitHub(stream, {"GITHUB_STEP_SUMMARY": str(tmp_path / "missing" / "summary.md")})
    for event in _failing(""):
        view(event)
    assert "the job's summary could not be written: No such file or directory" in stream.getvalue()
    assert commands(stream.getvalue())[-1].name == "error"


def test_a_run_that_has_not_ended_has_no_summary() -> None:
    assert markdown(Tally(), SUMMARY_LIMIT) == ""


def test_the_summary_says_what_it_was_and_who_had_it_done() -> None:
    script = Script()
    script.begin(commit="b" * 40, author="Bo", subject="Coupons <b> (#212)", by="cleo@github")
    script.step("settle", "web-1", 1.0)
    script.step("smoke", "web-1", 2.0, "5 passed")
    script.step("smoke", "", 2.0, "9 passed")
    script.end(Outcome.DONE, 0, "it serves", "")
    _, page = github_parts(script.events)
    assert "\n\nbbbbbbb Coupons &lt;b&gt; (\\#212) · Bo · ordered by cleo\\@github\n\n" in page
    # The site was asked after the first host was, and says more than it.
    assert "| ✓ | smoke | 4.0 s | 9 passed |" in page


def test_later_steps_get_how_it_ended_and_where_the_site_is(tmp_path: Path) -> None:
    path = tmp_path / "outputs"
    view = GitHub(io.StringIO(), {"GITHUB_OUTPUT": str(path)})
    run = RunStarted(
        at=0,
        id="d-1",
        verb="deploy",
        app="shop",
        environment="staging",
        before="v1",
        after="v2",
        hosts=("web-1",),
        url="https://shop.example",
    )
    for event in [run, *_failing("")]:
        view(event)
    assert path.read_text() == ("outcome=reverted\ntag=v2\nbefore=v1\nurl=https://shop.example\n")


@given(hostile.text)
def test_an_output_is_one_line(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/outputs"
        assert outputs({"GITHUB_OUTPUT": path}, {"tag": text, "last": "1"}) == ""
        written = pathlib.Path(path).read_bytes().decode("utf-8")
    assert re.fullmatch(r"tag=[^\r\n]*\nlast=1\n", written)


def test_outputs_and_summaries_are_for_actions_alone(tmp_path: Path) -> None:
    assert outputs({}, {"tag": "v1"}) == ""
    assert summarise({}, "text") == ""
    assert list(tmp_path.iterdir()) == []
    missing = str(tmp_path / "missing" / "file")
    assert "outputs could not be written" in outputs({"GITHUB_OUTPUT": missing}, {"tag": "v1"})
    assert summarise({"GITHUB_STEP_SUMMARY": str(tmp_path / "s")}, "x" * (SUMMARY_LIMIT + 1)) == (
        "the job's summary has no room left"
    )


def test_a_plan_is_a_block_that_its_text_does_not_leave() -> None:
    text = planned("shop · staging · v1 → v2\n\n  web-1  ```\n# not a heading\n")
    assert text == (
        "### shop · staging · v1 → v2\n\n````text\nweb-1  ```\n# not a heading\n````\n\n"
    )


@given(hostile.text)
def test_escaped_text_is_one_line_without_tags_or_cells(text: str) -> None:
    line = escaped(text)
    assert "\n" not in line
    assert not set("<>") & set(line)
    assert "|" not in line.replace("\\\\", "").replace("\\|", "")


@given(st.text(alphabet="`\n a", max_size=40))
def test_a_fence_is_longer_than_what_it_holds(text: str) -> None:
    fence, *held, last = fenced(text).split("\n")
    assert "\n".join(held) == text
    assert last == fence.removesuffix("text")
    assert last not in text


def test_shortened_text_keeps_both_ends() -> None:
    assert shortened("abcdefgh", 4) == "ab\n… 4 bytes left out …\ngh"
    assert shortened("abcd", 4) == "abcd"

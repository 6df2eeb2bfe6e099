"""What is heard of a run is put together at its end, and can't harm it."""

from __future__ import annotations

import stat
import subprocess
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from deploy.errors import Unreachable
from deploy.events import Outcome, RunEnded, RunStarted, StepFailed, Stream, Warned
from deploy.facts import HostFacts
from deploy.redaction.redactor import Redactor
from deploy.release import Release
from deploy.smoke import result
from deploy.smoke.result import Result
from deploy.story import recorder as module
from deploy.story.recorder import Recorder, illustrated
from tests.story.made import PNG, events

if TYPE_CHECKING:
    from deploy.story.shelf import Shelf
    from tests.story.conftest import MakeShelf

SECRET = "hunter2-hunter2"
OLD = Release("v1-1", "v1", {"web": "r/shop@sha256:1"}, "2026-01-01T00:00:00Z")
NEW = Release("v2-2", "v2", {"web": "r/shop@sha256:2"}, "2026-01-02T00:00:00Z")
ID = "d-20260101-000000-aaaa"


@dataclass
class Told:
    """A run that is recorded, and what is said about its story."""

    recorder: Recorder
    stream: Stream
    shelf: Shelf
    warnings: list[str]

    @property
    def lease(self) -> Any:
        return SimpleNamespace(claim=self.shelf.claim)

    def end(self, *more: Any) -> None:
        first, *rest = events(ID)
        for event in (first, *more, *rest):
            self.stream.emit(event)
        self.recorder.keep(self.lease, self.warnings.append)


@pytest.fixture
def told(make_shelf: MakeShelf, tmp_path: Path) -> Told:
    shelf = make_shelf(ID)
    facts = {
        "web-1": HostFacts(release="v1-1", releases={"v1-1": OLD}),
        "web-2": HostFacts(release="v1-1", releases={"v1-1": OLD}),
        "web-3": HostFacts(release="v0-0"),
    }
    environment = SimpleNamespace(app="shop", name="staging", root=tmp_path, lease_host="web-1")
    situation: Any = SimpleNamespace(
        environment=environment, facts=facts, tested=[], keeper=shelf.keeper
    )
    stream = Stream(Redactor([SECRET]))
    recorder = Recorder(situation, NEW, stream.redactor)
    stream.listen(recorder)
    return Told(recorder, stream, shelf, [])


def test_a_run_is_kept_with_all_its_events(told: Told) -> None:
    told.end()
    assert told.warnings == []
    story = told.shelf.get()
    assert story.events == events(ID)
    assert story.run == ID
    assert story.whole
    assert story.outcome is Outcome.DONE
    (image,) = story.changes.images
    assert image.before
    assert image.after
    assert (image.before.tag, image.after.digest) == ("v1", "sha256:2")


def test_a_warning_after_the_end_is_a_part_of_it(told: Told) -> None:
    late = Warned(at=5.0, text="Slack did not answer")
    told.stream.listen(lambda one: told.stream.emit(late) if isinstance(one, RunEnded) else None)
    told.end()
    assert told.shelf.get().events == (*events(ID), late)


def test_no_secret_is_in_it(told: Told) -> None:
    failed = StepFailed(step="stage", host="web-1", reason=SECRET, detail=f"KEY={SECRET}")
    told.end(failed)
    story = told.shelf.get()
    assert "KEY=" in repr(story)
    assert SECRET not in repr(story)


def test_of_what_a_host_said_at_length_the_end_is_kept(told: Told) -> None:
    told.end(StepFailed(step="stage", host="web-1", reason="x", detail="a" * 70_000 + "the end"))
    failed = next(one for one in told.shelf.get().events if isinstance(one, StepFailed))
    assert len(failed.detail) == 65_537
    assert failed.detail.endswith("the end")


def test_what_the_changelog_lacks_is_said(told: Told) -> None:
    first, *_ = events(ID)
    assert isinstance(first, RunStarted)
    for event in (replace(first, commit=""), *events(ID)[1:]):
        told.stream.emit(event)
    told.recorder.keep(told.lease, told.warnings.append)
    changelog = told.shelf.get().changelog
    assert changelog
    assert changelog.lacking == "the image does not say its commit, nor does its tag"


def test_the_changelog_is_of_git_and_redacted(told: Told, tmp_path: Path) -> None:
    def git(*words: str) -> str:
        own = ("-c", "user.name=Ana", "-c", "user.email=a@example.com")
        done = subprocess.run(
            ["git", "-C", tmp_path, *own, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    commits = []
    for subject in ("begin", f"rotate {SECRET} (#7)"):
        git("commit", "-q", "--allow-empty", "-m", subject)
        commits.append(git("rev-parse", "HEAD"))
    first, *rest = events(ID)
    told.stream.emit(replace(first, commit=commits[1], commit_before=commits[0]))  # type: ignore[call-arg]
    for event in rest:
        told.stream.emit(event)
    told.recorder.keep(told.lease, told.warnings.append)
    changelog = told.shelf.get().changelog
    assert changelog
    (change,) = changelog.changes
    assert (change.subject, change.pull) == ("rotate ********", "7")


def test_where_there_was_nothing_to_do_there_is_no_story(told: Told, place: Path) -> None:
    told.stream.emit(events(ID)[0])
    nothing = RunEnded(outcome=Outcome.NOTHING, exit_code=0, seconds=0, message="")
    told.stream.emit(nothing)
    told.recorder.keep(told.lease, told.warnings.append)
    assert not place.exists()


def test_a_run_that_did_not_end_is_told_by_its_record(told: Told, place: Path) -> None:
    told.stream.emit(events(ID)[0])
    told.recorder.keep(told.lease, told.warnings.append)
    assert not place.exists()


# --- it harms no run -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [Unreachable("web-1", "connection refused"), ValueError("a fault of ours")]
)
def test_what_goes_wrong_is_one_warning(
    told: Told, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("deploy.story.shelf.Shelf.changes", fail)
    told.end()
    (warning,) = told.warnings
    assert "the story of this run was not kept" in warning
    assert ("connection refused" in warning) or ("a fault of ours" in warning)


@pytest.mark.parametrize(
    ("outcome", "bound"), [(Outcome.DONE, 0.6), (Outcome.CANCELLED, 0.2)], ids=str
)
def test_a_host_that_hangs_is_not_waited_for(
    told: Told, monkeypatch: pytest.MonkeyPatch, outcome: Outcome, bound: float
) -> None:
    monkeypatch.setattr(module, "LAST", 0.6)
    monkeypatch.setattr(module, "LAST_CANCELLED", 0.2)
    let_go = threading.Event()
    monkeypatch.setattr("deploy.story.shelf.Shelf.put", lambda *_: let_go.wait(10))
    told.stream.emit(events(ID)[0])
    told.stream.emit(RunEnded(outcome=outcome, exit_code=1, seconds=0, message=""))
    began = time.monotonic()
    told.recorder.keep(told.lease, told.warnings.append)
    took = time.monotonic() - began
    let_go.set()
    assert bound <= took < bound + 0.35
    assert told.warnings[0].endswith(f"web-1 took longer than {bound:g} s")


# --- smoke results and their pictures ------------------------------------------------------------


def failed(*kept: str) -> Result:
    return Result("buy", "", result.Outcome.FAILED, "no button", 1.0, kept=kept)


def test_a_screenshot_is_a_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "screenshot.png").write_bytes(PNG)
    (tmp_path / "trace.zip").write_bytes(b"x")
    (one,) = illustrated([failed("screenshot.png", "trace.zip")], tmp_path)
    assert [(picture.name, picture.png) for picture in one.pictures] == [("screenshot.png", PNG)]


def test_what_is_gone_or_no_picture_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("KEY=secret")
    found = list(illustrated([failed("gone.png"), failed("text.png")], tmp_path))
    assert [one.pictures for one in found] == [(), ()]
    assert [one.result.reason for one in found] == ["no button", "no button"]


def test_there_is_room_for_so_many(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(PNG + bytes(150 * 1024))
    (tmp_path / "4.png").write_bytes(PNG)
    found = illustrated([failed(f"{number}.png") for number in range(5)], tmp_path)
    assert [len(one.pictures) for one in found] == [1, 1, 0, 0, 1]


def test_results_of_a_recovery_before_it_are_not_its_own(told: Told) -> None:
    told.recorder._situation.tested.append(failed())
    told.end()
    assert [one.result.name for one in told.shelf.get().smoke] == ["buy"]
    again = Recorder(told.recorder._situation, NEW, told.stream.redactor)
    for event in events("d-20260102-000000-bbbb"):
        again(event)
    again.keep(told.lease, told.warnings.append)
    assert told.shelf.get("d-20260102").smoke == ()


def test_the_files_are_for_their_owner(told: Told, place: Path) -> None:
    told.end()
    file = place / "stories" / f"{ID}.json.gz"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

"""Stories on the host that keeps the lease: real scripts in a folder of this machine."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.errors import Refused
from deploy.events import Outcome, RunEnded, RunStarted, StepDone, StepFailed, StepUndone, Warned
from deploy.lease.keeper import STORIES
from deploy.redaction.redactor import Redactor
from deploy.release import Release, dotenv
from deploy.story.before import changes
from deploy.story.codec import packed
from deploy.story.story import EnvironmentChange
from tests.story.made import story

if TYPE_CHECKING:
    from deploy.story.shelf import Shelf
    from tests.story.conftest import MakeShelf

ONE = "d-20260101-000000-aaaa"
TWO = "d-20260102-000000-bbbb"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_kept_for_its_owner_alone_and_read_again(shelf: Shelf, place: Path) -> None:
    shelf.put(story(ONE))
    assert [one.name for one in (place / "stories").iterdir()] == [f"{ONE}.json.gz"]
    assert mode(place / "stories" / f"{ONE}.json.gz") == 0o600
    assert mode(place / "stories") == 0o700
    assert shelf.get(ONE) == story(ONE)


def test_the_newest_and_a_part_of_an_id(shelf: Shelf) -> None:
    shelf.put(story(TWO))
    shelf.put(story(ONE))
    assert shelf.get().id == TWO
    assert shelf.get("d-20260101").id == ONE
    with pytest.raises(Refused, match=f"begins several: {ONE}, {TWO}"):
        shelf.get("d-2026")
    with pytest.raises(Refused, match="there is no run d-2027"):
        shelf.get("d-2027")


def test_one_id_may_begin_another(shelf: Shelf) -> None:
    shelf.put(story(ONE))
    shelf.put(story(f"{ONE}-2"))
    assert shelf.get(ONE).id == ONE


def test_where_nothing_was_ever_done(shelf: Shelf) -> None:
    with pytest.raises(Refused, match="no run to tell of yet"):
        shelf.get()


def test_the_hundred_newest_are_kept(shelf: Shelf, place: Path) -> None:
    stories = place / "stories"
    stories.mkdir(parents=True)
    for number in range(104):
        (stories / f"d-2025{number:04}.json.gz").touch()
    shelf.put(story(ONE))
    left = sorted(one.name for one in stories.iterdir())
    assert len(left) == 100
    assert left[0] == "d-20250005.json.gz"
    assert left[-1] == f"{ONE}.json.gz"


def test_two_at_once_and_each_is_whole(make_shelf: MakeShelf, place: Path) -> None:
    """Of one run, as after a lost connection, and of others beside it."""
    told = [story(ONE, "x" * 50_000 + str(number % 2)) for number in range(6)]
    told += [story(f"d-2026{number:04}") for number in range(6)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda one: make_shelf().put(one), told))
    assert len(list((place / "stories").iterdir())) == 7
    assert make_shelf().get(ONE) in told[:2]
    assert make_shelf().get("d-20260003") == told[9]


def test_what_is_cut_off_gets_no_name(shelf: Shelf, place: Path) -> None:
    content = packed(story(ONE))
    shelf.put(story(ONE))
    with pytest.raises(Refused, match="did not arrive whole"):
        shelf.keeper.ask(
            shelf.claim,
            "story_put",
            content[:-5],
            arguments=[ONE, str(len(content))],
            parts=STORIES,
        )
    assert [one.name for one in (place / "stories").iterdir()] == [f"{ONE}.json.gz"]
    assert shelf.get(ONE) == story(ONE)


def test_what_a_killed_one_was_writing_goes_later(shelf: Shelf, place: Path) -> None:
    stories = place / "stories"
    stories.mkdir(parents=True)
    for name, age in ((".d-0.1", "2 hours ago"), (".d-0.2", "1 minute ago")):
        subprocess.run(["touch", "-d", age, stories / name], check=True)
    shelf.put(story(ONE))
    assert sorted(one.name for one in stories.iterdir()) == [".d-0.2", f"{ONE}.json.gz"]


def test_a_full_disk_leaves_nothing_half(
    make_shelf: MakeShelf, place: Path, tmp_path: Path
) -> None:
    full = tmp_path / "bin" / "cat"
    full.parent.mkdir()
    full.write_text("#!/bin/sh\nhead -c 100\necho 'cat: No space left on device' >&2\nexit 1\n")
    full.chmod(0o755)
    make_shelf().put(story(ONE))
    with pytest.raises(Refused, match=r"could not be written: .*No space left"):
        make_shelf(PATH=f"{full.parent}:{os.environ['PATH']}").put(story(ONE, "another"))
    assert [one.name for one in (place / "stories").iterdir()] == [f"{ONE}.json.gz"]
    assert make_shelf().get(ONE) == story(ONE)


@pytest.mark.parametrize("id_", ["", "../../x", "a/b", ".hidden", "a b", "a\nb", "$(id)", "*"])
@pytest.mark.parametrize("call", ["story_get", "story_remains", "story_put"])
def test_what_is_no_id_names_no_file(shelf: Shelf, place: Path, call: str, id_: str) -> None:
    with pytest.raises(Refused, match="is the id of no run"):
        shelf.keeper.ask(shelf.claim, call, b"x", arguments=[id_, "1"], parts=STORIES)
    assert not place.exists()


# --- a run that died -----------------------------------------------------------------------------


def record(place: Path, run: str, *lines: dict[str, object]) -> None:
    folder = place / "records"
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(
        json.dumps({"v": 1, "n": n, "at": f"2026-01-01T00:00:{n:02}.500Z", "run": run, **line})
        + "\n"
        for n, line in enumerate(lines, start=1)
    )
    (folder / f"{run}.jsonl").write_text(text.replace(": ", ":").replace(", ", ","))


def began(deploy: str, verb: str = "deploy") -> dict[str, object]:
    before = {"web-1": "v1-1", "web-2": ""}
    return {
        **{"what": "began", "deploy": deploy, "verb": verb, "release": "v2-2", "tag": "v2"},
        **{"by": "ana", "before": before},
    }


def test_of_one_that_died_its_record_is_told(shelf: Shelf, place: Path) -> None:
    shelf.put(story(ONE))
    stage = {"step": "stage", "host": "web-1"}
    switch = {"step": "switch", "host": "web-1"}
    record(
        place,
        TWO,
        began(TWO),
        {"what": "doing", **stage},
        {"what": "did", **stage},
        {"what": "doing", **switch},
        {"what": "failed", **switch, "reason": "no answer"},
        {"what": "undoing", **switch},
        {"what": "stuck", **switch, "reason": "the host is gone"},
    )
    told = shelf.get()
    assert (told.id, told.run, told.whole, told.outcome) == (TWO, TWO, False, None)
    started, _, done, _, failed, undone = told.events
    assert isinstance(started, RunStarted)
    assert (started.app, started.environment) == ("shop", "staging")
    assert (started.before, started.after) == ("v1", "v2")
    assert started.hosts == ("web-1", "web-2")
    assert isinstance(done, StepDone)
    assert (done.step, done.host, done.seconds) == ("stage", "web-1", 1.0)
    assert isinstance(failed, StepFailed)
    assert failed.reason == "no answer"
    assert isinstance(undone, StepUndone)
    assert (undone.ok, undone.text) == (False, "the host is gone")


def test_a_recovery_and_the_deploy_after_it_are_two_runs(shelf: Shelf, place: Path) -> None:
    stopped = {"what": "stopped", "outcome": "cancelled", "exit": 130}
    record(
        place,
        TWO,
        began(ONE, "recover"),
        {"what": "ended", "outcome": "done", "exit": 0},
        began(TWO),
        stopped,
        stopped,
        {"what": "ended", "outcome": "recovered", "by": "d-9"},
    )
    recovery, deploy = shelf.get(ONE), shelf.get(TWO)
    assert recovery.run == TWO
    assert [type(one) for one in recovery.events] == [RunStarted, RunEnded]
    assert recovery.outcome is Outcome.DONE
    assert deploy.outcome is Outcome.CANCELLED
    assert isinstance(deploy.events[-1], Warned)
    assert "d-9" in deploy.events[-1].text


def test_the_run_of_a_recovery_is_enough(shelf: Shelf, place: Path) -> None:
    record(place, "d-7-run", began("d-8-recovery", "recover"))
    assert shelf.get("d-7").id == "d-8-recovery"


def test_a_newer_record_is_refused(shelf: Shelf, place: Path) -> None:
    record(place, ONE, began(ONE), {"what": "sang", "v": 2})
    with pytest.raises(Refused, match="newer version of Headway"):
        shelf.get(ONE)


def test_a_story_comes_before_its_record(shelf: Shelf, place: Path) -> None:
    record(place, ONE, began(ONE))
    assert not shelf.get(ONE).whole
    shelf.put(story(ONE))
    assert shelf.get(ONE).whole


# --- what a release changes ----------------------------------------------------------------------

SECRET = "hunter2-hunter2"
BEFORE = {
    "SAME": "1",
    "LINES": "-----BEGIN\nNAME=not a name\nend",
    "QUOTES": 'it\'s "so"\nNAME_2=x',
    "GONE": "x",
    "ZERO": "0",
    "KEY": SECRET,
    "EMPTY": "",
}
AFTER = {
    **{name: value for name, value in BEFORE.items() if name != "GONE"},
    "LINES": "-----BEGIN\nNAME=not a name\nanother end",
    "ZERO": "0.0",
    "KEY": f"{SECRET}!",
    "NEW": "x",
    "NEW_LINES": "a\nb'",
}


def release(tag: str) -> Release:
    return Release(f"{tag}-1", tag, {"web": f"r.example/shop@sha256:{tag}"}, "2026-01-01T00:00:00Z")


def placed(place: Path, tag: str, values: dict[str, str], compose: str) -> Release:
    one = release(tag)
    folder = place.parent / "releases" / one.id
    folder.mkdir(parents=True)
    (folder / ".env").write_text(dotenv(one, "shop", values))
    (folder / "compose.yaml").write_text(compose)
    return one


def test_names_and_never_a_value(shelf: Shelf, place: Path) -> None:
    before = placed(place, "v1", BEFORE, "services:\n  web:\n    image: a\n")
    after = placed(place, "v2", AFTER, f"services:\n  web:\n    image: b # {SECRET}\n")
    said = shelf.changes(before.id, after.id)
    assert all(value not in str(said.all("name")) for value in (SECRET, "BEGIN", "not a name"))
    found = changes(before, after, said, Redactor([SECRET]))
    assert found.environment == EnvironmentChange(
        ("NEW", "NEW_LINES"), ("GONE",), ("KEY", "LINES", "ZERO")
    )
    assert found.compose.splitlines()[:2] == [
        "--- compose.yaml of v1-1",
        "+++ compose.yaml of v2-1",
    ]
    assert "\n-    image: a\n+    image: b # ********" in found.compose
    (image,) = found.images
    assert image.before
    assert image.after
    assert (image.service, image.before.tag, image.before.digest) == ("web", "v1", "sha256:v1")
    assert (image.after.repository, image.after.digest) == ("r.example/shop", "sha256:v2")


def test_the_same_again_changes_nothing(shelf: Shelf, place: Path) -> None:
    before = placed(place, "v1", BEFORE, "a: 1\n")
    after = placed(place, "v2", BEFORE, "a: 1\n")
    found = changes(before, after, shelf.changes(before.id, after.id), Redactor())
    assert (found.compose, found.environment) == ("", EnvironmentChange())


def test_a_release_that_did_not_arrive(shelf: Shelf, place: Path) -> None:
    before = placed(place, "v1", BEFORE, "a: 1\n")
    found = changes(before, release("v2"), shelf.changes(before.id, "v2-1"), Redactor())
    assert (found.compose, found.environment) == ("", EnvironmentChange())
    assert len(found.images) == 1


def test_a_long_diff_ends_with_a_line_and_no_part_of_a_secret(shelf: Shelf, place: Path) -> None:
    before = placed(place, "v1", {}, "")
    secret = "s3cret" * 20
    after = placed(place, "v2", {}, f"x: {secret}\n" * 2000)
    found = changes(before, after, shelf.changes(before.id, after.id), Redactor([secret]))
    assert 500 < found.compose.count("********") < 600, "the first 64 KiB of 250"
    assert "s3cret" not in found.compose
    assert found.compose.splitlines()[-2:] == ["+x: ********", "… and more"]

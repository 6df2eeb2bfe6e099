"""`inv report`: told again from what the host that keeps the lease has."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from deploy.story.codec import from_json
from deploy.story.story import Second
from deploy.tasks import report
from tests.story.conftest import make_shelf, place, shelf
from tests.story.made import story

if TYPE_CHECKING:
    from deploy.story.shelf import Shelf

__all__ = ["make_shelf", "place", "shelf"]

ONE = "d-20260101-000000-aaaa"
TWO = "d-20260102-000000-bbbb"


@pytest.fixture
def typed(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Type `inv report.staging` in another folder than the deploy's."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    environment = SimpleNamespace(app="shop", name="staging")

    @contextmanager
    def situation(*_: object) -> Iterator[Any]:
        yield SimpleNamespace(environment=environment, keeper=shelf.keeper, run="d-9")

    monkeypatch.setattr(report, "situation", situation)

    def run(**words: Any) -> None:
        report.make(Path(), "staging").body(Context(), **words)

    return run


def test_the_newest_is_a_page_in_the_folder_where_it_is_typed(
    typed: Any, shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.put(story(ONE))
    shelf.put(story(TWO))
    typed()
    name = f"report-staging-{TWO}.html"
    assert capsys.readouterr().out == f"{TWO}: {name}\n"
    assert TWO in Path(name).read_text()
    assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    typed(run=ONE, out="a page.html")
    assert ONE in Path("a page.html").read_text()


def test_what_a_host_says_is_no_path_here(
    typed: Any, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = story("../../etc/x y")
    monkeypatch.setattr("deploy.story.shelf.Shelf.get", lambda *_: strange)
    typed()
    assert [one.name for one in Path().iterdir()] == ["report-staging-.._.._etc_x_y.html"]


def test_one_by_how_it_begins_as_json(
    typed: Any, shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.put(story(ONE))
    shelf.put(story(TWO))
    typed(run="d-20260101", json=True)
    assert from_json(capsys.readouterr().out) == story(ONE)


def test_into_a_file_for_its_owner_alone(
    typed: Any, shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.put(story(ONE))
    typed(out="a story.json", json=True)
    assert capsys.readouterr().out == f"{ONE}: a story.json\n"
    assert from_json(Path("a story.json").read_text()) == story(ONE)
    assert stat.S_IMODE(Path("a story.json").stat().st_mode) == 0o600


def test_of_one_that_died_it_says_so(
    typed: Any, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "records").mkdir(parents=True)
    line = {"v": 1, "n": 1, "at": "2026-01-01T00:00:00Z", "run": ONE, "what": "began"}
    line |= {"deploy": ONE, "verb": "deploy", "release": "v2-2", "tag": "v2", "by": "ana"}
    line |= {"before": {"web-1": "v1-1"}}
    text = json.dumps(line, separators=(",", ":"))
    (place / "records" / f"{ONE}.jsonl").write_text(f"{text}\n")
    typed(out="died.html")
    said = capsys.readouterr().out
    assert said == "deploy of v2 by ana, as far as its record tells: died.html\n"


def test_a_load_is_laid_beside_it(
    typed: Any, shelf: Shelf, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf.put(story(ONE))
    timeline = [{"sent": 3, "ok": 2, "failed": 1}, {"sent": 1, "ok": 1, "failed": 0}]
    Path("load.json").write_text(json.dumps({"started": 7.5, "timeline": timeline, "rate": 3}))
    typed(json=True, load="load.json")
    traffic = from_json(capsys.readouterr().out).traffic
    assert traffic
    assert (traffic.began, traffic.seconds) == (7.5, (Second(2, 1), Second(1, 0)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        "{}",
        '{"started": 1, "timeline": []}',
        '{"started": 1, "timeline": 7}',
        '{"started": "soon", "timeline": [{"ok": 1, "failed": 0}]}',
        '{"started": 1, "timeline": [{"ok": -1, "failed": 0}]}',
        '{"started": 1, "timeline": [{"ok": 1e999, "failed": 0}]}',
        "\udcff",
    ],
)
def test_what_is_no_load(typed: Any, shelf: Shelf, text: str) -> None:
    shelf.put(story(ONE))
    Path("load.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Exit) as ended:
        typed(load="load.json")
    assert ended.value.code == 2
    assert "load.json is no report of a load" in str(ended.value.message)


def test_files_that_cannot_be_had(typed: Any, shelf: Shelf) -> None:
    shelf.put(story(ONE))
    for words in ({"load": "gone.json"}, {"out": "gone/x.json"}):
        with pytest.raises(Exit) as ended:
            typed(**words)
        assert ended.value.code == 2
        assert "No such file or directory" in str(ended.value.message)


def test_where_there_is_none(typed: Any) -> None:
    with pytest.raises(Exit) as ended:
        typed()
    assert ended.value.code == 3
    assert "no run to tell of yet" in str(ended.value.message)

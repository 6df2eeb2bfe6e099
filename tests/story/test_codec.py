"""A story comes back as it was; what is none, or is newer, is refused in words."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.changelog import Changelog
from deploy.errors import Refused
from deploy.events import Event, RunStarted
from deploy.smoke.result import Result
from deploy.story import story as stories
from deploy.story.codec import KINDS, as_json, from_json, packed, unpacked
from tests.story.made import story

TIMES = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(float, TIMES)
EVENTS = st.one_of([st.builds(kind, at=TIMES) for kind in KINDS.values()])


def several(one: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(one, max_size=3).map(tuple)


PICTURES = st.builds(stories.Picture)
SECONDS = st.builds(stories.Second)
STORIES = st.builds(
    stories.Story,
    run=st.text(),
    events=several(EVENTS),
    changelog=st.none() | st.builds(Changelog),
    changes=st.builds(stories.Changes),
    smoke=several(st.builds(stories.SmokeTest, st.builds(Result), several(PICTURES))),
    traffic=st.none() | st.builds(stories.Traffic, TIMES, several(SECONDS)),
    version=st.text(),
    whole=st.booleans(),
)


@given(STORIES)
@settings(max_examples=150, deadline=None)
def test_any_story_comes_back(one: stories.Story) -> None:
    assert unpacked(packed(one)) == one


def test_the_same_story_is_the_same_bytes() -> None:
    assert packed(story()) == packed(story())


def test_every_event_there_is_can_be_told() -> None:
    assert set(KINDS.values()) == set(Event.__subclasses__())


def body(**changed: Any) -> str:
    return json.dumps({**json.loads(as_json(story())), **changed})


def test_what_a_newer_one_adds_is_passed_over() -> None:
    written = json.loads(body(weather="fine"))
    written["events"].insert(1, {"kind": "HostSang", "at": 1, "song": "la"})
    written["events"][0]["mood"] = "good"
    written["smoke"][0]["result"]["colour"] = "red"
    assert from_json(json.dumps(written)) == story()


def test_another_schema_is_refused() -> None:
    with pytest.raises(Refused, match=r"newer version of Headway .*schema 2; this one reads 1"):
        from_json(body(v=2, events="told in another way"))


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        "{}",
        "[" * 100_000,
        body(events=[{"kind": "RunEnded", "at": 1}]),
        body(events=7),
        body(smoke=[{"result": {}, "pictures": []}]),
        body(run=None),
        body(traffic={"began": "soon", "seconds": []}),
    ],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="no story of a run"):
        from_json(text)


def test_a_picture_that_is_no_base64_is_refused() -> None:
    written = json.loads(body())
    written["smoke"][0]["pictures"][0]["png"] = "***"
    with pytest.raises(Refused, match="no story of a run"):
        from_json(json.dumps(written))


def test_the_words_of_a_refusal_show_nothing_of_what_was_found() -> None:
    with pytest.raises(Refused) as refused:
        from_json(body(run=["a-secret"]))
    assert "a-secret" not in str(refused.value)


DAMAGED = {
    "empty": b"",
    "other": b"no gzip",
    "cut off": packed(story())[:-20],
    "no text": gzip.compress(b"\xff", mtime=0),
    "its mark alone": b"\x1f\x8b",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_file_that_is_damaged_is_refused(content: bytes) -> None:
    with pytest.raises(Refused, match="file of the story is"):
        unpacked(content)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.story.codec.LARGEST", 1000)
    with pytest.raises(Refused, match="larger than any story"):
        unpacked(gzip.compress(b"[" + b" " * 2000 + b"]"))


def test_what_is_no_text_does_not_stop_a_story() -> None:
    begun = RunStarted(
        at=1, id="d-1", verb="deploy", app="a", environment="e", before="", after="x", hosts=("h",)
    )
    strange = stories.Story(run="d-1", events=(begun,), changes=stories.Changes(compose="\udcff"))
    assert unpacked(packed(strange)).changes.compose == "?"

"""The message against the texts in `cases/`, and against text that means harm."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from deploy.changelog import Change, Changelog
from deploy.events import RunStarted
from deploy.notify.message import escaped, fenced, message

from ..views import hostile
from ..views.test_text import FORBIDDEN
from .render import GOLDEN, LINKS, MANY, RUNS, golden, tally_of

TEXTS = golden()
A_LINK = re.compile(
    r"<(https://(?:github\.com/acme/shop|shop\.example)[^<>|]*)\|(#?\w+(?: more)?)>"
)
ENTITY = re.compile(r"&(?:amp|lt|gt);")


def test_no_golden_text_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(TEXTS)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_golden(name: str) -> None:
    assert TEXTS[name] == (GOLDEN / name).read_text("utf-8")


def texts(value: Any) -> Iterator[str]:
    """Every text that Slack reads as Markdown of its own."""
    if isinstance(value, list):
        for one in value:
            yield from texts(one)
    elif isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            assert value["verbatim"] is True
            yield value["text"]
        for one in value.values():
            yield from texts(one)


def is_harmless(text: str) -> None:
    own = A_LINK.sub(r"\2", text)
    assert not set("<>") & set(own), own
    assert "&" not in ENTITY.sub("", own), own
    assert not re.search(r"@(?:here|channel|everyone)", own, re.IGNORECASE), own
    assert not FORBIDDEN.search(own.replace("\t", " ")), own
    assert own.count("```") in {0, 2}, own


def is_slacks(found: dict[str, Any]) -> None:
    """What the SDK itself would refuse, and what it does not look at."""
    (attachment,) = found["attachments"]
    blocks = attachment["blocks"]
    assert 1 <= len(blocks) <= 50
    for block, parsed in zip(blocks, Block.parse_all(blocks), strict=True):
        parsed.validate_json()
        for field in block.get("fields", []):
            assert len(field["text"]) <= 2000
    assert all(1 <= len(text) <= 3000 for text in texts(found))
    assert len(found["text"]) <= 4000


@pytest.mark.parametrize("name", RUNS)
def test_slack_takes_it(name: str) -> None:
    events, changelog, links = RUNS[name]
    is_slacks(message(tally_of(events), changelog, links))


change = st.builds(
    Change,
    sha=st.text("0123456789abcdef", min_size=7, max_size=40),
    author=hostile.text,
    subject=hostile.text,
    pull=st.sampled_from(["", "12"]),
)
changes = st.lists(change, max_size=12).map(tuple)
changelogs = st.builds(
    Changelog,
    before=hostile.text,
    after=hostile.text,
    changes=changes,
    taken_back=changes,
    authors=st.lists(hostile.text, max_size=3).map(tuple),
    lacking=hostile.text,
)


@settings(deadline=None, max_examples=40)
@given(events=hostile.runs, changelog=changelogs, by=hostile.text, commit=hostile.text)
def test_nothing_from_outside_is_acted_on(
    events: list[Any], changelog: Changelog, by: str, commit: str
) -> None:
    assert isinstance(events[0], RunStarted)
    events[0] = dataclasses.replace(
        events[0], by=by, approved_by=by, author=by, subject=by, commit=commit, commit_before=by
    )
    for part in (events, events[:-1]):
        found = message(tally_of(part), changelog, LINKS)
        is_slacks(found)
        is_harmless(found["text"])
        for text in texts(found):
            is_harmless(text)


@settings(deadline=None)
@given(text=hostile.text, limit=st.integers(1, 40))
def test_a_text_is_cut_between_two_signs(text: str, limit: int) -> None:
    found = escaped(text, limit)
    assert len(found) <= limit
    is_harmless(found.replace("```", ""))
    assert "\n" not in found


@settings(deadline=None)
@given(text=hostile.text)
def test_nothing_ends_a_block_of_code(text: str) -> None:
    found = fenced(text, 500)
    assert found.count("`") == 6
    assert len(found) <= 506


def test_of_a_log_the_last_lines() -> None:
    found = fenced("\n".join(f"line {n}" for n in range(100)), 2000)
    assert found.startswith("```line 85\n")
    assert found.endswith("\nline 99```")
    assert len(fenced("\n".join(["x" * 1000] * 100), 500)) <= 506


def test_at_its_largest() -> None:
    """Everything as long as it gets, and all of it is to be escaped."""
    events, _, links = RUNS["reverted"]
    worst = "<" * 5000
    long = [
        dataclasses.replace(
            event,
            **{
                one.name: worst
                for one in dataclasses.fields(event)
                if one.name
                in {"text", "reason", "detail", "message", "next", "by", "author", "seen"}
            },
        )
        for event in events
    ]
    all_changes = tuple(dataclasses.replace(one, subject=worst) for one in MANY.changes)
    changelog = dataclasses.replace(
        MANY, changes=all_changes, taken_back=all_changes, authors=(worst,) * 50
    )
    is_slacks(message(tally_of(long), changelog, links))

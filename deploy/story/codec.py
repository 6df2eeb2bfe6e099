"""A story as one JSON object, and back; as a file it is packed with gzip. Pure.

`v` is the schema. A field or a kind of event that this version does not know is passed over; where
what is known has another meaning, the schema is another one, and that is refused.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from deploy.changelog import Changelog
from deploy.errors import Refused
from deploy.events import (
    Event,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepSaid,
    StepStarted,
    StepUndone,
    Warned,
)
from deploy.lease.words import NEWER
from deploy.smoke.result import Result
from deploy.story.story import Changes, Picture, SmokeTest, Story, Traffic

SCHEMA = 1
LARGEST = 64 * 1024 * 1024
"""Bytes of JSON that are unpacked at most: a story of 40 hosts has less than one of them."""

KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        RunStarted,
        StepStarted,
        StepSaid,
        StepDone,
        StepFailed,
        StepUndone,
        Warned,
        RunEnded,
    )
}
"""Every type of event by the name that it has in a story."""

T_ = TypeVar("T_")


def as_json(story: Story, *, indent: int | None = None) -> str:
    """One object; pictures are in base64."""
    body = {
        "v": SCHEMA,
        "version": story.version,
        "run": story.run,
        "whole": story.whole,
        "events": [{"kind": type(one).__name__, **asdict(one)} for one in story.events],
        "changelog": asdict(story.changelog) if story.changelog else None,
        "changes": asdict(story.changes),
        "smoke": [
            {
                "result": asdict(one.result),
                "pictures": [
                    {"name": picture.name, "png": base64.b64encode(picture.png).decode()}
                    for picture in one.pictures
                ],
            }
            for one in story.smoke
        ],
        "traffic": asdict(story.traffic) if story.traffic else None,
    }
    text = json.dumps(body, ensure_ascii=False, indent=indent)
    # What is no text, as a file's name may be, has no place in JSON.
    return text.encode("utf-8", "replace").decode()


def from_json(text: str) -> Story:
    """Read what `as_json` wrote.

    Raises:
        Refused: a newer Headway wrote it, or it is no story.
    """
    try:
        body = json.loads(text)
        schema = body["v"]
        if schema == SCHEMA:
            return _story(body)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        # Pydantic's own words show what was found there.
        why = "it is not as one is" if isinstance(error, ValidationError) else repr(error)
        raise Refused(f"that is no story of a run: {why}") from None
    raise Refused(
        f"a newer version of Headway has told this story (schema {schema!r}; this one reads "
        f"{SCHEMA})",
        mend=NEWER,
    )


def packed(story: Story) -> bytes:
    """The story as a file. The same story is the same bytes."""
    return gzip.compress(as_json(story).encode(), mtime=0)


def unpacked(content: bytes) -> Story:
    """Read what `packed` wrote.

    Raises:
        Refused: as `from_json`; or it is cut off, damaged, or larger than any story.
    """
    unpack = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        text = unpack.decompress(content, LARGEST).decode()
    except (zlib.error, ValueError) as error:
        raise Refused(f"the file of the story is damaged: {error}") from None
    if not unpack.eof:
        raise Refused("the file of the story is cut off, or larger than any story")
    return from_json(text)


def _story(body: Mapping[str, Any]) -> Story:
    known = [(KINDS.get(one["kind"]), one) for one in body["events"]]
    return Story(
        run=_read(str, body["run"]),
        version=_read(str, body["version"]),
        whole=_read(bool, body["whole"]),
        events=tuple(_read(kind, one) for kind, one in known if kind),
        changelog=_read(Changelog, body["changelog"]) if body["changelog"] else None,
        changes=_read(Changes, body["changes"]),
        smoke=tuple(
            SmokeTest(
                _read(Result, one["result"]),
                tuple(
                    Picture(
                        _read(str, picture["name"]), base64.b64decode(picture["png"], validate=True)
                    )
                    for picture in one["pictures"]
                ),
            )
            for one in body["smoke"]
        ),
        traffic=_read(Traffic, body["traffic"]) if body["traffic"] else None,
    )


def _read(kind: type[T_], found: object) -> T_:
    return TypeAdapter(kind).validate_python(found)

"""A story with something of everything in it."""

from __future__ import annotations

import struct
import zlib

from deploy.changelog import Change, Changelog
from deploy.events import (
    Event,
    Outcome,
    RunEnded,
    RunStarted,
    StepDone,
    StepStarted,
)
from deploy.smoke import result
from deploy.story.story import (
    Changes,
    EnvironmentChange,
    Image,
    ImageChange,
    Picture,
    Second,
    SmokeTest,
    Story,
    Traffic,
)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 320, 200, 8, 0, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress((b"\0" + b"\xd8" * 320) * 200))
    + _chunk(b"IEND", b"")
)
"""Grey, 320 by 200."""


def events(id_: str = "d-20260101-000000-aaaa") -> tuple[Event, ...]:
    return (
        RunStarted(
            at=1.0,
            id=id_,
            verb="deploy",
            app="shop",
            environment="staging",
            before="v1",
            after="v2",
            hosts=("web-1", "web-2"),
        ),
        StepStarted(at=2.0, step="stage", host="web-1"),
        StepDone(at=3.5, step="stage", host="web-1", seconds=1.5, detail="healthy"),
        RunEnded(at=4.0, outcome=Outcome.DONE, exit_code=0, seconds=3.0, message="serves v2"),
    )


def story(id_: str = "d-20260101-000000-aaaa", more: str = "") -> Story:
    """`more` makes it another one of the same run."""
    return Story(
        run=id_,
        events=events(id_),
        changelog=Changelog("a" * 40, "b" * 40, (Change("b" * 40, "Ana", f"A table{more}", "7"),)),
        changes=Changes(
            (ImageChange("web", Image("r/shop", "v1", "sha256:1"), Image("r/shop", "v2", "x")),),
            "--- a\n+++ b\n-x: 1\n+x: 2\n",
            EnvironmentChange(("NEW",), (), ("KEY",)),
        ),
        smoke=(
            SmokeTest(
                result.Result("buy", "", result.Outcome.FAILED, "no button", 1.5, 1, ("a.png",)),
                (Picture("screenshot.png", PNG),),
            ),
        ),
        traffic=Traffic(1.0, (Second(100, 0), Second(99, 1))),
    )

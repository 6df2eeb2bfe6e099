"""What a load saw, as frozen values that go to JSON and back."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.sandbox.load.options import REQUESTS, Kind

ABNORMAL = 1006
"""RFC 6455, 7.1.5: the code of a websocket that ended without a close frame."""


@dataclass(frozen=True)
class KindReport:
    """One kind's counts, and the latencies in milliseconds of those that went well.

    A latency runs from the due time to the last byte of the answer, so that a request which
    started late does not look quick.
    """

    sent: int
    ok: int
    failed: int
    p50: float
    p99: float
    max: float


@dataclass(frozen=True)
class Failure:
    """One failure: when it was due (seconds from the start), what was sent, what became of it.

    `reason` is connect, reset (closed before the whole answer), timeout, status-NNN, body (not
    what was to be answered) or protocol (an answer that is not HTTP).
    """

    at: float
    kind: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Version:
    """Answers that named one version, with the first one's and the last one's time in seconds."""

    answers: int
    first: float
    last: float


@dataclass(frozen=True)
class Closed:
    """A websocket that the server ended: when, and how old it was, in seconds.

    `code` is the close frame's (1005 when the frame has none), or 1006 when the connection went
    away without a frame. `unanswered` are the messages that were in flight at that moment.
    """

    at: float
    age: float
    code: int
    unanswered: int

    @property
    def abnormal(self) -> bool:
        """Whether it ended without a close frame."""
        return self.code == ABNORMAL


@dataclass(frozen=True)
class Second:
    """One second of the load: what was due in it, and what became of that, whenever it did."""

    sent: int
    ok: int
    failed: int


@dataclass(frozen=True)
class LoadReport:
    """The whole: `rate` was asked for, in requests per second; `seconds` is how long it was sent.

    `started` is seconds since the epoch. `kinds` has a row for each `Kind`; `reasons` counts the
    failures by class, `examples` are the first 20. `retried` are GETs sent again after a reused
    connection ended before any byte of the answer; they are failures only if that went wrong too.
    `late` are requests that the generator itself started more than 50 ms after they were due, and
    `latest` is the worst of those delays in ms. `versions` is by the header X-Version. `closed` are
    the websockets ended by the server: not failures, and neither are their messages then in flight,
    so that sent = ok + failed + `unanswered`. `cpu` is what the generator used, in seconds.
    """

    url: str
    rate: float
    started: float
    seconds: float
    kinds: Mapping[str, KindReport]
    reasons: Mapping[str, int]
    examples: tuple[Failure, ...]
    retried: int
    late: int
    latest: float
    versions: Mapping[str, Version]
    closed: tuple[Closed, ...]
    timeline: tuple[Second, ...]
    cpu: float

    @property
    def requests(self) -> int:
        """HTTP requests sent, without websockets."""
        return sum(self.kinds[kind].sent for kind in REQUESTS)

    @property
    def sent(self) -> int:
        """All that was sent: requests, handshakes and messages."""
        return sum(kind.sent for kind in self.kinds.values())

    @property
    def ok(self) -> int:
        """All that was answered as it should be."""
        return sum(kind.ok for kind in self.kinds.values())

    @property
    def failed(self) -> int:
        """All that was not answered, or not as it should be."""
        return sum(kind.failed for kind in self.kinds.values())

    @property
    def unanswered(self) -> int:
        """Messages in flight on websockets when the server ended these."""
        return sum(closed.unanswered for closed in self.closed)

    def to_json(self) -> str:
        """The report as one JSON object, with the totals beside the fields."""
        totals = {
            name: getattr(self, name) for name in ("requests", "sent", "ok", "failed", "unanswered")
        }
        return json.dumps({**totals, **asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> LoadReport:
        """Read what `to_json` wrote."""
        data: dict[str, Any] = json.loads(text)
        return cls(
            **{
                name: data[name]
                for name in (
                    *("url", "rate", "started", "seconds", "reasons"),
                    *("retried", "late", "latest", "cpu"),
                )
            },
            kinds={kind.value: KindReport(**data["kinds"][kind]) for kind in Kind},
            examples=tuple(Failure(**row) for row in data["examples"]),
            versions={name: Version(**row) for name, row in data["versions"].items()},
            closed=tuple(Closed(**row) for row in data["closed"]),
            timeline=tuple(Second(**row) for row in data["timeline"]),
        )

    def write(self, path: Path) -> None:
        """Write it as JSON; a reader of `path` never sees half a report."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        part.write_text(self.to_json() + "\n", encoding="utf-8")
        os.replace(part, path)

"""The host that keeps the lease, in memory: what `deploy/remote/lease.sh` does there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .machine import understood

Event = dict[str, Any]


def is_about_it(text: str) -> bool:
    """Is this script one of the lease's?"""
    return text.rstrip("\n").rpartition("\n")[2].startswith("lease_")


@dataclass
class Keeping:
    """The folder `.headway/lease` of one host."""

    token: int = 0
    now: Event | None = None
    was: str = "free"
    broken: bool = False
    hold: Event | None = None
    asked: Event | None = None
    records: dict[str, list[str]] = field(default_factory=dict)

    def answer(self, text: str, stdin: bytes, seconds: float) -> list[str]:
        """Carry a script out, so many seconds after the host was started."""
        self.run, call, _ = understood(text)
        self.seconds = int(seconds)
        function = getattr(self, f"_{call[0].removeprefix('lease_')}")
        return [json.dumps(event) for event in function(stdin.decode(), *call[1:])]

    def has_ended(self, run: str) -> bool:
        """Does the last line of its record say so?"""
        return '"what":"ended"' in self.records[run][-1]

    def expire(self) -> float:
        """The time at which nobody has it any more who is not heard of."""
        return self.now["renewed"] + self.now["ttl"] + 1 if self.now else 0

    @property
    def _age(self) -> int:
        return self.seconds - int(self.now["renewed"] if self.now else 0)

    @property
    def _is(self) -> str:
        if not self.now:
            return "free"
        if self.now["run"] == self.run["run"]:
            return "ours"
        return "alive" if self._age <= self.now["ttl"] else "expired"

    def _write(self) -> None:
        given = {"since": "2026-01-02T03:04:05Z"}
        for name in ("run", "owner", "machine", "url"):
            given[name] = self.run[name]
        numbers = {"token": self.token, "renewed": self.seconds, "pid": int(self.run["pid"])}
        self.now = {"v": 1, **given, **numbers, "reason": self.run["why"]}
        self.now["ttl"] = int(self.run["ttl"])

    def _open(self) -> Iterator[Event]:
        for run, lines in sorted(self.records.items()):
            if run != self.run["run"] and not self.has_ended(run):
                yield from ({"event": "record", "line": json.loads(line)} for line in lines)

    def _append(self, came: str) -> None:
        if came.strip():
            self.records.setdefault(self.run["run"], []).extend(came.splitlines())

    def _take(self, _stdin: str) -> Iterator[Event]:
        was = self._is
        if was != "ours":
            if self.hold and self.hold["by"] != self.run["owner"]:
                yield {"event": "held", "lease": self.hold}
                return
            if was == "alive":
                yield {"event": "busy", "lease": self.now, "age": str(self._age)}
                return
            if was == "expired":
                yield {"event": "expired", "lease": self.now, "age": str(self._age)}
            self.was = "broken" if was == "free" and self.broken else was
            self.token += 1
            self.broken, self.asked = False, None
            self._write()
        yield {"event": "taken", "token": str(self.token), "was": self.was}
        yield from self._open()

    def _renew(self, stdin: str) -> Iterator[Event]:
        self._append(stdin)
        if self._is != "ours":
            yield {"event": "lost", **({"lease": self.now} if self.now else {})}
            return
        self._write()
        yield {"event": "renewed"}

    def _release(self, stdin: str) -> Iterator[Event]:
        self._append(stdin)
        if self._is == "ours":
            self.now = self.asked = None
            yield {"event": "released"}

    def _leave(self, stdin: str) -> Iterator[Event]:
        self._append(stdin)
        if self._is == "ours":
            self.now = self.asked = None
            self.broken = True
            yield {"event": "released"}

    def _close(self, _stdin: str, run: str) -> Iterator[Event]:
        if run in self.records:
            line = {"v": 1, "n": 0, "at": "2026-01-02T03:04:05Z", "run": run, "what": "ended"}
            closed = {**line, "outcome": "recovered", "by": self.run["run"]}
            self.records[run].append(json.dumps(closed, separators=(",", ":")))
        yield from ()

    def _show(self, _stdin: str) -> Iterator[Event]:
        if self.hold:
            yield {"event": "held", "lease": self.hold}
        if self.now:
            age = str(self._age)
            yield {"event": "holding", "lease": self.now, "age": age, "is": self._is}
        yield from self._open()

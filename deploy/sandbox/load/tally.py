"""Counts what happens while it happens; knows neither sockets nor clocks."""

from __future__ import annotations

import math
from array import array
from collections import Counter

from deploy.sandbox.load.options import Kind, Options
from deploy.sandbox.load.report import Closed, Failure, KindReport, LoadReport, Second, Version

EXAMPLES = 20
LATE = 0.05
"""Seconds of delay from which a request counts as late: ten times what a quiet loop needs, and well
under what a person or a probe would notice."""


class Tally:
    """All times are seconds from the start of the load; a thing's time is when it was due."""

    def __init__(self) -> None:
        self.failures = 0
        self._kinds = {kind: _KindTally() for kind in Kind}
        self._reasons: Counter[str] = Counter()
        self._examples: list[Failure] = []
        self._versions: dict[str, _VersionTally] = {}
        self._closed: list[Closed] = []
        self._timeline: list[list[int]] = []
        self._retried = 0
        self._late = 0
        self._latest = 0.0

    def sent(self, kind: Kind, due: float, delay: float = 0.0) -> None:
        """Something was sent, `delay` seconds after it was due."""
        self._kinds[kind].sent += 1
        self._second(due)[0] += 1
        self._latest = max(self._latest, delay)
        if delay > LATE:
            self._late += 1

    def ok(self, kind: Kind, due: float, now: float) -> None:
        """It was answered as it should be."""
        self._kinds[kind].latencies.append(now - due)
        self._second(due)[1] += 1

    def failed(self, kind: Kind, due: float, reason: str, detail: str) -> None:
        """It was not answered, or not as it should be."""
        self.failures += 1
        self._kinds[kind].failed += 1
        self._reasons[reason] += 1
        self._second(due)[2] += 1
        if len(self._examples) < EXAMPLES:
            self._examples.append(Failure(round(due, 3), kind.value, reason, detail))

    def retried(self) -> None:
        """A GET is sent a second time."""
        self._retried += 1

    def version(self, name: str, now: float) -> None:
        """An answer came from this version, whatever else is to be said of it."""
        seen = self._versions.get(name)
        if seen is None:
            seen = self._versions[name] = _VersionTally(now)
        seen.answers += 1
        seen.last = now

    def closed(self, closed: Closed) -> None:
        """A websocket was ended by the server."""
        self._closed.append(closed)

    def answered(self, *kinds: Kind) -> int:
        """How many of these kinds were answered as they should be."""
        return sum(len(self._kinds[kind].latencies) for kind in kinds)

    def ended(self, kind: Kind) -> int:
        """How many of a kind have ended, well or not."""
        return self.answered(kind) + self._kinds[kind].failed

    def report(self, options: Options, *, started: float, seconds: float, cpu: float) -> LoadReport:
        """All of it; `started` is seconds since the epoch, `seconds` how long was sent."""
        return LoadReport(
            url=options.url,
            rate=options.rate,
            started=round(started, 3),
            seconds=round(seconds, 3),
            kinds={kind.value: tally.report() for kind, tally in self._kinds.items()},
            reasons=dict(self._reasons.most_common()),
            examples=tuple(self._examples),
            retried=self._retried,
            late=self._late,
            latest=round(self._latest * 1000, 1),
            versions={name: tally.report() for name, tally in self._versions.items()},
            closed=tuple(self._closed),
            timeline=tuple(Second(*counts) for counts in self._timeline),
            cpu=round(cpu, 2),
        )

    def _second(self, due: float) -> list[int]:
        while len(self._timeline) <= due:
            self._timeline.append([0, 0, 0])
        return self._timeline[int(due)]


class _KindTally:
    def __init__(self) -> None:
        self.sent = 0
        self.failed = 0
        self.latencies = array("d")  # 8 bytes each: an hour at the highest rate is 144 MB

    def report(self) -> KindReport:
        latencies = sorted(self.latencies)
        return KindReport(
            sent=self.sent,
            ok=len(latencies),
            failed=self.failed,
            p50=_percentile(latencies, 0.50),
            p99=_percentile(latencies, 0.99),
            max=_percentile(latencies, 1.0),
        )


class _VersionTally:
    def __init__(self, now: float) -> None:
        self.answers = 0
        self.first = self.last = now

    def report(self) -> Version:
        return Version(self.answers, round(self.first, 3), round(self.last, 3))


def _percentile(ordered: list[float], part: float) -> float:
    """The nearest rank, in milliseconds; 0 of nothing."""
    if not ordered:
        return 0.0
    return round(ordered[math.ceil(part * len(ordered)) - 1] * 1000, 2)

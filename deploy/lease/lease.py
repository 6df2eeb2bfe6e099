"""A lease that we have: renewed by a heartbeat, and with it the record of what is done under it.

A lease whose owner was not heard of for `expires_after` seconds is taken over by the next who
asks, by the clock of the host that keeps it alone. Each has a number, higher than all before it,
which goes with every script that changes something; a host refuses a lower one than it has seen.
So an owner who slept, and wakes up to a lease that was taken over, changes nothing any more.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from deploy.errors import HeadwayError, Held, HostError, Refused
from deploy.lease.words import SCHEMA

if TYPE_CHECKING:
    from deploy.lease.words import Claim, Seen
    from deploy.remote.script import Report

BEATS = 4
"""Heartbeats in the time after which a lease expires: three may be lost."""


class _Keeper(Protocol):
    @property
    def expires_after(self) -> float: ...

    def ask(
        self,
        claim: Claim,
        what: str,
        stdin: bytes = b"",
        *,
        floor: int = 0,
        arguments: Sequence[str] = (),
    ) -> Report: ...


@dataclass
class Lease:
    """From `Keeper.take` to `release`.

    `token` is its number; `was` is how it was before: free, expired, or broken (taken by force from
    somebody who may still be at work); `seen` has the lines of runs that have come to no end.
    `on_ask` is told when somebody asks us to stop, and at once if they have asked already;
    `on_trouble` is told when it can't be renewed. `unsure` is whether something may be at work on
    a host that nobody has waited for.
    """

    keeper: _Keeper
    claim: Claim
    token: int
    was: str
    seen: Seen
    unsure: bool = False
    on_trouble: Callable[[str], None] = lambda _text: None
    clock: Callable[[], float] = time.monotonic
    _on_ask: Callable[[str], None] = lambda _text: None
    _lost: str = ""
    _asked: str = ""
    _silent: bool = False
    _written: int = 0
    _unsent: list[str] = field(default_factory=list)
    _answered: float = field(init=False)
    _speaking: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _keeping: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _asking: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        """It was given a moment ago."""
        self._answered = self.clock()

    @property
    def unheard(self) -> str:
        """Why nothing more may be begun: its host was silent for longer than it lasts; or ""."""
        silent, lasts = self.clock() - self._answered, self.keeper.expires_after
        if not self._silent or silent <= lasts:
            return ""
        return (
            f"who keeps the lease has not answered for {silent:.0f} s, and after {lasts:g} s it is "
            "anybody's (lease.expires_after)"
        )

    def note(self, *lines: Mapping[str, Any]) -> None:
        """Keep lines of the record, which the next heartbeat takes along, or the next `record`."""
        with self._keeping:
            for line in lines:
                self._written += 1
                written = {"v": SCHEMA, "n": self._written, "at": _now(), "run": self.claim.run}
                self._unsent.append(json.dumps({**written, **line}, separators=(",", ":")))

    @property
    def on_ask(self) -> Callable[[str], None]:
        """Who is told, in a line, that somebody asks us to stop."""
        return self._on_ask

    @on_ask.setter
    def on_ask(self, hear: Callable[[str], None]) -> None:
        with self._asking:
            self._on_ask = hear
            if self._asked:
                hear(self._asked)

    def record(self, *lines: Mapping[str, Any]) -> None:
        """Write lines into the run's record, and see that the lease is still ours.

        Where the host can't be reached the lines are kept, and go with the next: each host by
        itself still refuses what comes under a lease that was taken over. `unheard` says when that
        has gone on for too long.

        Raises:
            Held: it is somebody else's now.
        """
        self._speak("lease_renew", lines)
        if self._lost:
            raise Held(
                f"the lease was lost: {self._lost}",
                state="This run changes nothing any more; what it has begun is theirs to end.",
                mend="inv status shows what runs where.",
            )

    def above(self, seen: int) -> None:
        """Have a number above the one that a host has seen, from another keeper's time.

        Raises:
            Held: it is somebody else's now.
        """
        if seen < self.token:
            return
        taken = self.keeper.ask(self.claim, "lease_raise", floor=seen).last("taken")
        if taken is None:
            raise Held("the lease was lost", state="Nothing has been changed.")
        self.token = int(taken["token"])

    @property
    def silent(self) -> bool:
        """Whether the keeper did not answer when it was last spoken to."""
        return self._silent

    def end(self) -> None:
        """Give it back; where we are not sure of the hosts, the next one waits for them."""
        self._speak("lease_leave" if self.unsure else "lease_release", ())

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """While a script that nobody writes down is at work on a host.

        It has come to its end if it has said so, well or not.
        """
        self.unsure = True
        try:
            yield
        except HostError:
            raise
        except HeadwayError:
            self.unsure = False
            raise
        self.unsure = False

    def release(self, *lines: Mapping[str, Any]) -> None:
        """Give it back, with the last lines of the record; where that fails, it expires."""
        self._speak("lease_release", lines)

    def close(self, runs: Iterable[str]) -> None:
        """Write into the records of other runs that what they have left has come to its end."""
        for run in runs:
            self.keeper.ask(self.claim, "lease_close", arguments=[run])
        self.seen = replace(self.seen, records=())

    def leave(self, *lines: Mapping[str, Any]) -> None:
        """Go at once, while something may be at work on a host: the next one waits for that."""
        self._speak("lease_leave", lines)

    @contextlib.contextmanager
    def kept(self) -> Iterator[Lease]:
        """Renew it all the while, and give it back at the end."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self.keeper.expires_after / BEATS):
                self._speak("lease_renew", ())

        heart = threading.Thread(target=beat, name="heartbeat", daemon=True)
        heart.start()
        try:
            yield self
        finally:
            over.set()
            self.end()

    def _speak(self, what: str, lines: tuple[Mapping[str, Any], ...]) -> None:
        with self._speaking:
            self.note(*lines)
            sent = [*self._unsent]
            text = "".join(f"{line}\n" for line in sent)
            try:
                report = self.keeper.ask(self.claim, what, text.encode())
            except (HostError, Refused) as error:
                if not self._silent:
                    self.on_trouble(
                        f"the lease could not be renewed, which is tried again: {error}"
                    )
                self._silent = True
                return
            self._silent = False
            self._answered = self.clock()
            del self._unsent[: len(sent)]
            self._heard(report)

    def _heard(self, report: Report) -> None:
        lost, asked = report.last("lost"), report.last("asked")
        if lost:
            owner = lost.get("lease")
            self._lost = f"{owner['owner']} has it" if owner else "it was taken away by hand"
        if asked and not self._asked:
            with self._asking:
                by, why = asked["lease"]["by"], asked["lease"]["reason"]
                self._asked = f"{by} asks for the lease: {why}"
                self._on_ask(self._asked)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""The one host that keeps the lease of an environment, and how the lease is had from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deploy.errors import Held, Refused
from deploy.lease.lease import Lease
from deploy.lease.words import Claim, Hold, Holder, Seen, understand
from deploy.remote.script import Report

if TYPE_CHECKING:
    from deploy.remote.arrows import Arrows

PARTS = (("deploy.remote", "lib"), ("deploy.remote", "lease"))
STORIES = (*PARTS, ("deploy.remote", "story"))
LOOK_AGAIN = 1.0
"""Seconds between two looks at a lease that somebody has."""
ANSWER = "lease.answer_timeout"
PREEMPT_WAIT = 600.0
"""Seconds for a run to come to its next safe point: longer than a slow host's longest step."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Keeper:
    """The host, as something that is asked, and answers within `answer_timeout` seconds.

    A lease expires after `expires_after` seconds.
    """

    arrows: Arrows
    expires_after: float
    answer_timeout: float = 30.0
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def ask(
        self,
        claim: Claim,
        what: str,
        stdin: bytes = b"",
        *,
        floor: int = 0,
        arguments: Sequence[str] = (),
        parts: tuple[tuple[str, str], ...] = PARTS,
    ) -> Report:
        """Call a function of lease.sh, or of what `parts` has beside it; return what it said.

        Raises:
            HostError: the host can't be asked.
            Refused: it can't keep a lease; the reason is its own.
        """
        settings = self.arrows.settings | claim.settings(self.expires_after, floor)
        arrows = replace(self.arrows, settings=settings, parts=parts)
        report = Report()
        seconds = self.answer_timeout
        for line in arrows.read(what, arguments, timeout=seconds, stdin=stdin, of=ANSWER):
            report.add(line)
        failed = report.last("failed")
        if failed:
            raise Refused(f"{self.arrows.host.name}: {failed['reason']}")
        return report

    def look(self, claim: Claim) -> Seen:
        """Who has it, and who holds it."""
        return understand(self.ask(claim, "lease_show"))

    def hold(self, claim: Claim) -> Seen:
        """Hold it for its owner across runs, unless somebody else does; say who holds it then."""
        return understand(self.ask(claim, "lease_hold"))

    def break_(self, claim: Claim, *, force: bool = False) -> Seen:
        """Take it away from whoever has it or holds it; say what was in the way of that.

        Without `force` that is a run which is at work, or somebody else who holds it.
        """
        return understand(self.ask(claim, "lease_break", arguments=["force"] if force else []))

    def take(self, claim: Claim, tell: Tell, *, wait: float = 0, preempt: bool = False) -> Lease:
        """Have the lease.

        Without `wait` it is looked whether the owner is still there: who renews it is, and keeps
        it; the lease of one who does not is taken over when it expires.

        Args:
            claim: who asks.
            tell: told, in a line, what is waited for.
            wait: seconds for which a live owner is waited for, and a person who holds it.
            preempt: ask the owner to stop at the next safe point, and wait for that; a person who
                holds it can't be asked so.

        Raises:
            Held: somebody else has it, or holds it.
            HostError: the host can't be asked.
            Refused: it can't keep a lease.
        """
        began = self.clock()
        until = began + max(wait, PREEMPT_WAIT if preempt else 0)
        first: Holder | None = None
        held: Hold | None = None
        while True:
            report = self.ask(claim, "lease_take")
            seen = understand(report)
            taken = report.last("taken")
            if taken:
                token, was = int(taken["token"]), taken["was"]
                unsure = was != "free"
                return Lease(self, claim, token, was, seen, unsure=unsure, clock=self.clock)
            if seen.hold:
                if self.clock() >= began + wait:
                    raise held_by_hand(seen.hold)
                if seen.hold != held:
                    held = seen.hold
                    tell(f"held by {held}; waiting for up to {wait:g} s until it is given back")
                self.sleep(LOOK_AGAIN)
                continue
            holder = seen.holder
            if holder is None:
                raise Refused(f"{self.arrows.host.name} did not say who has the lease")
            if first is None or first.run != holder.run:
                first = holder
                tell(f"{holder} has the lease; {self._waiting(holder, wait, preempt)}")
                if preempt:
                    self.ask(claim, "lease_ask")
            patient = wait or preempt
            if self.clock() >= until and (patient or holder.renewed != first.renewed):
                raise Held(
                    f"{holder} has the lease, and renews it",
                    state="Nothing has been changed.",
                    mend="--wait 15m waits until it is free; rollback --preempt has it at that "
                    "run's next safe point.",
                )
            self.sleep(LOOK_AGAIN)

    @staticmethod
    def _waiting(holder: Holder, wait: float, preempt: bool) -> str:
        if preempt:
            return "asked to stop at the next safe point"
        if wait:
            return f"waiting for it for up to {wait:g} s"
        return f"heard of {holder.age} s ago; looking whether they are still there"


def held_by_hand(hold: object) -> Held:
    """The refusal where a person holds it."""
    return Held(
        f"held by {hold}",
        state="Nothing has been changed.",
        mend="Ask them. inv unlock gives back what was held, with --force what another one holds.",
    )

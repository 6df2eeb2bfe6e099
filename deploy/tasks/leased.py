"""What a task does under the lease of its environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from deploy.errors import Cancelled, HeadwayError, Held, HostError, Refused, UsageError
from deploy.redaction.sink import current
from deploy.tasks.edge import refused, show, shown
from deploy.tasks.signals import outside_of_a_run

if TYPE_CHECKING:
    from deploy.api import Intent
    from deploy.journal import Dead
    from deploy.lease.lease import Lease
    from deploy.lease.words import Claim, Seen
    from deploy.recovery import Way
    from deploy.situation import Situation
    from deploy.tasks.signals import Leave

HELP = {"wait": "how long to wait for who has the lease or holds it: 15m"}


def claim(one: Situation, reason: str) -> Claim:
    """Who we are, and what for."""
    from deploy.lease.words import Claim, run_url
    from deploy.situation import whoami

    return Claim(one.run, whoami(os.environ), reason, run_url(os.environ))


def told(text: str) -> None:
    """Say something that is no part of a run."""
    show(text, to=sys.stderr)


@contextmanager
def leased(
    one: Situation,
    reason: str,
    wait: str | None = None,
    *,
    preempt: bool = False,
    look: Callable[[], object] | None = None,
) -> Iterator[Lease]:
    """Have the lease, and give it back at the end.

    Args:
        one: the environment.
        reason: what for, in the words of the command.
        wait: how long to wait for somebody else, as it was typed.
        preempt: ask them to stop at their next safe point.
        look: looks at all hosts, and says what is wrong with each, where the lease can't be had.

    Raises:
        Exit: it can't be had; why has been shown.
    """
    mine = claim(one, reason)

    def tell(text: str) -> None:
        told(text)
        if wait or preempt:
            from deploy.notify.choose import tell_waiting

            tell_waiting(one.environment, mine.name, reason, current().redact(text))

    try:
        lease = one.keeper.take(mine, tell, wait=_seconds(wait), preempt=preempt)
    except Held as error:
        raise refused(error) from None
    except (HostError, Refused) as error:
        raise refused(_why(one, error, look)) from None
    one.fence = lease.token
    try:
        with outside_of_a_run(leaving(one, lease)), lease.kept():
            if lease.unsure:
                told(_taken_over(lease))
                one.bar()
                lease.unsure = False
            yield lease
    except KeyboardInterrupt:
        raise Cancelled("stopped, as asked", state=_given_back(one, lease)) from None


def leaving(one: Situation, lease: Lease, more: str = "") -> Leave:
    """What gives the lease back at once, and says so; `more` is said after it."""

    def leave() -> int:
        lease.end()
        told("\n".join(filter(None, ("stopped at once, as asked", _given_back(one, lease), more))))
        return Cancelled.exit_code

    return leave


def _given_back(one: Situation, lease: Lease) -> str:
    name = one.environment.name
    if lease.silent:
        return f"The lease of {name} could not be given back, and expires by itself."
    if lease.unsure:
        return f"The lease of {name} is given back; who comes next waits for what is at work there."
    return f"The lease of {name} is given back."


def _why(one: Situation, error: HeadwayError, look: Callable[[], object] | None) -> HeadwayError:
    """The hosts may say more than the one that keeps the lease."""
    if look is not None:
        try:
            look()
        except HeadwayError as more:
            return more
    host = one.environment.lease_host
    return Refused(
        f"the lease of {one.environment.name}, which {host} keeps, can't be had: {error}"
    )


def _taken_over(lease: Lease) -> str:
    if lease.was == "broken":
        return "the lease was taken from somebody: waiting for what is still at work on the hosts"
    last = lease.seen.holder
    return f"the lease of {last} has expired: taking it over"


def _seconds(wait: str | None) -> float:
    from deploy.settings.durations import seconds

    try:
        return seconds(wait) if wait else 0
    except ValueError as error:
        raise UsageError(f"--wait {wait}: {error}", state="Nothing has been changed.") from None


def mended(one: Situation, lease: Lease, way: Way | None = None, *, smoke: bool = False) -> bool:
    """Bring to an end what a dead run has left; False where there was nothing.

    `smoke`: the smoke tests have the last word.

    Raises:
        Exit: it could not be brought to an end.
        Refused: there is no way to an end, such as a release whose files are gone.
        HeadwayError: it could not be looked at.
    """
    from deploy.events import Outcome
    from deploy.journal import dead
    from deploy.recover import recover
    from deploy.recovery import about, recovery
    from deploy.situation import whoami
    from deploy.story.recorder import Recorder

    runs = dead(lease.seen.records)
    here = about(runs, one.gather(), one.placements)
    found = recovery(runs, here, way)
    if found is None:
        return False
    those = one.only([*here]) if len(here) < len(one.placements) else one
    by = whoami(os.environ)
    ended = shown(
        lambda stream, cancel: recover(those, found, by, stream, lease, cancel, smoke=smoke),
        one.environment,
        lease,
        Recorder(those, found.target, current()),
    )
    if ended.outcome is Outcome.REFUSED and ended.exit_code == Refused.exit_code:
        raise Refused(ended.message, state="It is left as it was.")
    if ended.exit_code:
        raise Exit(code=ended.exit_code)
    return True


@contextmanager
def after_the_dead(one: Situation, lease: Lease) -> Iterator[None]:
    """Deal with what dead runs have left, before a deploy; their records are closed after it.

    Where there is no way to an end of it, the deploy goes on: it takes every host to its release,
    whatever that is on.

    Raises:
        Exit: hosts that are left out had a part in it; which has been shown.
    """
    from deploy.journal import dead

    found = dead(lease.seen.records)
    beyond = left_out(one, found)
    if beyond:
        name, hosts = one.environment.name, ", ".join(beyond)
        mend = (
            f"inv recover.{name} brings it to an end on all hosts; where one of them is down, "
            f"inv rollback.{name} --only-host goes back on the others."
        )
        text = f"{found[-1]}; --only-host leaves out {hosts}, where it is to be brought to an end"
        raise refused(Refused(text, mend=mend))
    runs = [run.run for run in found]
    if runs:
        try:
            mended(one, lease)
        except Refused as error:
            told(f"{error}\nGoing on: the deploy takes every host to its release all the same.")
    yield
    if lease.seen.records:
        lease.close(runs)


def left_out(one: Situation, runs: Iterable[Dead]) -> list[str]:
    """The hosts that had a part in runs that died, and that this is not about."""
    had = {host for run in runs for host in run.before}
    return [host for host in one.left_out if host in had]


def no_dead(one: Situation, lease: Lease, then: str) -> None:
    """Have it that no run that died has left anything, before something else is done.

    Args:
        one: the environment.
        lease: its lease.
        then: what to type once that is mended.

    Raises:
        Exit: one has; which has been shown.
    """
    from deploy.journal import dead

    runs = dead(lease.seen.records)
    if runs:
        mend = f"inv recover.{one.environment.name}; then {then}"
        raise refused(Refused(f"{runs[-1].run} died, and what it has left comes first", mend=mend))


def numbered(one: Situation, lease: Lease, make: Callable[[], Intent]) -> Callable[[], Intent]:
    """Make an intent under a number above all that the hosts have seen.

    It is so already, but where another host kept the lease before, or this one was made anew.
    """

    def made() -> Intent:
        intent = make()
        seen = max((facts.fence for facts in one.facts.values()), default=0)
        # What came under our own number has been seen as well.
        if seen <= lease.token:
            return intent
        lease.above(seen)
        one.fence = lease.token
        return make()

    return made


def described(seen: Seen) -> list[str]:
    """Who has it, in a line each."""
    lines = []
    if seen.hold:
        lines.append(f"held by {seen.hold}")
    if seen.holder:
        state = "at work" if seen.holder.alive else "expired"
        lines.append(f"{state}: {seen.holder}, heard of {seen.holder.age} s ago")
    return lines

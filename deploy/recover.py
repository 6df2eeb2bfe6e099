"""Carries a recovery out: what a run that died has left comes to a defined end."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from deploy import journal
from deploy.errors import Cancelled, HeadwayError, Held, NeedsPerson
from deploy.events import Outcome, RunEnded, RunStarted, Stream, Warned
from deploy.intent import to_known
from deploy.phases import mend, phases, purging, smoke_after_all
from deploy.run import Run
from deploy.run import ended as run_ended
from deploy.situation import new_run

if TYPE_CHECKING:
    from deploy.lease.lease import Lease
    from deploy.recovery import Recovery
    from deploy.run import Failure
    from deploy.situation import Situation


def recover(
    situation: Situation,
    found: Recovery,
    by: str,
    stream: Stream,
    lease: Lease,
    cancel: threading.Event | None = None,
    *,
    smoke: bool = False,
) -> RunEnded:
    """Do it, and say how it ended; the same is the last event of the stream.

    Args:
        situation: the environment, whose hosts have been read.
        found: what is to be done.
        by: who orders it.
        stream: told what goes on.
        lease: under which it is done; the records of the dead runs are closed there.
        cancel: set to stop at the next safe point.
        smoke: ask at the end whether what serves now works; a deploy that follows does so itself.
    """
    name, began = situation.environment.name, time.monotonic()
    deploy = new_run()
    stream.emit(
        RunStarted(
            id=deploy,
            verb="recover",
            app=situation.environment.app,
            environment=name,
            before="",
            after=found.target.tag if found.target else "nothing",
            hosts=tuple(situation.placements),
            summary=str(found),
            by=by,
            commit=found.target.commit if found.target else "",
        )
    )
    stream.emit(Warned(text=str(found)))
    run = Run(stream, cancel or threading.Event(), lease)
    failure: Failure | None = None
    try:
        lease.record(journal.began(deploy, "recover", found.target, by, situation.facts))
        if found.mends:
            failure = run.walk([mend(situation, found, deploy, by)], revert=False)
            situation.gather()
        if failure is None and found.target is not None:
            intent = to_known(situation, found.target, by, "recover", deploy)
            walk = purging(situation, intent.order, "recover")
            if not intent.plan.empty:
                walk = phases(situation, intent.order, intent.again)
            if smoke:
                walk += smoke_after_all(situation, intent.order)
            failure = run.walk(walk, revert=False)
    except Cancelled as error:
        following = f"inv recover.{name} takes it from here"
        ended = run_ended(Outcome.CANCELLED, error.exit_code, began, error.message, following)
    except HeadwayError as error:
        ended = run_ended(Outcome.REFUSED, error.exit_code, began, str(error), f"inv status.{name}")
    else:
        ended = _after(found, failure, name, began)
    with contextlib.suppress(Held):
        lease.record(journal.ended(ended))
    # Whatever the smoke tests say, nothing is in its middle any more.
    if ended.exit_code == 0 or (failure and failure.step.name == "smoke"):
        lease.close(one.run for one in found.dead)
    stream.emit(ended)
    return ended


def _after(found: Recovery, failure: Failure | None, name: str, began: float) -> RunEnded:
    if failure is not None and failure.step.name == "smoke" and found.target is not None:
        message = f"every host is on {found.target.tag}, and it fails its smoke tests"
        following = f"inv rollback.{name}, or inv smoke.{name} to ask again"
        return run_ended(Outcome.NEEDS_PERSON, NeedsPerson.exit_code, began, message, following)
    if failure is not None:
        message = f"{failure.step.name} failed on {failure.step.host or 'the whole'}; left as it is"
        return run_ended(
            Outcome.NEEDS_PERSON, NeedsPerson.exit_code, began, message, f"inv status.{name}"
        )
    if found.target is None:
        message = "what was begun is gone, and nothing was deployed before"
        return run_ended(Outcome.DONE, 0, began, message, f"inv deploy.{name}")
    message = f"every host is on {found.target.tag}"
    return run_ended(Outcome.DONE, 0, began, message, f"inv history.{name}")

"""Carries a recovery out: what a run that died has left comes to a defined end."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from deploy import history, journal
from deploy.errors import Cancelled, HeadwayError, Held, NeedsPerson, Refused
from deploy.events import Outcome, RunEnded, RunStarted, Stream, Warned
from deploy.intent import to_known
from deploy.pending import not_past_a_contract
from deploy.phases import mend, phases, purging, smoke_after_all
from deploy.recovery import recovery
from deploy.run import Run
from deploy.run import ended as run_ended
from deploy.situation import new_run
from deploy.steps.verify import Verify

if TYPE_CHECKING:
    from deploy.lease.lease import Lease
    from deploy.plan import Verb
    from deploy.recovery import Recovery
    from deploy.run import Failure
    from deploy.situation import Situation

_QUESTIONS = {"verify", "smoke"}
"""The steps that only ask: when one of them fails, there is a way back from where all hosts are."""


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
        situation: the environment, whose hosts have been read; only those that it is about.
        found: what is to be done.
        by: who orders it.
        stream: told what goes on.
        lease: under which it is done; the records of the dead runs are closed there.
        cancel: set to stop at the next safe point.
        smoke: ask at the end whether what serves now works, also where nothing depends on it; a
            deploy that follows does so itself.
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
    cancel = cancel or threading.Event()

    def walked(found: Recovery, verb: Verb) -> Failure | None:
        run = Run(stream, cancel, lease, limit=situation.environment.rollout.progress_deadline)
        return _walked(run, situation, found, verb, deploy, by, smoke=smoke or found.provided)

    done, failure = found, None
    try:
        here = {host: situation.facts[host] for host in situation.placements}
        lease.record(journal.began(deploy, "recover", found.target, by, here))
        failure = walked(found, "recover")
        back = _back(situation, found, failure, stream)
        if back:
            done, failure = back, walked(back, "revert")
    except Cancelled as error:
        following = f"inv recover.{name} takes it from here"
        ended = run_ended(Outcome.CANCELLED, error.exit_code, began, error.message, following)
    except HeadwayError as error:
        ended = run_ended(Outcome.REFUSED, error.exit_code, began, str(error), f"inv status.{name}")
    else:
        ended = _after(situation, done, failure, found if done is not found else None, began)
    with contextlib.suppress(Held):
        lease.record(journal.ended(ended))
    # Whatever the smoke tests say, nothing is in its middle any more.
    if ended.exit_code == 0 or (failure and failure.step.name == "smoke"):
        lease.close(one.run for one in found.dead)
    stream.emit(ended)
    return ended


def _walked(
    run: Run,
    situation: Situation,
    found: Recovery,
    verb: Verb,
    deploy: str,
    by: str,
    *,
    smoke: bool,
) -> Failure | None:
    if found.target and found.way == "undo":
        not_past_a_contract(situation, history.releases(situation.facts), found.target)
    if found.mends:
        failure = run.walk([mend(situation, found, deploy, by, verb)], revert=False)
        situation.gather()
        if failure:
            return failure
    if found.target is None:
        return None
    intent = to_known(situation, found.target, by, verb, deploy)
    walk = phases(situation, intent.order, intent.again)
    if intent.plan.empty:
        # The hosts write down what they are on, and CDNs may have kept what was on its way.
        walk = [[Verify(intent.again)], *purging(situation, intent.order, verb)]
    if smoke:
        walk += smoke_after_all(situation, intent.order)
    return run.walk(walk, revert=False)


def _back(
    situation: Situation, found: Recovery, failure: Failure | None, stream: Stream
) -> Recovery | None:
    """The way back, where something depended on what was asked, and the answer was no."""
    if not (failure and found.provided and failure.step.name in _QUESTIONS):
        return None
    if not situation.environment.rollout.auto_revert:
        return None
    facts = situation.gather()
    here = {host: facts[host] for host in situation.placements}
    try:
        back = recovery(found.dead, here, "undo")
        if back is None or back.target is None:
            return None
        not_past_a_contract(situation, history.releases(facts), back.target)
    except Refused as error:
        stream.emit(Warned(text=str(error)))
        return None
    stream.emit(Warned(text=f"{failure.step.name} failed: taking it back to {back.target.tag}"))
    return back


def _after(
    situation: Situation,
    found: Recovery,
    failure: Failure | None,
    tried: Recovery | None,
    began: float,
) -> RunEnded:
    """How it ended; `tried` is what was given up before."""
    name = situation.environment.name
    hosts = ", ".join(situation.placements) if situation.left_out else "every host"
    on = f"{hosts} is on {found.target.tag}" if found.target else ""
    if failure is not None and failure.step.name == "smoke" and found.target is not None:
        message = f"{on}, and it fails its smoke tests"
        following = f"inv rollback.{name}, or inv smoke.{name} to ask again"
        return run_ended(Outcome.NEEDS_PERSON, NeedsPerson.exit_code, began, message, following)
    if failure is not None:
        message = f"{failure.step.name} failed on {failure.step.host or 'the whole'}; left as it is"
        return run_ended(
            Outcome.NEEDS_PERSON, NeedsPerson.exit_code, began, message, f"inv status.{name}"
        )
    if found.target is None:
        stay = [host for host in situation.placements if situation.facts[host].release]
        message = "what was begun is gone, and nothing was deployed before"
        if stay:
            message += f"; {', '.join(stay)} had come to the end of it, and stays as it is"
        return run_ended(Outcome.DONE, 0, began, message, f"inv deploy.{name}")
    if tried and tried.target:
        on += f"; {tried.target.tag} was taken back"
    return run_ended(Outcome.DONE, 0, began, on, f"inv history.{name}")

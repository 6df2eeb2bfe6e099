"""What the tasks call: plan, deploy, rollback. Tests and workflows may call them too."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from deploy import history, journal
from deploy.errors import Cancelled, HeadwayError, Held, NeedsPerson
from deploy.events import Outcome, RunEnded, RunStarted, Stream, Warned, redacted
from deploy.intent import Intent, intend_deploy, intend_rollback
from deploy.phases import after_revert, phases
from deploy.phases import database_alone as of_database
from deploy.run import Failure, Run
from deploy.run import ended as run_ended

if TYPE_CHECKING:
    from deploy.lease.lease import Lease
    from deploy.plan import Plan
    from deploy.situation import Situation

__all__ = ["Intent", "carry_out", "intend_deploy", "intend_rollback"]


def carry_out(
    intent: Intent,
    stream: Stream,
    cancel: threading.Event | None = None,
    *,
    database_alone: bool = False,
    record: Lease | None = None,
) -> RunEnded:
    """Do what was intended, and say how it ended; the same is the last event of the stream.

    Failures don't raise: they are in the outcome and in its exit code.

    Args:
        intent: what.
        stream: told what goes on; its redactor learns the environment's secrets.
        cancel: set to stop at the next safe point.
        database_alone: back up and migrate, and leave the hosts as they are.
        record: the lease under which it is done, which keeps a record of it.
    """
    situation, plan = intent.situation, intent.plan
    name = situation.environment.name
    began = time.monotonic()
    stream.redactor.learn(one.reveal() for one in situation.environment.secret_values)
    running = history.running(situation.facts)
    stream.emit(
        RunStarted(
            id=intent.order.id,
            verb="migrate" if database_alone else plan.verb,
            app=plan.app,
            environment=name,
            before=plan.before,
            after=plan.after,
            hosts=() if database_alone else tuple(situation.placements),
            url=situation.environment.url or "",
            by=intent.order.by,
            approved_by=intent.order.approved_by,
            commit=intent.order.release.commit,
            author=intent.order.release.author,
            subject=intent.order.release.subject,
            commit_before=running.commit if running else "",
        )
    )
    if situation.left_out:
        stream.emit(Warned(text=_left_out(situation)))
    for fault in situation.untried:
        stream.emit(Warned(text=f"not every smoke test can be tried from here: {fault}"))
    before = of_database(situation, intent.order) if database_alone else []
    if database_alone and not before:
        ended = run_ended(Outcome.NOTHING, 0, began, "nothing pending that could be applied now")
    elif intent.empty and not database_alone:
        ended = run_ended(Outcome.NOTHING, 0, began, f"every host is on {plan.after} already")
    else:
        order = intent.order
        verb = "migrate" if database_alone else plan.verb
        taking_part = {host: situation.facts[host] for host in situation.placements}
        run = Run(
            stream,
            cancel or threading.Event(),
            record,
            first=[journal.began(order.id, verb, order.release, order.whose, taking_part)],
            limit=situation.environment.rollout.progress_deadline,
        )
        try:
            walk = before if database_alone else phases(situation, intent.order, intent.again)
            failure = run.walk(walk, revert=situation.environment.rollout.auto_revert)
            if failure and failure.reverted:
                more = after_revert(situation, intent.order, run.furthest.values())
                # Not in the record: what there is to recover is done. And nothing cuts it short.
                Run(stream, threading.Event()).walk(more)
        except Cancelled as error:
            ended = run_ended(
                Outcome.CANCELLED,
                error.exit_code,
                began,
                error.message,
                f"inv deploy.{name} takes it from here",
            )
        except HeadwayError as error:
            ended = run_ended(Outcome.REFUSED, error.exit_code, began, str(error))
        except Exception as error:
            # Between two steps, where every host is in a defined state.
            ended = run_ended(
                Outcome.NEEDS_PERSON,
                NeedsPerson.exit_code,
                began,
                f"a fault in Headway itself: {type(error).__name__}: {error}",
                f"inv status.{name}",
            )
        else:
            after = _after_migrating if database_alone else _after
            ended = after(plan, failure, name, situation, began)
        if record:
            with contextlib.suppress(Held):
                record.record(journal.ended(ended))
    ended = redacted(ended, stream.redactor)
    stream.emit(ended)
    return ended


def _left_out(situation: Situation) -> str:
    names = ", ".join(situation.left_out)
    it = "they stay" if len(situation.left_out) > 1 else "it stays"
    return (
        f"{names}: left out, so {it} as before, and contract migrations wait; "
        f"inv deploy.{situation.environment.name} without --only-host brings all hosts along"
    )


def _after(
    plan: Plan, failure: Failure | None, name: str, situation: Situation, began: float
) -> RunEnded:
    count = sum(1 for host in plan.hosts if host.rolled)
    where = situation.environment.url or plan.app
    if failure is None:
        return run_ended(
            Outcome.DONE,
            0,
            began,
            f"{where} serves {plan.after} on {count} hosts",
            f"back again: inv rollback.{name}",
        )
    before, following = _before(plan), f"inv status.{name}"
    if failure.reverted and not failure.stuck:
        end = "is marked bad" if failure.started else "was not started on any"
        message = f"{plan.app} · {name} is {before}; {plan.after} {end}"
        return run_ended(Outcome.REVERTED, 4, began, message, f"inv history.{name}")
    if failure.stuck:
        hosts = ", ".join(host for host, _ in failure.stuck)
        message = f"{hosts} could not be put back; before, {name} was {before}"
        following = _way_back(failure) or following
    elif not failure.step.reverts:
        again = "the next deploy"
        if plan.verb == "rollback":
            again = f"inv rollback.{name} --to {plan.after} --with-database"
        if failure.step.name == "smoke":
            again = f"inv smoke.{name}"
        message = (
            f"{where} serves {plan.after} on {count} hosts; {failure.step.name} failed, and "
            f"{again} tries it again"
        )
    else:
        message = "left as it is, since auto_revert is off"
    return run_ended(Outcome.NEEDS_PERSON, 5, began, message, following)


def _after_migrating(
    plan: Plan, failure: Failure | None, name: str, situation: Situation, began: float
) -> RunEnded:
    del situation
    if failure is None:
        message = f"the database is ready for {plan.after}; no host was changed"
        return run_ended(Outcome.DONE, 0, began, message, f"inv deploy.{name}")
    if failure.stuck:
        message = "the schema is not as it was before; no host was changed"
        following = _way_back(failure) or f"inv backup.{name}"
        return run_ended(Outcome.NEEDS_PERSON, 5, began, message, following)
    message = "the schema is as it was before; no host was changed"
    return run_ended(Outcome.REVERTED, 4, began, message, f"inv migrate.{name} --plan")


def _way_back(failure: Failure) -> str:
    """The command that gives back what could not be put back: a database has its backup."""
    stuck = (error for _, error in failure.stuck if isinstance(error, NeedsPerson))
    return next((error.mend for error in stuck if error.mend), "")


def _before(plan: Plan) -> str:
    """Where the hosts were when the run began, in words."""
    tags = {host.host: host.before or "nothing" for host in plan.hosts if host.rolled}
    if len(set(tags.values())) > 1:
        return "as it was: " + ", ".join(f"{host} on {tag}" for host, tag in tags.items())
    tag = next(iter(tags.values()), "nothing")
    return f"on {tag} on all {len(tags)} hosts" if len(tags) > 1 else f"on {tag}"

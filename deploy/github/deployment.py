"""Tells GitHub of a deploy that does not run in Actions: a deployment, and how it ended.

In Actions a job's `environment:` does that by itself. Here a thread of its own talks to GitHub, so
that a deploy neither waits for it nor fails with it.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from deploy.events import TOLD, Event, Outcome, RunEnded, RunStarted, StepStarted, told_until
from deploy.github.api import NoAnswer, Repository, repository

TIMEOUT = 3.0
"""Seconds for one answer; there are two tries."""

_STATES = {
    Outcome.DONE: "success",
    Outcome.REVERTED: "failure",
    Outcome.NEEDS_PERSON: "failure",
    Outcome.CANCELLED: "error",
    Outcome.REFUSED: "error",
}
_LONGEST = 140
"""Characters of a status's description, docs.github.com/rest/deployments/statuses."""


class Deployments:
    """A listener: one deployment for a run that does something, with a status at both ends."""

    def __init__(self, github: Repository, warn: Callable[[str], None]) -> None:
        self._github, self._warn = github, warn
        self._run: RunStarted | None = None
        self._begun = False
        self._until: float | None = None
        self._todo: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._worker = threading.Thread(target=self._work, daemon=True)
        self._worker.start()

    def __call__(self, event: Event) -> None:
        """Take an event; nothing is waited for."""
        if isinstance(event, RunEnded):
            self._until = told_until(event)
        if isinstance(event, RunStarted | RunEnded | StepStarted):
            self._todo.put(event)

    def close(self) -> None:
        """Wait until GitHub has been told of the end, as long as there is time.

        Harmless when repeated.
        """
        self._todo.put(None)
        now = time.monotonic()
        until = now + TOLD if self._until is None else self._until
        self._worker.join(max(0.0, until - now))
        if self._worker.is_alive():
            self._warn("GitHub does not answer: it was not told how this ended")

    def _work(self) -> None:
        number = 0
        try:
            while event := self._todo.get():
                if isinstance(event, RunStarted):
                    self._run = event
                elif isinstance(event, StepStarted) and not self._begun:
                    # Not earlier: most of what turns out to be nothing to do has no step.
                    self._begun = True
                    number = self._begin()
                elif isinstance(event, RunEnded):
                    if number:
                        self._status(number, _STATES.get(event.outcome, "inactive"), event.message)
                    return
        except NoAnswer as error:
            self._warn(f"GitHub was not told of this deploy: {error}")

    def _begin(self) -> int:
        run = self._run
        if run is None or run.verb not in {"deploy", "rollback"}:
            return 0
        body = {
            "ref": run.commit or run.after,
            "environment": run.environment,
            "description": f"{run.verb} of {run.after}"[:_LONGEST],
            # What was deployed is deployed, whatever the checks of its commit say.
            "required_contexts": [],
            "auto_merge": False,
            "production_environment": run.environment == "production",
            "payload": {"run": run.id},
        }
        answer: Any = self._github.post("/deployments", body)
        number = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(number, int):
            raise NoAnswer("it names no deployment")
        self._status(number, "in_progress", "")
        return number

    def _status(self, number: int, state: str, message: str) -> None:
        first = "".join(sign for sign in message.partition("\n")[0] if sign.isprintable())
        body = {"state": state, "description": first[:_LONGEST], "auto_inactive": True}
        if self._run and self._run.url:
            body["environment_url"] = self._run.url
        self._github.post(f"/deployments/{number}/statuses", body)


def deployments(
    environ: Mapping[str, str],
    warn: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> Deployments | None:
    """The listener, where this is not Actions and the environment says whom to tell, and as whom.

    A remote of the checkout does not: whoever has a token for something else wants no deployments.
    """
    if environ.get("GITHUB_ACTIONS") == "true" or not environ.get("GITHUB_REPOSITORY"):
        return None
    github = repository(environ, timeout=TIMEOUT, sleep=sleep)
    return Deployments(github, warn) if github else None

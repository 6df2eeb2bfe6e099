"""Who is told, as a hosts file says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from deploy import changelog, git
from deploy.changelog import Changelog
from deploy.lease.words import run_url
from deploy.notify.links import Links, page_of
from deploy.notify.markdown import markdown
from deploy.notify.message import message, waiting
from deploy.notify.notifier import Kind, Moment, Notifier, Receiver, Worker
from deploy.notify.record import record
from deploy.views.tally import Tally

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.events import RunStarted, Stream
    from deploy.redaction.redactor import Redactor
    from deploy.settings import Environment

_GIT = 2.0
"""Seconds for which a message waits for the changelog; git answers in a hundredth of that."""


def notifier(
    environment: Environment, environ: Mapping[str, str], stream: Stream
) -> Notifier | None:
    """The listener for a run of this environment; None where nobody is to be told.

    Args:
        environment: the environment.
        environ: the process environment, which knows the workflow's run.
        stream: what the listener is for; it warns there of what could not be told.
    """
    section = environment.notify
    told = Told(environment, environ, stream.redactor)
    found = _slack(environment, told.message)
    if section.webhook:
        from deploy.notify.webhook import Signed

        key = environment.secret(section.webhook.key)
        found.append(Signed(section.webhook.url, key, told.record))
    if commands := section.hooks.commands:
        from deploy.notify.hooks import Hooks

        found.append(Hooks(commands, environment.root, told.record))
    return Notifier(found, stream.emit) if found else None


def tell_waiting(environment: Environment, by: str, reason: str, text: str) -> None:
    """Tell Slack that a run waits for the lease; nobody waits for that.

    Args:
        environment: the environment.
        by: who waits.
        reason: what for.
        text: who has it; redacted.
    """
    said = waiting(environment.app, environment.name, by, reason, text)
    for receiver in _slack(environment, lambda _: said):
        Worker(receiver).offer(Moment(Kind.ENDED, Tally(), time.time()))


def _slack(environment: Environment, build: Callable[[Moment], dict[str, Any]]) -> list[Receiver]:
    section = environment.notify.slack
    if section is None:
        return []
    # Only here: the SDK costs a tenth of a second to import.
    from deploy.notify import slack

    if section.webhook:
        return [slack.Webhook(environment.secret(section.webhook), build)]
    token, channel = section.token or "", section.channel or ""
    return [slack.Bot(environment.secret(token), channel, section.api, build)]


def links(environment: Environment, environ: Mapping[str, str]) -> Links:
    """Of the hosts file, else of Actions, else of git's origin."""
    section = environment.notify
    server, name = environ.get("GITHUB_SERVER_URL", ""), environ.get("GITHUB_REPOSITORY", "")
    repository = (
        section.repository
        or (page_of(f"{server}/{name}") if server and name else "")
        or page_of(git.origin(environment.root))
    )
    return Links(repository, run_url(environ), section.rollback or "", environment.url or "")


class Told:
    """Makes what is told of a moment; git is asked once, and beside the run."""

    def __init__(
        self, environment: Environment, environ: Mapping[str, str], redactor: Redactor
    ) -> None:
        self._environment, self._environ, self._redactor = environment, environ, redactor
        self._lock = threading.Lock()
        self._asked: Future[tuple[Changelog, Links]] | None = None

    def message(self, moment: Moment) -> dict[str, Any]:
        """For Slack."""
        return message(moment.tally, *self._known(_run(moment)))

    def record(self, moment: Moment) -> dict[str, Any]:
        """For programs."""
        return record(moment.tally, *self._known(_run(moment)), moment.at)

    def changes(self, run: RunStarted) -> str:
        """For a page of Markdown: what comes with a run's release."""
        return markdown(*self._known(run))

    def _known(self, run: RunStarted) -> tuple[Changelog, Links]:
        with self._lock:
            if self._asked is None:
                self._asked = _in_thread(lambda: self._read(run))
        try:
            return self._asked.result(_GIT)
        except Exception as error:  # git must not keep anybody from being told
            words = "did not answer in time" if isinstance(error, TimeoutError) else f"{error!r}"
            unknown = Changelog(run.commit_before, run.commit, lacking=f"git: {words}")
            return unknown, Links(run=run_url(self._environ))

    def _read(self, run: RunStarted) -> tuple[Changelog, Links]:
        root: Path = self._environment.root
        release = git.Commit(run.commit, run.author, run.subject)
        found = changelog.read(root, release, run.commit_before, first=not run.before)
        return changelog.redacted(found, self._redactor), links(self._environment, self._environ)


def _run(moment: Moment) -> RunStarted:
    run = moment.tally.run
    assert run is not None  # noqa: S101 - nobody is told before
    return run


def _in_thread(work: Callable[[], tuple[Changelog, Links]]) -> Future[tuple[Changelog, Links]]:
    future: Future[tuple[Changelog, Links]] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future

"""Hears a run, and puts its story together at the end, while the run still has the lease.

Whatever goes wrong with that, the run has ended as it has, and waits for `LAST` at most.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deploy import changelog, git, history
from deploy.errors import HeadwayError
from deploy.events import Event, Outcome, RunEnded, StepFailed
from deploy.remote.script import Report
from deploy.story.before import changes
from deploy.story.shelf import Shelf
from deploy.story.story import Picture, SmokeTest, Story

if TYPE_CHECKING:
    from deploy.changelog import Changelog
    from deploy.events import RunStarted
    from deploy.lease.lease import Lease
    from deploy.lease.words import Claim
    from deploy.redaction.redactor import Redactor
    from deploy.release import Release
    from deploy.situation import Situation
    from deploy.smoke.result import Result
    from deploy.story.story import Changes

LAST = 4.0
"""Seconds that a run is held up at most by its story."""
LAST_CANCELLED = 1.5
"""Of a run that was cancelled: its runner is about to kill it."""
PICTURES = 400 * 1024
"""Bytes of all screenshots in a story together: some ten pages of a shop."""
_DETAIL = 64 * 1024
"""Characters of what a host said when a step failed: its end, where the reason mostly is."""
_PNG = b"\x89PNG\r\n\x1a\n"


class Recorder:
    """A listener of one run.

    Args:
        situation: the environment, whose hosts have been read and not changed yet.
        after: what the hosts are taken to, if anything.
        redactor: the stream's, which has learnt the environment's secrets by the end.
    """

    def __init__(self, situation: Situation, after: Release | None, redactor: Redactor) -> None:
        self._situation, self._after, self._redactor = situation, after, redactor
        self._before = history.running(situation.facts)
        self._tested = len(situation.tested)  # by a recovery just before, perhaps
        self._events: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Keep an event; it is redacted already."""
        if isinstance(event, StepFailed) and len(event.detail) > _DETAIL:
            event = replace(event, detail=f"…{event.detail[-_DETAIL:]}")
        self._events.append(event)

    def keep(self, lease: Lease, warn: Callable[[str], None]) -> None:
        """Put the story of the run that has ended where it can be read; what can't be is told.

        The lease is still ours. A run in which there was nothing to do has none.
        """
        # Who is told of the end may have a warning after it.
        ends = [one for one in self._events if isinstance(one, RunEnded)]
        if not ends or ends[-1].outcome is Outcome.NOTHING:
            return
        ended = ends[-1]
        wrong: list[str] = []

        def work() -> None:
            try:
                self._shelf(lease.claim).put(self.story(lease.claim))
            except HeadwayError as error:
                wrong.append(str(error))
            except Exception as error:  # nothing about a story must end a run
                wrong.append(repr(error))

        seconds = LAST_CANCELLED if ended.outcome is Outcome.CANCELLED else LAST
        thread = threading.Thread(target=work, name="story", daemon=True)
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            wrong.append(f"{self._situation.environment.lease_host} took longer than {seconds:g} s")
        if wrong:
            warn(f"the story of this run was not kept, and inv report tells less: {wrong[0]}")

    def story(self, claim: Claim) -> Story:
        """Put it together; the host that keeps the lease is asked for what it knows.

        Raises:
            HostError: it can't be asked.
            Refused: it says no.
        """
        story = Story(run=claim.run, events=tuple(self._events), changes=self._changes(claim))
        root = self._situation.environment.root
        return replace(
            story,
            changelog=self._changelog(root, story.started),
            smoke=tuple(illustrated(self._situation.tested[self._tested :], root)),
        )

    def _shelf(self, claim: Claim) -> Shelf:
        environment = self._situation.environment
        return Shelf(self._situation.keeper, claim, environment.app, environment.name)

    def _changes(self, claim: Claim) -> Changes:
        before, after = self._before, self._after
        said = Report()
        if before and after and before.id != after.id:
            said = self._shelf(claim).changes(before.id, after.id)
        return changes(before, after, said, self._redactor)

    def _changelog(self, root: Path, run: RunStarted | None) -> Changelog | None:
        # Where a recovery leaves nothing, there is nothing whose commit could be lacking.
        if run is None or (run.verb == "recover" and not run.commit):
            return None
        release = git.Commit(run.commit, run.author, run.subject)
        found = changelog.read(root, release, run.commit_before, first=not run.before)
        return changelog.redacted(found, self._redactor)


def illustrated(results: Iterable[Result], root: Path) -> Iterator[SmokeTest]:
    """Each result with the screenshots that it kept, as long as there is room for them."""
    room = PICTURES
    for result in results:
        pictures = []
        for file in result.kept:
            if not file.endswith(".png"):
                continue
            try:
                content = (root / file).read_bytes()
            except OSError:
                continue  # somebody has tidied up
            if content.startswith(_PNG) and len(content) <= room:
                room -= len(content)
                pictures.append(Picture(Path(file).name, content))
        yield SmokeTest(result, tuple(pictures))

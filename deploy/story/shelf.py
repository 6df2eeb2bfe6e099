"""Where stories lie: on the host that keeps the lease, which is asked by scripts of `story.sh`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.errors import Refused
from deploy.lease.keeper import STORIES
from deploy.lease.words import SCHEMA
from deploy.story.codec import packed, unpacked
from deploy.story.remains import remains

if TYPE_CHECKING:
    from deploy.lease.keeper import Keeper
    from deploy.lease.words import Claim
    from deploy.remote.script import Report
    from deploy.story.story import Story

KEPT_OF = "the 100 newest are kept; inv history has their ids"


@dataclass(frozen=True)
class Shelf:
    """The stories of one environment; `claim` is whoever asks."""

    keeper: Keeper
    claim: Claim
    app: str
    environment: str

    def changes(self, before: str, after: str) -> Report:
        """Ask in what the files of two releases differ; see `story.before.changes`.

        Raises:
            HostError: the host can't be asked.
            Refused: it says no.
        """
        return self.keeper.ask(
            self.claim, "story_changes", arguments=[before, after], parts=STORIES
        )

    def put(self, story: Story) -> None:
        """Keep a story; the oldest beyond 100 goes.

        Raises:
            HostError: the host can't be asked.
            Refused: it could not be kept, for want of room for one.
        """
        content = packed(story)
        arguments = [story.id, str(len(content))]
        self.keeper.ask(self.claim, "story_put", content, arguments=arguments, parts=STORIES)

    def get(self, wanted: str = "") -> Story:
        """The story of the deploy, or of the run, whose id begins so; "": of the newest.

        Of a run that has left none it is told what its record says.

        Raises:
            HostError: the host can't be asked.
            Refused: there is none, or more than one, or a newer Headway told it.
        """
        said = self.keeper.ask(self.claim, "story_list", parts=STORIES)
        kept, begun = {one["id"] for one in said.all("kept")}, _begun(said)
        id_ = _the_one({*kept, *begun}, wanted, begun)
        if id_ in kept:
            report = self.keeper.ask(self.claim, "story_get", arguments=[id_], parts=STORIES)
            found = report.last("story")
            if found is None:
                raise Refused(f"the story of {id_} has gone just now", mend=KEPT_OF)
            return unpacked(base64.b64decode(found["gz"]))
        run = begun[id_]["run"]
        report = self.keeper.ask(self.claim, "story_remains", arguments=[run], parts=STORIES)
        lines = [one["line"] for one in report.all("record")]
        return remains(id_, lines, app=self.app, environment=self.environment)


def _begun(said: Report) -> dict[str, Mapping[str, Any]]:
    """Deploy → the line of a record that begins it; a newer Headway's are passed over."""
    lines = (one["line"] for one in said.all("began"))
    return {line["deploy"]: line for line in lines if line.get("v") == SCHEMA}


def _the_one(ids: set[str], wanted: str, begun: Mapping[str, Mapping[str, Any]]) -> str:
    if not ids:
        raise Refused("there is no run to tell of yet", mend="A deploy leaves its story.")
    # Ids begin with the time.
    found = sorted(one for one in ids if one.startswith(wanted))
    # A run that recovers something has an id, and the recovery in it another one.
    found = found or sorted(one for one, line in begun.items() if line["run"].startswith(wanted))
    if wanted in ids or (found and not wanted):
        return wanted or found[-1]
    if not found:
        raise Refused(f"there is no run {wanted}", mend=KEPT_OF)
    if len(found) > 1:
        several = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
        raise Refused(f"{wanted} begins several: {several}", mend="Type more of it.")
    return found[0]

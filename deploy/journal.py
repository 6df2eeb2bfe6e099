"""What the record of a run says: built here, and read here by whoever finds one without an end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.errors import Held, Refused
from deploy.events import Outcome
from deploy.lease.words import NEWER, SCHEMA

if TYPE_CHECKING:
    from deploy.events import RunEnded
    from deploy.facts import HostFacts
    from deploy.release import Release

Line = Mapping[str, Any]

_LAST = "ended"
"""What the last line says of a run that has come to a defined end; lease.sh looks for it."""
_RECOVERED = "recovered"
"""How a run has ended by the word of another one, which is the last: lease.sh writes it."""


def began(
    deploy: str, verb: str, release: Release | None, by: str, facts: Mapping[str, HostFacts]
) -> Line:
    """The first line: what was ordered, and what each host was on. Without a release: nothing."""
    return {
        "what": "began",
        "deploy": deploy,
        "verb": verb,
        "release": release.id if release else "",
        "tag": release.tag if release else "",
        "by": by,
        "before": {host: one.release for host, one in facts.items()},
    }


def ended(end: RunEnded) -> Line:
    """The last line. A run that was stopped between two steps has come to no end.

    Nor has one that has lost its lease: what it has begun is left where it was.
    """
    stopped = end.outcome is Outcome.CANCELLED or end.exit_code == Held.exit_code
    return {
        "what": "stopped" if stopped else _LAST,
        "outcome": end.outcome.value,
        "exit": end.exit_code,
    }


@dataclass(frozen=True)
class Dead:
    """A run that nobody is at any more and that has come to no end.

    `run` names its record, `deploy` is its id on the hosts; `before` is host → release, "" for
    none; `did` are the (step, host) that ended well; `stopped` is whether it was asked to stop.
    """

    run: str
    deploy: str
    verb: str
    release: str
    tag: str
    by: str
    at: str
    before: Mapping[str, str]
    did: frozenset[tuple[str, str]]
    stopped: bool

    def __str__(self) -> str:
        end = "was stopped" if self.stopped else "died"
        since = self.at[:19].replace("T", " ")
        return f"{self.verb} of {self.tag} by {self.by}, begun {since} UTC, {end} in the middle"


def dead(lines: Iterable[Line]) -> list[Dead]:
    """The runs without an end, the oldest first; a line that was sent twice counts once.

    Raises:
        Refused: a newer Headway wrote one of them.
    """
    runs: dict[str, list[Line]] = {}
    for line in lines:
        if line.get("v") != SCHEMA:
            raise Refused("a newer version of Headway has left a run without an end", mend=NEWER)
        runs.setdefault(line["run"], []).append(line)
    return [found for run, said in runs.items() if (found := _dead(run, said))]


def _dead(run: str, lines: list[Line]) -> Dead | None:
    first = next((line for line in reversed(lines) if line["what"] == "began"), None)
    if first is None:
        return None
    said = lines[lines.index(first) :]
    if any(line.get("outcome") == _RECOVERED for line in said):
        # What it had in its hands when its lease was taken over came after that.
        return None
    return Dead(
        run=run,
        deploy=first["deploy"],
        verb=first["verb"],
        release=first["release"],
        tag=first["tag"],
        by=first["by"],
        at=first["at"],
        before=first["before"],
        did=frozenset((line["step"], line["host"]) for line in said if line["what"] == "did"),
        stopped=any(line["what"] == "stopped" for line in said),
    )


def away_from(runs: Sequence[Dead]) -> str | None:
    """The id of the release that a rollback goes to after runs that died; None: as history says.

    Where the first of them began, if all hosts were on one release; but what a rollback wanted.
    """
    if not runs:
        return None
    if runs[-1].verb == "rollback":
        return runs[-1].release
    before = set(runs[0].before.values())
    return before.pop() or None if len(before) == 1 else None

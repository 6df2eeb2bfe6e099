"""What can be told of a run that died: its record's lines as events. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from deploy.errors import Refused
from deploy.events import (
    Event,
    Outcome,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepStarted,
    StepUndone,
    Warned,
)
from deploy.lease.words import NEWER, SCHEMA
from deploy.story.story import Story

Line = Mapping[str, Any]


def remains(deploy: str, lines: Sequence[Line], *, app: str, environment: str) -> Story:
    """Tell what a record says of one deploy in it; a line that was sent twice counts once.

    A record does not say what was in a release: of changes nothing is told.

    Args:
        deploy: its id.
        lines: of the whole record.
        app: whose record it is, which it does not say itself.
        environment: likewise.

    Raises:
        Refused: a newer Headway wrote it, or it says nothing of that deploy.
    """
    if any(line.get("v") != SCHEMA for line in lines):
        raise Refused("a newer version of Headway has kept the record of this run", mend=NEWER)
    # What another run writes about this one has no number of its own.
    unique = {(line["n"], line["what"], line.get("step"), line.get("host")): line for line in lines}
    said: list[Line] = []
    for line in unique.values():
        if line["what"] == "began" and said:
            break
        if said or (line["what"] == "began" and line["deploy"] == deploy):
            said.append(line)
    if not said:
        raise Refused(f"the record of this run says nothing of {deploy}")
    return Story(run=said[0]["run"], events=tuple(_events(said, app, environment)), whole=False)


def _events(lines: Sequence[Line], app: str, environment: str) -> Iterator[Event]:
    since: dict[tuple[str, str], float] = {}
    undoing: dict[tuple[str, str], float] = {}
    began = _time(lines[0])
    for line in lines:
        at, step, host = _time(line), line.get("step", ""), line.get("host", "")
        where = step, host
        match line["what"]:
            case "began":
                yield _started(line, at, app, environment)
            case "doing":
                since[where] = at
                yield StepStarted(at=at, step=step, host=host)
            case "did":
                seconds = at - since.get(where, at)
                yield StepDone(at=at, step=step, host=host, seconds=seconds)
            case "failed":
                yield StepFailed(at=at, step=step, host=host, reason=line["reason"])
            case "undoing":
                undoing[where] = at
            case "undone":
                seconds = at - undoing.get(where, at)
                yield StepUndone(
                    at=at, step=step, host=host, seconds=seconds, ok=True, text="put back"
                )
            case "stuck":
                seconds = at - undoing.get(where, at)
                text = line["reason"]
                yield StepUndone(at=at, step=step, host=host, seconds=seconds, ok=False, text=text)
            case "stopped" | "ended":
                yield _ended(line, at, at - began)


def _started(line: Line, at: float, app: str, environment: str) -> RunStarted:
    before = sorted({one.rpartition("-")[0] for one in line["before"].values() if one})
    return RunStarted(
        at=at,
        id=line["deploy"],
        verb=line["verb"],
        app=app,
        environment=environment,
        before=", ".join(before),
        after=line["tag"],
        hosts=tuple(line["before"]),
        by=line["by"],
    )


def _ended(line: Line, at: float, seconds: float) -> Event:
    outcome = line["outcome"]
    if outcome in {one.value for one in Outcome}:
        message = f"{outcome}; this is all that its record says"
        return RunEnded(
            at=at,
            outcome=Outcome(outcome),
            exit_code=line["exit"],
            seconds=seconds,
            message=message,
        )
    if outcome == "recovered":
        return Warned(at=at, text=f"brought to an end by {line['by']}")
    return Warned(at=at, text="told to leave at once, and left")


def _time(line: Line) -> float:
    return datetime.fromisoformat(line["at"]).timestamp()

"""What the running version answers on the copy, before the migrations and after them. Pure.

Only what it answered before and no longer answers counts: an application that needs more than its
database is not well on a copy, whatever was migrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.errors import Fault, Refused

_LAST = 15
"""Lines of the container's that are shown."""


@dataclass(frozen=True)
class Answers:
    """What one start has shown.

    `faults` are what is wrong with the answer to each question, "" for nothing. `unready` is why it
    did not become ready, and was asked nothing; `untried` why it could not even be started, or not
    be asked. `said` are its container's last lines.
    """

    faults: Mapping[str, str] = field(default_factory=dict)
    unready: str = ""
    untried: str = ""
    said: str = ""

    @property
    def able(self) -> bool:
        """Whether it was asked at all."""
        return not (self.untried or self.unready)


@dataclass(frozen=True)
class Lived:
    """Both starts, compared.

    `answered` are the questions that were answered well both times, `broken` what was well before
    alone, as name → fault, `untried` why something says nothing.
    """

    answered: tuple[str, ...] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    untried: tuple[str, ...] = ()
    said: str = ""

    @property
    def text(self) -> str:
        """What is broken, in one line."""
        return "; ".join(f"{name}: {fault}" for name, fault in self.broken.items())

    def figures(self) -> dict[str, Any]:
        """What is kept of it."""
        return {
            "answered": list(self.answered),
            "broken": dict(self.broken),
            "untried": list(self.untried),
        }

    def lines(self) -> list[str]:
        """Tell people, one thing a line; not what was not tried, which is a warning."""
        told = []
        if self.answered:
            told.append(
                "the running version, started on the migrated schema, is well: "
                + ", ".join(self.answered)
            )
        if self.broken:
            told.append(
                f"the running version, started on the migrated schema, is not well: {self.text}"
            )
        return told


START = "start"
"""The name of the first question: whether it becomes ready."""


def compare(before: Answers, after: Answers) -> Lived:
    """Say what the second start of a version shows, held against a first one that was able."""
    if after.untried:
        return Lived(untried=(after.untried,))
    if after.unready:
        return Lived((), {START: after.unready}, said=after.said)
    well = [name for name, fault in before.faults.items() if not fault]
    return Lived(
        (START, *(name for name in well if not after.faults[name])),
        {name: after.faults[name] for name in well if after.faults[name]},
        tuple(
            f"{name}: {fault}, before the migrations as well"
            for name, fault in before.faults.items()
            if fault
        ),
        after.said,
    )


def unasked(before: Answers) -> Lived:
    """What comes of a first start after which there is nothing to compare."""
    why = before.untried or f"{before.unready}, before the migrations as well"
    last = before.said.splitlines()[-1:]
    return Lived(untried=(": ".join([why, *last]),))


def hold(lived: Lived) -> None:
    """Do nothing if all is well that was.

    Raises:
        Refused: it is not; one fault for each question.
    """
    if not lived.broken:
        return
    last = "\n".join(lived.said.splitlines()[-_LAST:])
    raise Refused(
        "the version that is running is not well on what is pending",
        faults=tuple(Fault(name, "", fault) for name, fault in lived.broken.items()),
        state=f"Its last lines:\n{last}\nNothing has been changed."
        if last
        else "Nothing has been changed.",
        mend="It was started on a copy, before the migrations and after them: "
        "docs/migrations.md#the-running-version-started says how.",
    )

"""What a session of the applier has said, read. Pure.

PostgreSQL's messages come in the language of the server, so that they are told by their form alone:
a word, the SQLSTATE, the message; the position is the number before the line with the caret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.database.migrations.blockers import Blocker, blockers
from deploy.database.migrations.script import MARK

if TYPE_CHECKING:
    from deploy.database.migrations.transaction import Unit

_MESSAGE = re.compile(r"\S+:\s+(?P<state>[0-9A-Z]{5}): (?P<text>.*)")
_PLACE = re.compile(r"\S+:\s+\w+, \w+\.\w+:\d+")
_POSITION = re.compile(r"\D{1,12}(\d+) ?: ")

LOST = ("57P", "08", "53300", "58")
"""SQLSTATEs with which a server ends, or does not take, a connection."""


@dataclass(frozen=True)
class PgError:
    """An error as PostgreSQL tells it.

    `line` is that of its position, from 1, and `excerpt` what it shows of that line; None and ""
    if it gave none. `text` is all that was said, without the place in PostgreSQL's source.
    """

    state: str = ""
    message: str = ""
    line: int | None = None
    excerpt: str = ""
    text: str = ""


@dataclass
class Report:
    """What has become of each job, by its number.

    `done` is number → seconds, `there` those whose row was there already. `begun` is the job that
    was under way when the session ended, `unit` its unit. `holder` is who holds the advisory lock,
    when it was not had; `invalid` the indexes that were invalid before the job that was under way.
    """

    done: dict[int, float] = field(default_factory=dict)
    there: set[int] = field(default_factory=set)
    begun: int | None = None
    unit: int | None = None
    holder: Blocker | None = None
    invalid: frozenset[str] = frozenset()
    error: PgError = field(default_factory=PgError)

    @property
    def settled(self) -> set[int]:
        """The jobs whose row is there."""
        return self.there | set(self.done)


def read(printed: str) -> Report:
    """Read what psql printed, on either way."""
    report = Report()
    rest: list[str] = []
    for line in printed.splitlines():
        head, _, words = line.partition(" ")
        if head == MARK:
            _take(report, *words.partition(" ")[::2])
            rest = []
        else:
            rest.append(line)
    report.error = _error(rest)
    return report


def _take(report: Report, verb: str, words: str) -> None:
    match verb:
        case "begin":
            report.begun, report.unit = int(words), None
        case "unit":
            report.unit = int(words.split()[1])
        case "done":
            number, seconds = words.split()
            report.done[int(number)] = float(seconds)
            report.begun = None
        case "there":
            report.there.add(int(words))
        case "busy":
            report.holder = next(iter(blockers([words])), Blocker(0))
        case "invalid":
            report.invalid = frozenset(json.loads(words))


def _error(lines: Sequence[str]) -> PgError:
    """The last message that is no notice or warning, with what belongs to it."""
    starts = [
        number
        for number, line in enumerate(lines)
        if (found := _MESSAGE.fullmatch(line)) and not found["state"].startswith(("00", "01"))
    ]
    kept = [line for line in lines if not _PLACE.fullmatch(line)]
    if not starts:
        return PgError(text="\n".join(kept).strip())
    own = lines[starts[-1] :]
    found = _MESSAGE.fullmatch(own[0])
    assert found  # noqa: S101 - it is how `starts` was made
    line, excerpt = _position(own)
    return PgError(
        state=found["state"],
        message=found["text"],
        line=line,
        excerpt=excerpt,
        text="\n".join(one for one in own if not _PLACE.fullmatch(one)).strip(),
    )


def _position(own: Sequence[str]) -> tuple[int | None, str]:
    caret = next((at for at, line in enumerate(own) if at and line.strip() == "^"), None)
    found = _POSITION.match(own[caret - 1]) if caret else None
    if not caret or not found:
        return None, ""
    return int(found[1]), own[caret - 1][found.end() :].removeprefix("...").removesuffix("...")


def line_in_file(error: PgError, unit: Unit) -> int | None:
    """Return the line of the file that an error in `unit` is about; None if nobody knows.

    The position of an error within a function's or a DO block's own text is about that text: its
    excerpt is not what the unit has on that line. Then, and where PostgreSQL gives no position, it
    is the line of the statement, if the unit has but one.
    """
    lines = re.split(r"\r\n|\r|\n", unit.text)
    if not error.line or error.line > len(lines):
        return unit.statement or None
    # libpq shows tabs as blanks.
    own = error.excerpt in lines[error.line - 1].replace("\t", " ")
    return unit.line + error.line - 1 if own else unit.statement or None

"""The text layer: every hazard that the SQL of migrations shows. It runs squawk, and no other I/O.

Two readers look at each statement: our own (`hazards`), which knows what the batch has created, and
squawk, which knows PostgreSQL's grammar. Where ours has an opinion of a rule it counts; what squawk
alone sees is added.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.database.lint import exceptions, squawk
from deploy.database.lint.batch import Batch
from deploy.database.lint.blocks import Part, parts
from deploy.database.lint.hazards import created, hazards
from deploy.database.lint.locks import not_atomic, several_locked, validated_late
from deploy.database.lint.rules import OF_FILE, Finding, Hazard
from deploy.database.migrations.sql import Comment, Statement, Unreadable, comments, statements
from deploy.database.migrations.sql import without_comments as bare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DETAIL = 100


@dataclass(frozen=True)
class File:
    """A migration: its path within the migrations folder, and its SQL."""

    path: str
    text: str


@dataclass
class _Read:
    """A file taken apart. `seen` has the hazards of each part, those that do no harm as well."""

    file: File
    parts: list[Part] = field(default_factory=list)
    seen: list[list[Hazard]] = field(default_factory=list)
    broken: Unreadable | None = None


def lint(
    files: Sequence[File],
    before: Sequence[File] = (),
    *,
    apart: bool = False,
    program: str | None = None,
) -> list[Finding]:
    """Return what the files would do to the version that is running, in their order.

    Args:
        files: the migrations that are pending together, in the order in which they will run.
        before: those that have been applied, in their order; they are not judged, and only say what
            columns, indexes and checks there are.
        apart: each file is pending alone, after those before it; otherwise all are pending at once,
            and what one creates is new to the next.
        program: squawk's path; None: it is looked for.

    Raises:
        Refused: squawk could not be asked; then nothing has been judged.
    """
    earlier = Batch()
    for file in before:
        _look(_read(file), earlier)
    read = [_read(one) for one in files]
    batch = replace(earlier.settled(), coming=created(_all(read)).coming)
    for one in read:
        if apart:
            batch = replace(batch.settled(), coming=created(_all([one])).coming)
        _look(one, batch)
    _ask_squawk(read, program)
    return [finding for one in read for finding in _findings(one)]


def allowances(file: File) -> dict[str, str]:
    """Rule → reason of every exception in a file: for what is found without a line of its own."""
    said = (exceptions.read(comment) for comment in _comments(_read(file)))
    return {one.rule: one.reason for one in said if isinstance(one, exceptions.Allow)}


def is_contract(file: File) -> bool:
    """Whether a file says `-- deploy: phase=contract`; one that can't be read says nothing."""
    if not exceptions.mentioned(file.text):
        return False
    try:
        return exceptions.is_contract(comments(file.text))
    except Unreadable:
        return False


def _read(file: File) -> _Read:
    try:
        found = [part for one in statements(file.text) for part in parts(one)]
    except Unreadable as error:
        return _Read(file, broken=error)
    return _Read(file, found)


def _all(read: Sequence[_Read]) -> Iterator[Statement]:
    return (part.statement for one in read for part in one.parts)


def _look(read: _Read, batch: Batch) -> None:
    for part in read.parts:
        batch.unsure = part.around is not None
        found = [Hazard("opaque")] if part.opaque else hazards(part.statement, batch)
        read.seen.append(found)
    whole = [
        *not_atomic([part.statement for part in read.parts]),
        *several_locked([part.statement for part in read.parts], read.seen),
        *validated_late([part.statement for part in read.parts], read.seen),
    ]
    for at, hazard in whole:
        read.seen[at].append(hazard)


# --- squawk --------------------------------------------------------------------------------------


def _ask_squawk(read: Sequence[_Read], program: str | None) -> None:
    """Add what squawk alone has seen to the hazards of each part.

    A block's statements are texts of their own: what PL/pgSQL has beyond SQL must not keep squawk
    from reading the rest.
    """
    texts: list[str] = []
    lines: list[list[tuple[_Read, int]]] = []
    for one in read:
        own = [at for at, part in enumerate(one.parts) if part.around is None]
        inner = [at for at, part in enumerate(one.parts) if part.around and part.plain]
        for group in (own, *([at] for at in inner)):
            cut = [bare(one.parts[at].statement.text) + ";\n" for at in group]
            texts.append("".join(cut))
            lines.append(
                [(one, at) for at, text in zip(group, cut, strict=True) for _ in text.splitlines()]
            )
    for notice in squawk.read(texts, program):
        where = lines[notice.text]
        if where:
            one, at = where[min(notice.line, len(where)) - 1]
            _add(one, at, notice)


def _add(read: _Read, at: int, notice: squawk.Notice) -> None:
    seen = read.seen[at]
    rule = notice.rule
    if rule == squawk.SYNTAX and read.parts[at].around is not None:
        rule = "opaque"
    if any(hazard.rule == rule for hazard in seen):
        return
    if rule == squawk.SYNTAX:
        # What is no SQL is not opaque SQL, and no exception is to be had for it.
        seen[:] = [hazard for hazard in seen if hazard.rule != "opaque"]
    subject = next((hazard.subject for hazard in seen if hazard.subject), "")
    seen.append(Hazard(rule, "" if rule in {squawk.SYNTAX, "opaque"} else subject))


# --- findings ------------------------------------------------------------------------------------


def _findings(read: _Read) -> Iterator[Finding]:
    path = read.file.path
    if read.broken is not None:
        detail = str(read.broken)
        yield Finding(path, read.broken.line, squawk.SYNTAX, detail=detail)
        return
    found: list[Finding] = []
    for part, seen in zip(read.parts, read.seen, strict=True):
        said = _allows(part)
        statement = part.statement
        for hazard in dict.fromkeys(one for one in seen if not one.harmless):
            allowed = said.get(hazard.rule, "")
            detail = _beginning(statement.text)
            found.append(
                Finding(path, statement.line, hazard.rule, hazard.subject, detail, allowed)
            )
    found += _wrong(read)
    yield from sorted(found, key=lambda one: one.line)


def _beginning(text: str) -> str:
    try:
        text = bare(text[: 4 * _DETAIL])
    except Unreadable:
        # Cut within a quote or a comment.
        text = text[: 4 * _DETAIL]
    line = " ".join(text.split())
    return line if len(line) <= _DETAIL else f"{line[: _DETAIL - 1]}…"


def _standing(part: Part) -> tuple[Comment, ...]:
    """The comments that stand with a statement; those around a block stand with all in it."""
    around = part.around.comments if part.around is not None else ()
    return (*part.statement.comments, *around)


def _allows(part: Part) -> dict[str, str]:
    said = (exceptions.read(comment) for comment in _standing(part))
    return {one.rule: one.reason for one in said if isinstance(one, exceptions.Allow)}


def _comments(read: _Read) -> list[Comment]:
    """All comments of a file, those in blocks as well, each once."""
    if read.broken is not None or not exceptions.mentioned(read.file.text):
        return []
    inside = (one for part in read.parts for one in part.statement.comments)
    return list(dict.fromkeys([*comments(read.file.text), *inside]))


def _wrong(read: _Read) -> Iterator[Finding]:
    """What is written for us, and says nothing or allows nothing."""
    for comment in _comments(read):
        said = exceptions.read(comment)
        why = ""
        if isinstance(said, exceptions.Wrong):
            why = said.why
        elif isinstance(said, exceptions.Allow):
            why = _in_vain(read, comment, said)
        if why:
            yield Finding(read.file.path, comment.line, "bad-exception", detail=why)


def _in_vain(read: _Read, comment: Comment, allow: exceptions.Allow) -> str:
    """Why an exception allows nothing where it stands; "" if it does.

    One that is for a hazard without harm here is not in vain: in another batch it is needed. Nor is
    one for a statement that does nobody knows what: the catalogue may find what it allows.
    """
    if allow.rule in OF_FILE:
        return ""
    with_it = [
        {hazard.rule for hazard in seen}
        for part, seen in zip(read.parts, read.seen, strict=True)
        if comment in _standing(part)
    ]
    if not with_it:
        return f"allow {allow.rule} stands with no statement; write it before the one it is for"
    rules = set().union(*with_it)
    if allow.rule in rules or "opaque" in rules:
        return ""
    harms = sorted(
        {
            hazard.rule
            for part, seen in zip(read.parts, read.seen, strict=True)
            for hazard in seen
            if comment in _standing(part) and not hazard.harmless
        }
        - exceptions.NEVER
    )
    near = f"; what stands there is {', '.join(harms)}" if harms else ""
    return f"allow {allow.rule} allows nothing where it stands{near}"

"""What a rehearsal has shown: for machines, and in lines for people. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from deploy.database.measure.watch import MODES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.database.contract.contract import Breakage
    from deploy.database.lint.rules import Finding
    from deploy.database.measure.scale import Estimate
    from deploy.database.measure.watch import Measured, Touched
    from deploy.database.rehearsal.answers import Lived

_SHOWN = 5
"""Lines of one kind that people are told; `body` has them all."""


@dataclass(frozen=True)
class Failure:
    """Why a file did not come to its end.

    `line` is that of the file, None where nobody knows. `state` is the SQLSTATE, or "". `as_before`
    tells whether the file left nothing behind; None: not known.
    """

    message: str
    line: int | None = None
    state: str = ""
    as_before: bool | None = True

    def __str__(self) -> str:
        where = f" at line {self.line}" if self.line else ""
        code = f" ({self.state})" if self.state else ""
        left = {True: "", False: "; it left a part of itself", None: "; what it left is not known"}
        return f"failed{where}: {self.message}{code}{left[self.as_before]}"


class Way(StrEnum):
    """What a way back has come to."""

    EQUAL = "leads back"
    DIFFERS = "leads elsewhere"
    FAILED = "failed"
    MISSING = "there is none"
    NONE = "SQL has none"
    UNTRIED = "not tried"


@dataclass(frozen=True)
class Back:
    """A file's way back, and the file run again after it.

    `differences` are lines of `catalogue.shape.differences` between the schema before the file and
    the one after its way back. `again` are those between the schema after the file and after it
    ran again, None where it did not; `failure` belongs to the way back, `failed_again` to the file.
    """

    way: Way
    seconds: float = 0.0
    differences: tuple[str, ...] = ()
    failure: Failure | None = None
    again: tuple[str, ...] | None = None
    failed_again: Failure | None = None

    @property
    def proven(self) -> bool:
        """Whether the schema was equal after it, and again after the file's second run."""
        return self.way is Way.EQUAL and self.again == ()


@dataclass(frozen=True)
class Trial:
    """One file. `measured` and `estimate` are None where it failed; `later`: a contract file.

    `estimate` is also None where nobody gave the sizes of the real tables.
    """

    name: str
    file: str
    later: bool = False
    measured: Measured | None = None
    estimate: Estimate | None = None
    findings: tuple[Finding, ...] = ()
    failure: Failure | None = None
    back: Back | None = None


@dataclass(frozen=True)
class Rehearsed:
    """A rehearsal.

    `trials` are the files that were run, in order; with one that failed it ends. `untried` are the
    names of those after it. `contract` is what the running version can't do any longer, None where
    it was not tried. `rows`: the copy had the rows, and not the schema alone. `lived` is what it
    has answered when it was started there, None where it was not to be.
    """

    trials: tuple[Trial, ...]
    untried: tuple[str, ...] = ()
    contract: tuple[Breakage, ...] | None = None
    rows: bool = True
    lived: Lived | None = None

    @property
    def failed(self) -> Trial | None:
        """The file that failed, if one did."""
        return next((one for one in self.trials if one.failure), None)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the catalogue and the measurements show, of all files."""
        return tuple(finding for one in self.trials for finding in one.findings)

    @property
    def decided(self) -> frozenset[str]:
        """The files (paths) of which the catalogue has seen all: their text need not be read.

        Empty where the copy had no rows: what a file would do to rows has then not been seen.
        """
        return frozenset(one.file for one in self.trials if not one.failure and self.rows)

    @property
    def summary(self) -> str:
        """All of it in one line."""
        ran = [one.measured for one in self.trials if one.measured]
        count = f"{len(ran)} migration{'' if len(ran) == 1 else 's'}"
        parts = [f"{count} in {sum(one.seconds for one in ran):.1f} s"]
        strongest = max(
            (one.strongest for one in ran if one.strongest),
            key=lambda one: (MODES.index(one.lock), one.held),
            default=None,
        )
        if strongest:
            parts.append(f"{strongest.lock} on {strongest.name} for {strongest.held:.2f} s")
        proven = sum(1 for one in self.trials if one.back and one.back.proven)
        parts.append(f"{proven} of {len(self.trials)} ways back proven")
        if self.contract == ():
            parts.append("the running version can live with it")
        if self.lived and self.lived.answered and not self.lived.broken:
            parts.append("started on it, the running version is well")
        return "; ".join([*parts, *([] if self.rows else ["on the schema alone"])])

    def figures(self) -> dict[str, Any]:
        """What is kept: for each file what it took and what it did."""
        return {
            "rows": self.rows,
            "contract": None if self.contract is None else [str(one) for one in self.contract],
            "files": [_kept(one) for one in self.trials],
            **({"started": self.lived.figures()} if self.lived else {}),
        }

    def body(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        # The properties of the parts are not asked for: whoever reads it has the same figures.
        return asdict(self)

    def lines(self) -> list[str]:
        """Tell people, one thing a line."""
        told = [line for one in self.trials for line in _trial(one)]
        if self.untried:
            told.append(f"not rehearsed, as they come after it: {', '.join(self.untried)}")
        if self.contract is None:
            told.append("the running version's queries were not tried")
        elif self.contract:
            told += _first("the running version can no longer", [str(c) for c in self.contract])
        else:
            told.append("the running version's queries all work on the migrated schema")
        return told + (self.lived.lines() if self.lived else [])


def _kept(one: Trial) -> dict[str, Any]:
    kept: dict[str, Any] = {"file": one.file}
    if one.failure:
        kept["failed"] = str(one.failure)
    if one.measured:
        kept["seconds"] = round(one.measured.seconds, 3)
        kept["tables"] = {
            table.name: {
                "lock": table.lock,
                "held": round(table.held, 3),
                "rewritten": table.rewritten,
                "deleted": table.deleted,
                "updated": table.updated,
                "inserted": table.inserted,
            }
            for table in one.measured.tables
        }
        kept["invalid"] = list(one.measured.invalid)
    if one.estimate:
        kept["estimate"] = {
            "seconds": round(one.estimate.seconds, 3),
            "measured": one.estimate.measured,
        }
    if one.back:
        kept["back"] = {"way": one.back.way.value, "proven": one.back.proven}
    return kept


def _trial(one: Trial) -> Iterator[str]:
    if one.failure:
        yield f"{one.file}: {one.failure}"
    if one.measured:
        yield f"{one.file}: {', '.join(_figures(one.measured, one.estimate))}"
        for table in one.measured.tables:
            if did := _did(table):
                yield f"  {table.name}: {did}"
        if one.measured.invalid:
            yield f"  indexes that are not valid: {', '.join(one.measured.invalid)}"
    if one.back:
        yield from (f"  {line}" for line in _back(one.back))


def _figures(measured: Measured, estimate: Estimate | None) -> Iterator[str]:
    yield f"{measured.seconds:.2f} s"
    if estimate and round(estimate.seconds, 2) != round(measured.seconds, 2):
        how = "" if estimate.measured else ", not measured"
        yield f"about {estimate.seconds:.1f} s on the real tables{how}"
    if strongest := measured.strongest:
        yield f"{strongest.lock} on {strongest.name} for {strongest.held:.2f} s"


def _did(table: Touched) -> str:
    counts = {"deleted": table.deleted, "updated": table.updated, "inserted": table.inserted}
    said = [f"{count} rows {what}" for what, count in counts.items() if count]
    if table.rewritten:
        said.insert(0, "emptied" if table.emptied else "rewritten")
    return ", ".join(said)


def _back(back: Back) -> Iterator[str]:
    if back.way is Way.FAILED and back.failure:
        yield f"the way back {back.failure}"
    elif back.way is Way.DIFFERS:
        yield from _first("the way back leads elsewhere", back.differences)
    elif back.way is not Way.EQUAL:
        yield f"the way back: {back.way}"
    elif back.proven:
        yield f"the way back leads back ({back.seconds:.2f} s), and the file runs again"
    elif not back.failed_again and back.again is None:
        yield "the way back leads back; the file did not run again, as one before it did not"
    if back.failed_again:
        yield f"run again, the file {back.failed_again}"
    if back.again:
        yield from _first("run again, it leads elsewhere", back.again)


def _first(what: str, lines: list[str] | tuple[str, ...]) -> list[str]:
    more = [f"{what}: and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
    return [*(f"{what}: {line}" for line in lines[:_SHOWN]), *more]

"""The course of a rehearsal: every pending file on a throw-away copy, its way back, and again.

The files go the way in which they will go on the real database: by the same `Applier`, one at a
time, so that the catalogue can be read between them. A file that fails is a result.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.database.catalogue import catalogue
from deploy.database.catalogue.changes import diff
from deploy.database.catalogue.hazards import hazards
from deploy.database.catalogue.shape import Shape, differences, shape
from deploy.database.contract.contract import breakages, probe
from deploy.database.downs import script as downs
from deploy.database.downs.down import down_of
from deploy.database.downs.effects import Class
from deploy.database.measure.beside import Beside
from deploy.database.measure.observer import Measurements
from deploy.database.measure.scale import scale
from deploy.database.migrations import report
from deploy.database.migrations.apply import Applier
from deploy.database.migrations.failure import MigrationFailed
from deploy.database.migrations.recorded import Table, key, recorded
from deploy.database.migrations.transaction import way
from deploy.database.rehearsal.answers import Answers, Lived, compare, unasked
from deploy.database.rehearsal.rehearsed import Back, Failure, Rehearsed, Trial, Way
from deploy.database.sizes import sizes
from deploy.errors import CommandFailed, Refused

if TYPE_CHECKING:
    from deploy.database.catalogue.catalogue import Catalogue
    from deploy.database.contract.contract import Breakage, Outcomes
    from deploy.database.contract.snapshot import Snapshot
    from deploy.database.downs.down import Down
    from deploy.database.measure.watch import Measured
    from deploy.database.migrations.folder import Format, Migration
    from deploy.database.migrations.script import Limits
    from deploy.database.server import Server

_SPARE = 60.0
"""Seconds that a session may take beside its statements."""


@dataclass(frozen=True)
class Pending:
    """What is rehearsed: files in the order in which they will run, and how.

    `later` are the names of the contract files, which run when no host has the running version any
    more. `names` is `Standing.names`. With `downs` the files' ways back are tried, too.
    """

    migrations: Sequence[Migration]
    form: Format
    limits: Limits
    table: Table = field(default_factory=Table)
    names: Mapping[int, str] = field(default_factory=dict)
    later: Collection[str] = ()
    downs: bool = False


def rehearse(
    copy: Server,
    pending: Pending,
    *,
    superuser: Server | None = None,
    running: Snapshot | None = None,
    started: Callable[[], Answers] | None = None,
    real: Mapping[str, int] | None = None,
    rows: bool = True,
) -> Rehearsed:
    """Run what is pending on a copy, then the ways back newest first, then the files again.

    The running version's queries are tried before the first file, and again before the first
    contract file: later than that it has to live with nothing. So is the version itself started.

    Args:
        copy: a throw-away server with the real schema; whatever is in it may be lost.
        pending: what is to run.
        superuser: the copy as a superuser, who the running version's queries are tried as; None:
            `copy` is that.
        running: of the image now running; None: it has none, and its queries are not tried.
        started: starts the running version on the copy, asks it, and has it gone again; None: it is
            not started.
        real: `sizes` of the real database, by which seconds are scaled.
        rows: whether the copy has the real rows, too.

    Raises:
        HostError: the copy cannot be asked.
    """
    return _Course(copy, superuser or copy, pending, running, started, real, rows).run()


@dataclass
class _Course:
    copy: Server
    superuser: Server
    pending: Pending
    running: Snapshot | None
    started: Callable[[], Answers] | None
    real: Mapping[str, int] | None
    rows: bool
    trials: list[Trial] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    """Before the first file, and after each."""
    contract: tuple[Breakage, ...] | None = None
    well: Answers | None = None
    """Of the running version, before the first file."""
    lived: Lived | None = None
    rows_of: Mapping[object, int] = field(default_factory=dict)
    """Migration, by its `key` → the id of Drizzle's row, once all files are applied."""

    def run(self) -> Rehearsed:
        self.here = sizes(self.copy)
        asked = probe(self.superuser, self.running) if self.running else None
        self.well = self.started() if self.started else None
        self.base = before = self._read()
        self.shapes.append(self._shape(before))
        now = [one for one in self.pending.migrations if one.name not in self.pending.later]
        for one in self.pending.migrations:
            if one.name in self.pending.later:
                self._try_running(asked, complete=len(self.trials) >= len(now))
            trial, before = self._up(one, before)
            self.trials.append(trial)
            self.shapes.append(self._shape(before))
            if trial.failure:
                break
        failed = bool(self.trials and self.trials[-1].failure)
        self._try_running(asked, complete=not failed)
        if self.pending.downs and not failed:
            self._back()
        return Rehearsed(
            trials=tuple(self.trials),
            untried=tuple(one.name for one in self.pending.migrations[len(self.trials) :]),
            contract=self.contract,
            rows=self.rows,
            lived=self.lived,
        )

    def _read(self) -> Catalogue:
        return catalogue.read(self.copy)

    def _shape(self, found: Catalogue) -> Shape:
        return shape(found, schema=self.pending.table.schema, table=self.pending.table.name)

    def _try_running(self, asked: Outcomes | None, *, complete: bool) -> None:
        if self.running and asked is not None and complete and self.contract is None:
            self.contract = tuple(breakages(asked, probe(self.superuser, self.running)))
        if self.started and self.well and complete and self.lived is None:
            able = self.well.able
            self.lived = compare(self.well, self.started()) if able else unasked(self.well)

    # --- up -------------------------------------------------------------------------------------

    def _up(self, one: Migration, before: Catalogue) -> tuple[Trial, Catalogue]:
        trial = Trial(one.name, one.path, later=one.name in self.pending.later)
        taken, after = self._apply(one)
        found = set(diff(before, after, file=one.path, base=self.base))
        if isinstance(taken, Failure):
            return replace(trial, failure=taken, findings=tuple(sorted(found))), after
        found.update(hazards(taken, before, after, base=self.base))
        estimate = None if self.real is None else scale(taken, self.here, self.real)
        trial = replace(trial, measured=taken, estimate=estimate, findings=tuple(sorted(found)))
        return trial, after

    def _apply(self, one: Migration) -> tuple[Measured | Failure, Catalogue]:
        """Apply a file, and read the catalogue: in the same session, if it comes to its end."""
        measurements = Measurements(catalogue.AFRESH)
        pending = self.pending
        applier = Applier(
            self.copy, pending.limits, pending.table, observer=measurements, alone=True
        )
        own = str(catalogue.subject(pending.table.schema, pending.table.name))
        try:
            transactional = way(one).transactional
            with Beside(self.copy, watching=not transactional) as beside:
                applier.apply([one], form=pending.form, names=pending.names)
        except MigrationFailed as error:
            # The file, the line and the state are told beside it.
            first, _, _ = error.reason.partition("\n")
            said = first.partition(": ")[2].removesuffix(f" ({error.now.state})") or first
            failure = Failure(said, error.now.line, error.now.state, error.now.rolled_back)
            return failure, self._read()
        except Refused as error:
            return _refused(error), self._read()
        (measured,) = measurements.taken(ignore=(own,))
        return beside.add(measured, ignore=(own,)), catalogue.last(measurements.printed)

    # --- back, and again ------------------------------------------------------------------------

    def _back(self) -> None:
        """Go back as far as there is a way, then forward again to the end."""
        inherited: set[str] = set()
        why = None
        form = self.pending.form
        rows = recorded(self.copy, self.pending.table).rows
        self.rows_of = {key(one, form): one.id for one in rows}
        for at in range(len(self.trials) - 1, -1, -1):
            down = down_of(self.pending.migrations[at])
            if down is None:
                found = Back(Way.MISSING)
            elif why:
                # It was written for a schema that nobody has come to.
                found = Back(Way.UNTRIED)
            else:
                # Whatever its class, and without its guards: nobody loses what a copy has.
                found = self._down(at, replace(down, guards=()), inherited)
                if down.klass is Class.D and found.way is not Way.FAILED:
                    # What is left behind does no harm, and the file cannot be run again over it.
                    found = Back(Way.NONE, found.seconds)
            if found.way in {Way.MISSING, Way.FAILED}:
                why = found.way
            self._note(at, found)
        for at, trial in enumerate(self.trials):
            if trial.back and trial.back.way in {Way.EQUAL, Way.DIFFERS}:
                again = self._again(at, trial.back)
                self._note(at, again)
                if again.failed_again:
                    return

    def _note(self, at: int, found: Back) -> None:
        self.trials[at] = replace(self.trials[at], back=found)

    def _down(self, at: int, down: Down, inherited: set[str]) -> Back:
        began = time.monotonic()
        taken = self._take_back(down)
        seconds = time.monotonic() - began
        if isinstance(taken, Failure):
            return Back(Way.FAILED, seconds, failure=taken)
        lines = differences(self.shapes[at], self._shape(taken))
        own = tuple(one for one in lines if one not in inherited)
        # What one way back has left behind is not laid to those before it.
        inherited.update(lines)
        return Back(Way.DIFFERS if own else Way.EQUAL, seconds, own)

    def _take_back(self, down: Down) -> Failure | Catalogue:
        """The catalogue afterwards, by the same session."""
        limits, table, form = self.pending.limits, self.pending.table, self.pending.form
        try:
            job = downs.Job(down, way(down.script), self.rows_of[key(down.migration, form)])
        except Refused as error:
            return _refused(error)
        token = secrets.randbelow(2**31)
        text = downs.script([job], table=table, limits=limits, token=token)
        timeout = _SPARE + limits.turn + (len(job.way.units) + 2) * limits.statement_timeout
        try:
            printed = self.copy.psql(
                f"{text}\\o\n{catalogue.AFRESH}", timeout=timeout, doing="the way back failed"
            )
        except CommandFailed as error:
            found = report.read(error.stderr)
            unit, units = found.unit, job.way.units
            known = unit is not None and unit < len(units)
            line = report.line_in_file(found.error, units[unit or 0]) if known else None
            as_before = unit is None or job.way.as_before(unit)
            return Failure(found.error.message, line, found.error.state, as_before)
        return catalogue.last(printed)

    def _again(self, at: int, found: Back) -> Back:
        taken, after = self._apply(self.pending.migrations[at])
        if isinstance(taken, Failure):
            return replace(found, failed_again=taken)
        return replace(found, again=differences(self.shapes[at + 1], self._shape(after)))


def _refused(error: Refused) -> Failure:
    return Failure("; ".join(fault.message for fault in error.faults) or str(error))

"""Migrations applied to a database, one by one, with the rows that Drizzle would write.

One session under an advisory lock for all files, each in a transaction of its own where PostgreSQL
allows one. How a session ended is read from what it said; what is applied is read from the table.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from deploy.database.migrations import report as reports
from deploy.database.migrations.failure import (
    DEADLOCK,
    LOCK_TIMEOUT,
    Aftermath,
    Done,
    MigrationFailed,
    Outcome,
)
from deploy.database.migrations.inquiry import invalid_indexes, recorded_at_rest
from deploy.database.migrations.recorded import Table, key
from deploy.database.migrations.report import LOST, Report, line_in_file
from deploy.database.migrations.script import Job, Limits, Looks, script
from deploy.database.migrations.transaction import way
from deploy.database.migrations.watcher import Watcher
from deploy.errors import CommandFailed, HostError, Unreachable

if TYPE_CHECKING:
    from deploy.database.migrations.blockers import Blocker
    from deploy.database.migrations.folder import Format, Migration
    from deploy.database.server import Server

_SPARE = 60.0
"""Seconds that a session may take beside its statements: the connecting, and a slow host."""
_PSQL_STOPPED = 3
"""psql's exit code for a statement that failed; with any other the session itself did."""
_LONGEST_PAUSE = 16.0
"""Seconds between two attempts: others' transactions are to have ended, and nobody to wait long."""


class Observer(Protocol):
    """Who looks on in the session while files are applied: a rehearsal."""

    def looks(self, path: str, *, transaction: bool) -> Looks:
        """What is asked around the file of this path."""
        ...

    def hear(self, printed: str) -> None:
        """Take what a session that came to its end has printed, the answers among it."""
        ...


@dataclass
class Applier:
    """Applies migrations to one database.

    `sleep` waits seconds, `chance` takes two bounds and returns what lies between them, `say` is
    told what is worth telling: all for tests and views. `observer` looks on. Where nobody else is
    on the server (`alone`), nobody is looked for who may hold a lock.
    """

    server: Server
    limits: Limits
    table: Table = field(default_factory=Table)
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[float, float], float] = random.uniform
    say: Callable[[str], None] = lambda _text: None
    observer: Observer | None = None
    alone: bool = False

    def apply(
        self, todo: Sequence[Migration], *, form: Format, names: Mapping[int, str] | None = None
    ) -> list[Done]:
        """Apply each file, if its row is still not there.

        Args:
            todo: what to apply, in order.
            form: the folder's format.
            names: `Standing.names`, for a v0 table that a v1 folder meets.

        Returns:
            What has become of each, in the same order.

        Raises:
            Refused: a file cannot be run at all; nothing was done.
            MigrationFailed: a file failed; those before it stay applied.
            Fenced: the lease is somebody else's by now; nothing more is applied.
        """
        jobs = [self._job(one) for one in todo]
        run = _Run(self, form, names or {}, jobs)
        while run.left:
            run.once()
        return run.results

    def _job(self, one: Migration) -> Job:
        how = way(one)
        if self.observer is None:
            return Job(one, how)
        return Job(one, how, self.observer.looks(one.path, transaction=how.transactional))


@dataclass
class _Run:
    """One call of `apply`, over the sessions that it takes."""

    applier: Applier
    form: Format
    names: Mapping[int, str]
    jobs: list[Job]
    results: list[Done] = field(default_factory=list)
    attempt: int = 1
    waited_for: tuple[Blocker, ...] = ()

    @property
    def left(self) -> list[Job]:
        return self.jobs[len(self.results) :]

    def once(self) -> None:
        """One session: as far as it comes, or the end of it all.

        Raises:
            MigrationFailed: it came to an end that trying again does not mend.
        """
        limits, left = self.applier.limits, self.left
        token = secrets.randbelow(2**31)
        text = script(
            left,
            table=self.applier.table,
            form=self.form,
            names=self.names,
            limits=limits,
            token=token,
        )
        units = sum(len(job.way.units) + 2 for job in left)
        timeout = _SPARE + len(left) * limits.turn + units * limits.statement_timeout
        began = time.monotonic()
        watcher = Watcher(self.applier.server, token, limits.lock_timeout)
        error: HostError | None = None
        try:
            with nullcontext() if self.applier.alone else watcher:
                printed = self.applier.server.psql(
                    text,
                    timeout=timeout,
                    doing="the migrations could not be applied",
                    changes=True,
                )
        except CommandFailed as failed:
            error, printed = failed, failed.stderr
        except HostError as lost:
            error, printed = lost, ""
        if error is None and self.applier.observer:
            self.applier.observer.hear(printed)
        report = reports.read(printed)
        self._take(report)
        if report.holder:
            raise self._busy(report.holder)
        if error is None and self.left:
            error = HostError(self.applier.server.host.name, "psql ended before all was done")
        if error:
            spent = time.monotonic() - began - sum(report.done.values())
            self._after(error, report, watcher.seen, spent)

    def _take(self, report: Report) -> None:
        """Note what is applied, as the session has said after each commit."""
        for number, job in enumerate(self.left):
            if number in report.there:
                self._note(job, Outcome.ALREADY, 0.0)
            elif number in report.done:
                self._note(job, Outcome.APPLIED, report.done[number])

    def _note(self, job: Job, outcome: Outcome, seconds: float) -> None:
        transactional, waited_for = job.way.transactional, self.waited_for
        self.results.append(
            Done(job.migration, outcome, seconds, transactional, self.attempt, waited_for)
        )
        self.attempt, self.waited_for = 1, ()

    def _after(
        self, error: HostError, report: Report, seen: tuple[Blocker, ...], spent: float
    ) -> None:
        said = report.error
        stopped = isinstance(error, CommandFailed) and error.remote_exit_code == _PSQL_STOPPED
        if not stopped or said.state.startswith(LOST):
            self._lost(error, report, spent)
            return
        job = self.left[0] if report.begun is not None else None
        limits = self.applier.limits
        if said.state in {LOCK_TIMEOUT, DEADLOCK}:
            self.waited_for = tuple({one.pid: one for one in (*self.waited_for, *seen)}.values())
            if job and job.way.transactional and self.attempt < limits.attempts:
                self._again(job, said.message)
                return
        raise self._failed(job, report, spent)

    def _again(self, job: Job, why: str) -> None:
        pause = self.applier.chance(0.5, 1.0) * min(_LONGEST_PAUSE, 2.0 ** (self.attempt - 1))
        self.attempt += 1
        held = "".join(f"; {one}" for one in self.waited_for)
        self.applier.say(
            f"{job.migration.path}: {why}{held}; attempt {self.attempt} of "
            f"{self.applier.limits.attempts} in {pause:.1f} s"
        )
        self.applier.sleep(pause)

    def _now(self, job: Job | None, **more: Any) -> Aftermath:
        return Aftermath(
            results=tuple(self.results),
            file=job.migration.path if job else "",
            applied=tuple(one.migration.name for one in self.results),
            left=tuple(one.migration.name for one in self.left),
            **more,
        )

    def _busy(self, holder: Blocker) -> MigrationFailed:
        return MigrationFailed(
            self.applier.server.host.name,
            f"another migrator is at work, and was waited for {self.applier.limits.turn:g} s",
            now=self._now(None, state=LOCK_TIMEOUT, blockers=(holder,)),
        )

    def _failed(self, job: Job | None, report: Report, spent: float) -> MigrationFailed:
        host, said = self.applier.server.host.name, report.error
        code = f" ({said.state})" if said.state else ""
        if job is None:
            now = self._now(None, state=said.state, blockers=self.waited_for)
            return MigrationFailed(
                host,
                f"the migrations could not be begun: {said.message}{code}",
                now=now,
                said=said.text,
            )
        unit, units = report.unit, job.way.units
        line = line_in_file(said, units[unit]) if unit is not None and unit < len(units) else None
        invalid = () if job.way.transactional else self._invalid(job, report)
        rolled_back = (unit is None or job.way.as_before(unit)) and not invalid
        now = self._now(
            job,
            line=line,
            state=said.state,
            rolled_back=rolled_back,
            blockers=self.waited_for,
            invalid=invalid,
        )
        attempt, blocked = self.attempt, self.waited_for
        self._note(job, Outcome.FAILED, spent)
        where = f" at line {line}" if line else ""
        often = f", the last of {attempt} attempts" if attempt > 1 else ""
        left = "and was rolled back" if rolled_back else "outside of a transaction"
        return MigrationFailed(
            host,
            f"{job.migration.path} failed{where} {left}{often}: {said.message}{code}",
            now=replace(now, results=tuple(self.results), blockers=blocked),
            said=said.text,
        )

    def _invalid(self, job: Job, report: Report) -> tuple[str, ...]:
        """The invalid indexes that are new, or that the file itself names."""
        text = job.migration.sql.lower()
        return tuple(
            name
            for name in invalid_indexes(self.applier.server)
            if name not in report.invalid or name.partition(".")[2].strip('"').lower() in text
        )

    def _lost(self, error: HostError, report: Report, spent: float) -> None:
        """The session ended by itself: go on if all is done, else say what is true."""
        nothing = isinstance(error, CommandFailed) and report.begun is None
        if isinstance(error, Unreachable) or nothing:
            raise self._gone(error, self._now(None, state=report.error.state))
        found, holder = recorded_at_rest(
            self.applier.server, self.applier.table, self.applier.limits.turn, self.applier.sleep
        )
        rows = {key(row, self.form) for row in found.rows} if found else ()
        while self.left:
            if key(self.left[0].migration, self.form) not in rows:
                break
            self._note(self.left[0], Outcome.APPLIED, spent)
        if not self.left:
            self.applier.say("the connection was lost, and the database has it all")
            return
        job = self.left[0]
        sure = True if found and job.way.transactional else None
        now = self._now(job, state=report.error.state, rolled_back=sure)
        if not found:
            now = replace(now, applied=None, blockers=(holder,) if holder else ())
        self._note(job, Outcome.FAILED, spent)
        raise self._gone(error, replace(now, results=tuple(self.results)))

    def _gone(self, error: HostError, now: Aftermath) -> MigrationFailed:
        name = f"{now.file}: " if now.file else ""
        return MigrationFailed(error.host, f"{name}{error.reason}", now=now, said=error.state)

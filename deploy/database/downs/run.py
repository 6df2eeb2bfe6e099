"""Downs run against a database: the newest first, none but those that lose nothing.

As the applier does: one session under the advisory lock, each down in a transaction of its own with
the removal of Drizzle's row, or outside of one where PostgreSQL allows none.
"""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.database.downs import script as scripts
from deploy.database.downs.pick import DATA, SAID_NO, jobs_for, look, no_of
from deploy.database.migrations import report as reports
from deploy.database.migrations.failure import DEADLOCK, LOCK_TIMEOUT
from deploy.database.migrations.inquiry import recorded_at_rest
from deploy.database.migrations.recorded import Table, recorded
from deploy.database.migrations.report import LOST, line_in_file
from deploy.database.migrations.watcher import Watcher
from deploy.errors import CommandFailed, HostError, NeedsPerson, Refused

if TYPE_CHECKING:
    from deploy.database.downs.script import Job
    from deploy.database.migrations.blockers import Blocker
    from deploy.database.migrations.folder import Format, Migration
    from deploy.database.migrations.report import Report
    from deploy.database.migrations.script import Limits
    from deploy.database.server import Server
    from deploy.errors import Fault

_SPARE = 60.0
"""Seconds that a session may take beside its statements, as for the applier."""
_LONGEST_PAUSE = 16.0


@dataclass(frozen=True)
class Undone:
    """A migration that was taken back; `seconds` are the server's."""

    migration: Migration
    seconds: float
    transactional: bool
    attempts: int = 1


def would_run(
    server: Server,
    todo: Sequence[Migration],
    *,
    form: Format,
    restore: str,
    table: Table | None = None,
    half: Migration | None = None,
) -> list[Migration]:
    """Say which migrations `run_downs` would take back, in its order; nothing is changed.

    Raises:
        Refused: as `run_downs`.
        HostError: the database cannot be asked.
    """
    return [job.down.migration for job in _jobs(server, todo, form, restore, table, half)]


def run_downs(
    server: Server,
    todo: Sequence[Migration],
    *,
    form: Format,
    limits: Limits,
    restore: str,
    table: Table | None = None,
    half: Migration | None = None,
    say: Callable[[str], None] = lambda _text: None,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Undone]:
    """Take migrations back, the newest first; those that are not applied are passed over.

    Args:
        server: the database.
        todo: what to take back, with their downs.
        form: the folder's format.
        limits: how long things may take.
        restore: what a person types to get the database back from its backup, for messages.
        table: Drizzle's.
        half: a file that failed half-way outside of a transaction: it has no row, and goes first.
        say: is told what is worth telling.
        sleep: waits seconds.

    Returns:
        What was taken back, in the order in which it was.

    Raises:
        Refused: a down is missing, is not of class A, or a guard says no. Nothing was changed.
        NeedsPerson: the same, or an error, after some were taken back or one was half run.
        HostError: the database did not do it, or was not asked; nothing was changed.
        Fenced: the lease is somebody else's by now; nothing more is taken back.
    """
    table = table or Table()
    jobs = _jobs(server, todo, form, restore, table, half)
    run = _Run(server, table, limits, restore, say, sleep, jobs)
    while run.left:
        run.once()
    return run.undone


def _jobs(
    server: Server,
    todo: Sequence[Migration],
    form: Format,
    restore: str,
    table: Table | None,
    half: Migration | None,
) -> list[Job]:
    jobs = jobs_for(todo, half, recorded(server, table).rows, form, restore)
    if jobs:
        look(server, [job.down for job in jobs], restore)
    return jobs


@dataclass
class _Run:
    """One call of `run_downs`, over the sessions that it takes."""

    server: Server
    table: Table
    limits: Limits
    restore: str
    say: Callable[[str], None]
    sleep: Callable[[float], None]
    jobs: list[Job]
    undone: list[Undone] = field(default_factory=list)
    attempt: int = 1
    blockers: tuple[Blocker, ...] = ()

    @property
    def left(self) -> list[Job]:
        return self.jobs[len(self.undone) :]

    def once(self) -> None:
        """One session: as far as it comes.

        Raises:
            HeadwayError: as `run_downs`.
        """
        left, limits = self.left, self.limits
        token = secrets.randbelow(2**31)
        text = scripts.script(left, table=self.table, limits=limits, token=token)
        steps = sum(len(job.way.units) + len(job.down.guards) * 2 + 2 for job in left)
        timeout = _SPARE + len(left) * limits.turn + steps * limits.statement_timeout
        watcher = Watcher(self.server, token, limits.lock_timeout)
        error: HostError | None = None
        try:
            with watcher:
                printed = self.server.psql(
                    text, timeout=timeout, doing="the downs could not be run", changes=True
                )
        except CommandFailed as failed:
            error, printed = failed, failed.stderr
        except HostError as lost:
            error, printed = lost, ""
        report = reports.read(printed)
        for number, job in enumerate(left):
            if number in report.done:
                self._note(job, report.done[number])
        if report.holder:
            raise self._stopped(
                f"another migrator is at work, and was waited for {limits.turn:g} s",
                f"It is {report.holder}.",
            )
        no = scripts.refused(printed)
        if no:
            raise self._refused(no_of([job.down for job in left], no))
        if error:
            self._after(error, report, printed, left, watcher.seen)
        elif self.left:
            raise self._stopped("psql ended before all was done", "")

    def _note(self, job: Job, seconds: float) -> None:
        self.undone.append(Undone(job.down.migration, seconds, job.way.transactional, self.attempt))
        self.attempt, self.blockers = 1, ()

    def _after(
        self,
        error: HostError,
        report: Report,
        printed: str,
        left: list[Job],
        seen: tuple[Blocker, ...],
    ) -> None:
        said = report.error
        if not isinstance(error, CommandFailed) or not said.state or said.state.startswith(LOST):
            self._lost(error)
            return
        job = left[report.begun] if report.begun is not None else None
        asked = scripts.asking(printed)
        if asked and said.state.startswith(DATA):
            raise self._refused(no_of([one.down for one in left], asked, said.message))
        if said.state in {LOCK_TIMEOUT, DEADLOCK}:
            self.blockers = tuple({one.pid: one for one in (*self.blockers, *seen)}.values())
            if job and job.way.transactional and self.attempt < self.limits.attempts:
                pause = random.uniform(0.5, 1.0) * min(_LONGEST_PAUSE, 2.0 ** (self.attempt - 1))  # noqa: S311
                self.attempt += 1
                held = "".join(f"; {one}" for one in self.blockers)
                self.say(f"{job.down.path}: {said.message}{held}; again in {pause:.1f} s")
                self.sleep(pause)
                return
        unit, where, whole = report.unit, "", True
        if job and unit is not None:
            units = job.way.units
            line = line_in_file(said, units[unit]) if unit < len(units) else None
            where, whole = (f" at line {line}" if line else ""), job.way.as_before(unit)
        name = job.down.path if job else "the downs"
        held = "".join(f"\nIt waited for {one}." for one in self.blockers)
        raise self._stopped(
            f"{name} failed{where}: {said.message} ({said.state})", said.text + held, whole=whole
        )

    def _refused(self, fault: Fault) -> Refused | NeedsPerson:
        if not self.undone:
            return Refused(SAID_NO, faults=(fault,), mend=self.restore)
        return NeedsPerson(f"{SAID_NO}\n  {fault}", state=self._state(), mend=self.restore)

    def _stopped(self, message: str, said: str, *, whole: bool = True) -> HostError | NeedsPerson:
        parts = [said, self._state()]
        if not whole:
            parts.append("It ran outside of a transaction: a part of it may be done.")
        state = "\n".join(part for part in parts if part)
        host = self.server.host.name
        if whole and not self.undone:
            return HostError(host, message, state=state, mend=self.restore)
        return NeedsPerson(f"{host}: {message}", state=state, mend=self.restore)

    def _state(self) -> str:
        done = ", ".join(one.migration.name for one in self.undone)
        left = ", ".join(job.down.migration.name for job in self.left)
        said = f"Taken back: {done}." if done else "Nothing has been taken back."
        return f"{said} Still applied: {left}." if left else said

    def _lost(self, error: HostError) -> None:
        """The session ended by itself: what is gone from the table was taken back."""
        found, holder = recorded_at_rest(self.server, self.table, self.limits.turn, self.sleep)
        if found is None:
            still = f"It still holds the lock: {holder}." if holder else ""
            raise NeedsPerson(
                f"{error.host}: {error.reason}; what was taken back is not known",
                state=still,
                mend=self.restore,
            )
        ids = {row.id for row in found.rows}
        while self.left and self.left[0].row is not None and self.left[0].row not in ids:
            self._note(self.left[0], 0.0)
        if self.left:
            whole = self.left[0].way.transactional
            raise self._stopped(error.reason, error.state, whole=whole)
        self.say("the connection was lost, and the database has taken it all back")

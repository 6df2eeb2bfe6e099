"""A migration that was not applied: which one, why, and what things are like now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from deploy.errors import HostError

if TYPE_CHECKING:
    from deploy.database.migrations.blockers import Blocker
    from deploy.database.migrations.folder import Migration

LOCK_TIMEOUT = "55P03"
DEADLOCK = "40P01"
STATEMENT_TIMEOUT = "57014"


class Outcome(StrEnum):
    """What has become of a file."""

    APPLIED = "applied"
    ALREADY = "already there: another migrator was first"
    FAILED = "failed"


@dataclass(frozen=True)
class Done:
    """One file.

    `seconds` are the server's, of the attempt that ended it; for one that failed, about, and with
    the connecting. `blockers` are the sessions that it was seen waiting for.
    """

    migration: Migration
    outcome: Outcome
    seconds: float
    transactional: bool
    attempts: int = 1
    blockers: tuple[Blocker, ...] = ()


@dataclass(frozen=True)
class Aftermath:
    """What is known after a failure.

    results: each file that was tried, the failed one last.
    file: the failed file's path within the folder; "" if none had been begun.
    line: the line of it that failed, if that is known.
    state: the SQLSTATE, or "".
    rolled_back: whether the failed file has left nothing; None if that is not known.
    applied: the names of what is applied now, of what was to be; None if that is not known.
    left: the names of what is not.
    blockers: who held what was waited for.
    invalid: the invalid indexes that the failed file has left, quoted for SQL.
    """

    results: tuple[Done, ...] = ()
    file: str = ""
    line: int | None = None
    state: str = ""
    rolled_back: bool | None = True
    applied: tuple[str, ...] | None = ()
    left: tuple[str, ...] = ()
    blockers: tuple[Blocker, ...] = ()
    invalid: tuple[str, ...] = ()

    @property
    def as_before(self) -> bool | None:
        """Whether the schema is as it was before the first file; None if that is not known."""
        if self.applied is None or self.rolled_back is None:
            return None
        return self.rolled_back and not self.applied

    @property
    def drops(self) -> list[str]:
        """What to type for each invalid index."""
        return [f"DROP INDEX CONCURRENTLY {name};" for name in self.invalid]


class MigrationFailed(HostError):
    """A file failed, or could not be begun; `now` is what is known of it and of the rest."""

    def __init__(self, host: str, message: str, *, now: Aftermath, said: str = "") -> None:
        super().__init__(host, message, state=_state(now, said), mend=_mend(now))
        self.now = now
        self.said = said


def _state(now: Aftermath, said: str) -> str:
    lines = [said.strip()] if said.strip() else []
    lines += [f"It waited for {one}." for one in now.blockers]
    if now.applied is None:
        lines.append("What is applied is not known: the database cannot be asked.")
    else:
        lines.append(f"Applied: {_listed(now.applied)}. Not applied: {_listed(now.left)}.")
    if now.rolled_back is None:
        lines.append(f"Whether {now.file or 'a part of it'} was applied is not known.")
    elif now.as_before:
        lines.append("The schema is as before.")
    elif not now.rolled_back:
        lines.append(f"{now.file} ran outside of a transaction: a part of it may be applied.")
    if now.invalid:
        lines.append(f"It left an index that is not valid: {', '.join(now.invalid)}.")
    return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _mend(now: Aftermath) -> str:
    lines = [f"Type: {one}" for one in now.drops]
    if now.state in {LOCK_TIMEOUT, DEADLOCK}:
        lines += [
            f"Let it end, or type: SELECT pg_terminate_backend({one.pid});" for one in now.blockers
        ]
        lines.append("Then deploy again.")
    elif now.state == STATEMENT_TIMEOUT:
        lines.append("Give it more time with database.statement_timeout, or cut it into parts.")
    if now.rolled_back is False:
        lines.append(
            f"Before the next deploy, take back what {now.file} has done, or write it so that it "
            "can run again (IF NOT EXISTS)."
        )
    return "\n".join(lines)

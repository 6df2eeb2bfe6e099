"""Applying migrations to a server of the tests, and sessions that are in the way."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from deploy.database.migrations.apply import Applier
from deploy.database.migrations.failure import Done, MigrationFailed
from deploy.database.migrations.folder import Format, Migration
from deploy.database.migrations.script import Limits
from deploy.errors import HostError

from .conftest import asked
from .migrations import migration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.database.server import Server

    from .shells import Near

T = migration("0000_t", 1, "create table t (id int, a int); insert into t values (1, 1), (2, 1)")
ASLEEP = "wait_event = 'PgSleep'"
OURS = f"from pg_stat_activity where application_name = 'headway-migrate' and {ASLEEP}"
SLEEPING = f"select count(*) {OURS}"
LAST = migration("0009_last", 9, "create table last_one ()")


def apply(server: Server, *migrations: Migration, **limits: float) -> list[Done]:
    """One attempt, unless there are to be more."""
    wait, statement = limits.pop("lock", 5), limits.pop("statement", 60)
    given = Limits(wait, statement, **{"turn": 20, "attempts": 1, **limits})  # type: ignore[arg-type]
    return Applier(server, given, sleep=lambda _s: None).apply(migrations, form=Format.V0)


def failing(server: Server, *migrations: Migration, **limits: float) -> MigrationFailed:
    with pytest.raises(MigrationFailed) as caught:
        apply(server, *migrations, **limits)
    return caught.value


@contextlib.contextmanager
def holding(postgres: Near, sql: str, application: str = "nightly") -> Iterator[None]:
    """Another session that has done `sql` in a transaction, and stays idle in it."""
    inside = f"set application_name = '{application}'; begin; {sql}; select pg_sleep(60);"
    sleeping = f"from pg_stat_activity where application_name = '{application}' and {ASLEEP}"
    with ThreadPoolExecutor(1) as pool:
        session = pool.submit(asked, postgres, inside)
        try:
            until(postgres, f"select count(*) {sleeping}")
            yield
        finally:
            asked(postgres, f"select pg_terminate_backend(pid) {sleeping}")
            with contextlib.suppress(HostError):
                session.result(30)


def until(postgres: Near, sql: str) -> None:
    deadline = time.monotonic() + 20
    while asked(postgres, sql) == ["0"]:
        assert time.monotonic() < deadline, sql
        time.sleep(0.05)

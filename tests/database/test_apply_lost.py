"""The connection goes away while migrations are applied: what was done is looked at."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from deploy.database.access import in_service
from deploy.database.migrations.apply import Applier
from deploy.database.migrations.failure import MigrationFailed, Outcome
from deploy.database.migrations.folder import Format, Migration
from deploy.database.migrations.script import Limits
from deploy.errors import OutcomeUnknown, Unreachable

from .conftest import asked
from .migrations import migration
from .test_apply import names, tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.database.access import Access
    from deploy.remote.host import Host

    from .shells import Near

from .applying import LAST, OURS, SLEEPING, T, apply, failing, until

pytestmark = pytest.mark.fleet


@dataclass
class Losing:
    """A server whose way is lost: `lose` is told each call, and may raise in its place."""

    server: Near
    lose: Callable[[int, Callable[[], str]], str]
    calls: Iterator[int] = field(default_factory=itertools.count)

    @property
    def host(self) -> Host:
        return self.server.host

    def psql(self, sql: str, *, timeout: float, doing: str, changes: bool = False) -> str:
        if "-watch" in sql:
            return ""
        call = next(self.calls)
        return self.lose(call, lambda: self.server.psql(sql, timeout=timeout, doing=doing))


LOST = OutcomeUnknown("db-1", "the connection was lost")
SLOW = migration("0001_slow", 2, "create table slow (); select pg_sleep(1.5)")


def test_a_lost_connection_that_changed_nothing(postgres: Near) -> None:
    def lose(call: int, ask: Callable[[], str]) -> str:
        if call == 0:
            raise LOST
        return ask()

    error = failing(Losing(postgres, lose), T, LAST)
    assert error.reason == "0000_t.sql: the connection was lost"
    assert (error.now.rolled_back, error.now.applied) == (True, ())
    assert error.now.as_before is True


def test_a_lost_connection_to_what_was_done_all_the_same(postgres: Near) -> None:
    def lose(call: int, ask: Callable[[], str]) -> str:
        printed = ask()
        if call == 0:
            raise LOST
        return printed

    results = apply(Losing(postgres, lose), T, LAST)
    assert [one.outcome for one in results] == [Outcome.APPLIED, Outcome.APPLIED]
    assert names(postgres) == [T.hash, LAST.hash]


def test_a_lost_connection_to_what_is_still_going_on(postgres: Near) -> None:
    """It is waited for: what is true is not known before it has ended."""
    with ThreadPoolExecutor(1) as pool:

        def lose(call: int, ask: Callable[[], str]) -> str:
            if call == 0:
                pool.submit(ask)
                until(postgres, SLEEPING)
                raise LOST
            return ask()

        results = apply(Losing(postgres, lose), T, SLOW)
    assert [one.outcome for one in results] == [Outcome.APPLIED, Outcome.APPLIED]
    assert names(postgres) == [T.hash, SLOW.hash]


def test_a_lost_connection_to_what_does_not_end(postgres: Near) -> None:
    with ThreadPoolExecutor(1) as pool:

        def lose(call: int, ask: Callable[[], str]) -> str:
            if call == 0:
                pool.submit(ask)
                until(postgres, SLEEPING)
                raise LOST
            return ask()

        error = failing(Losing(postgres, lose), T, SLOW, turn=0.3)
    assert (error.now.applied, error.now.rolled_back, error.now.as_before) == (None, None, None)
    (holder,) = error.now.blockers
    assert holder.application == "headway-migrate"
    assert "What is applied is not known" in error.state


def test_a_database_that_is_gone_for_good(postgres: Near) -> None:
    pauses: list[float] = []

    def lose(_call: int, _ask: Callable[[], str]) -> str:
        raise LOST

    applier = Applier(Losing(postgres, lose), Limits(5, 60), sleep=pauses.append)
    with pytest.raises(MigrationFailed) as caught:
        applier.apply([T, LAST], form=Format.V0)
    assert caught.value.now.as_before is None
    assert "the database cannot be asked" in caught.value.state
    assert sum(pauses) > 10


def test_a_success_of_which_nothing_was_heard(postgres: Near) -> None:
    """Psql says yes and tells nothing: the rows decide."""

    def silent(call: int, ask: Callable[[], str]) -> str:
        return "" if call == 0 else ask()

    error = failing(Losing(postgres, silent), T, LAST)
    assert error.reason == "0000_t.sql: psql ended before all was done"
    assert error.now.as_before is True
    assert [one.outcome for one in error.now.results] == [Outcome.FAILED]


def test_nothing_was_sent(postgres: Near) -> None:
    def lose(_call: int, _ask: Callable[[], str]) -> str:
        raise Unreachable("db-1", "no route")

    server = Losing(postgres, lose)
    error = failing(server, T)
    assert (error.reason, error.now.as_before) == ("no route", True)
    assert next(server.calls) == 1


def test_a_container_that_does_not_run(service: Access) -> None:
    error = failing(in_service(service.host, service.settings["project"], "elsewhere"), T)
    assert "elsewhere does not run here" in error.state
    assert error.now.as_before is True


BETWEEN = {
    "in a transaction": (SLOW, True, ("0000_t",), ["t"]),
    "outside of one": (
        migration("0001", 2, "vacuum t; create table part (); select pg_sleep(20); vacuum"),
        None,
        ("0000_t",),
        ["part", "t"],
    ),
}


@pytest.mark.parametrize(("one", "rolled_back", "applied", "left"), BETWEEN.values(), ids=BETWEEN)
def test_a_server_that_ends_the_session(
    postgres: Near,
    service: Access,
    one: Migration,
    rolled_back: bool | None,
    applied: tuple[str, ...],
    left: list[str],
) -> None:
    ended = threading.Thread(
        target=lambda: [
            until(postgres, SLEEPING),
            asked(postgres, f"select pg_terminate_backend(pid) {OURS}"),
        ]
    )
    ended.start()
    error = failing(service, T, one, LAST)
    ended.join()
    assert error.now.file == f"{one.name}.sql"
    assert (error.now.state, error.now.rolled_back) == ("57P01", rolled_back)
    assert error.now.applied == applied
    assert tables(postgres) == left
    assert names(postgres) == [T.hash]

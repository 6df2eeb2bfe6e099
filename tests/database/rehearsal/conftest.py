"""A database with a bit of everything, backups of it, and a count of what stays on the host."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import tests.backup.conftest as backup
from deploy.database.backup.backups import Backups, Order
from deploy.database.rehearsal.bounds import Bounds
from tests.backup.conftest import Server, asked
from tests.database.conftest import docker

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.database.backup.manifest import Manifest

server_17 = backup.server_17
server_15 = backup.server_15
rich = backup.server
"""A server with the database `model`, of 200,000 rows."""

BOUNDS = Bounds(seconds=120, linger=1)
LABEL = "label=headway.rehearsal"
MINE = secrets.token_hex(4)

EVERYTHING = """
create extension pgcrypto;
create table parts (id int, at date not null) partition by range (at);
create table parts_1 partition of parts for values from ('2026-01-01') to ('2027-01-01');
insert into parts values (1, '2026-05-05');
create materialized view sums as select count(*) as rows from big;
create view seen as select id from small;
alter table small enable row level security;
alter table small owner to "Odd ""one";
create policy mine on small to reads using (true);
grant select on small, sums to reads with grant option;
alter default privileges for role "Odd ""one" grant select on tables to reads;
comment on table big is 'CREATE ROLE no; it''s a comment';
"""
ROLES = """
create role "Odd ""one" nologin;
create role reads login password 'r3ads-secret' connection limit 3;
create role below noinherit createdb in role reads;
alter role reads set search_path to "$user", public;
alter role reads set app.key to 'k3y-secret';
alter role below set default_transaction_read_only to on;
"""


def everything(access: Access, database: str) -> None:
    """Roles, an extension, partitions, policies, grants and settings, in that database."""
    if asked(access, "select 1 from pg_roles where rolname = 'reads'") == []:
        asked(access, ROLES)
    asked(access, EVERYTHING)
    asked(
        access,
        f"alter database {database} set statement_timeout to '123s'; "
        f"alter database {database} set default_transaction_read_only to on; "
        f"grant temporary on database {database} to reads; "
        f"comment on database {database} is 'of many\nlines';",
    )


@pytest.fixture
def database(rich: Server) -> Iterator[str]:
    """The name of a database of the test's own, with all the rows."""
    name = f"shop_{secrets.token_hex(3)}"
    asked(rich.access("postgres"), f"create database {name} template model strategy file_copy")
    try:
        yield name
    finally:
        asked(rich.access("postgres"), f"drop database {name} with (force)")


@pytest.fixture
def backups(rich: Server, database: str, tmp_path: Path) -> Backups:
    """The backups of that database, reached in its container."""
    return Backups(rich.access(database), str(tmp_path / "srv"), timeout=120)


@pytest.fixture
def by_url(rich: Server, backups: Backups, database: str) -> Backups:
    """The same, reached by a URL."""
    return replace(backups, access=rich.url(database))


@pytest.fixture
def made(backups: Backups) -> Manifest:
    """A backup of that database."""
    return backups.create(Order("v2-0a1b2c3d", "v2", "deploy"), (), lambda _text, _warned: None)


class Named:
    """Names for throw-away servers that another run of the tests does not have."""

    def token_hex(self, count: int) -> str:
        return f"{MINE}-{secrets.token_hex(count)}"


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers that `servers` finds are our own, whoever else rehearses on this machine."""
    monkeypatch.setattr("deploy.database.rehearsal.throwaway.secrets", Named())


@pytest.fixture(autouse=True)
def nothing_stays(named: None, request: pytest.FixtureRequest) -> Iterator[None]:
    """No container and no volume is left by any test; some need no Docker at all."""
    if request.node.get_closest_marker("fleet") is None:
        yield
        return
    containers, volumes = servers(), unused()
    yield
    until(lambda: servers() <= containers)
    # One that somebody else's container has just left goes in a moment; ours would stay.
    until(lambda: unused() <= volumes)


def servers() -> set[str]:
    """The ids of our throw-away servers that are there, running or not."""
    return set(docker("ps", "-aq", "--filter", f"name=^headway-rehearsal-{MINE}-").split())


def unused() -> set[str]:
    """The volumes of no container."""
    return set(docker("volume", "ls", "-q", "--filter", "dangling=true").split())


def until(true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)

"""A real PostgreSQL, asked by the psql in its container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.database.access import in_service
from deploy.database.migrations.folder import Format
from deploy.database.migrations.recorded import Recorded, Row, Table, recorded
from deploy.errors import CommandFailed, HostError

from .conftest import asked

if TYPE_CHECKING:
    from deploy.database.access import Access

    from .shells import Near

pytestmark = pytest.mark.fleet

ODD = Table('odd "schema', "it's")


def test_no_table_is_no_rows(postgres: Near, service: Access) -> None:
    assert recorded(service) == Recorded(None, ())
    # Asking makes none.
    assert asked(postgres, "select to_regclass('drizzle.__drizzle_migrations') is null") == ["t"]


def test_the_table_of_drizzle_0(postgres: Near, service: Access) -> None:
    asked(
        postgres,
        f"""create schema "odd ""schema"; create table {ODD}
        (id serial primary key, hash text not null, created_at bigint)""",
    )
    try:
        assert recorded(service, ODD) == Recorded(Format.V0, ())
        insert = f"insert into {ODD} (hash, created_at) values "  # noqa: S608 - the test's own
        asked(postgres, f"{insert} ('b', 2), ('a', null)")
        rows = (Row("b", 2, None, 1), Row("a", None, None, 2))
        assert recorded(service, ODD) == Recorded(Format.V0, rows)
    finally:
        asked(postgres, 'drop schema "odd ""schema" cascade')


def test_the_table_of_drizzle_1(postgres: Near, service: Access) -> None:
    asked(
        postgres,
        """create schema drizzle; create table drizzle.__drizzle_migrations
        (id serial primary key, hash text not null, created_at bigint, name text,
        applied_at timestamp with time zone default now());
        insert into drizzle.__drizzle_migrations (hash, created_at, name)
        values ('a', 1767323045000, E'2026_\\n"ä'), ('b', 3, null)""",
    )
    rows = (Row("a", 1767323045000, '2026_\n"ä', 1), Row("b", 3, None, 2))
    assert recorded(service) == Recorded(Format.V1, rows)


def test_a_table_of_another_kind(postgres: Near, service: Access) -> None:
    asked(
        postgres,
        "create schema drizzle; create table drizzle.__drizzle_migrations as select 1 as id",
    )
    with pytest.raises(HostError, match="not one of Drizzle's"):
        recorded(service)


def test_no_such_service(service: Access) -> None:
    other = in_service(service.host, service.settings["project"], "elsewhere")
    with pytest.raises(CommandFailed) as caught:
        recorded(other)
    assert "the database could not be asked" in caught.value.reason
    assert "elsewhere does not run here" in caught.value.stderr

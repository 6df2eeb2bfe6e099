"""What is pending and what it would do, from an image's folder and a real database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.database.lint.verdict import Outcome
from deploy.database.migrations.apply import Applier
from deploy.database.migrations.folder import read_folder
from deploy.database.migrations.script import Limits
from deploy.database.outlook import contracts, look
from deploy.database.sizes import sizes
from deploy.errors import Refused

from .conftest import asked
from .migrations import v0
from .test_apply_failures import holding

if TYPE_CHECKING:
    from deploy.database.migrations.folder import Folder

    from .shells import Near

pytestmark = pytest.mark.fleet

USERS = "create table users (id serial primary key, name text, mail text);"


def folder(*, downs: bool = True, **files: str) -> Folder:
    ways_back = {f"{name}.down.sql": b"select 1;" for name in files if downs}
    return read_folder(v0(**files) | ways_back)


@pytest.fixture
def users(postgres: Near) -> Near:
    """A database that has the first migration."""
    first = folder(a=USERS)
    Applier(postgres, Limits(5, 60)).apply(first.migrations, form=first.format)
    return postgres


def test_what_is_pending_and_what_waits(users: Near) -> None:
    found = look(
        folder(
            a=USERS,
            b="alter table users add column age integer;",
            c="-- deploy: phase=contract\nalter table users drop column mail;",
        ),
        users,
    )
    assert [one.name for one in found.now] == ["b"]
    assert [one.name for one in found.later] == ["c"]
    assert [(one.finding.rule, one.outcome) for one in found.judged] == [
        ("drop-column", Outcome.HELD)
    ]
    assert list(contracts(found.folder)) == ["c"]


REFUSED = {
    "a drop": ("alter table users drop column mail;", "b.sql:1", "drop-column"),
    "hidden": (
        "do $$ begin\n  alter table users rename column mail to post;\nend $$;",
        "b.sql:2",
        "rename-column",
    ),
    "opaque": ("do $$ begin execute 'drop ' || 'table users'; end $$;", "b.sql:1", "opaque"),
    "unreadable": ("alter tabel users;", "b.sql:1", "unreadable"),
    "rows": ("select 1;\ntruncate users;", "b.sql:2", "truncate"),
}


@pytest.mark.parametrize(("sql", "where", "rule"), REFUSED.values(), ids=REFUSED)
def test_what_the_running_version_could_not_live_with(
    users: Near, sql: str, where: str, rule: str
) -> None:
    with pytest.raises(Refused, match="could not live with") as caught:
        look(folder(a=USERS, b=sql), users)
    assert (where, rule) in [(one.where, one.path) for one in caught.value.faults]


def test_one_that_is_allowed_with_a_reason(users: Near) -> None:
    sql = (
        "-- deploy: allow drop-column nobody has read it since March\nalter table users drop mail;"
    )
    found = look(folder(a=USERS, b=sql), users)
    assert [one.outcome for one in found.judged] == [Outcome.ALLOWED]
    assert [one.name for one in found.now] == ["b"]


def test_a_lock_is_judged_by_the_size_of_the_table(users: Near) -> None:
    index = folder(a=USERS, b="create index on users (mail);")
    (small,) = look(index, users).judged
    assert (small.finding.rule, small.outcome) == ("index-blocks-writes", Outcome.WARNED)
    asked(
        users, "insert into users (mail) select repeat('x', 2000) from generate_series(1, 60000);"
    )
    with pytest.raises(Refused, match="index-blocks-writes: users"):
        look(index, users)


def test_one_without_a_way_back(users: Near) -> None:
    """Said where none is required, and else refused, unless somebody has written why."""
    column = "alter table users add column age integer;"
    (one,) = look(folder(a=USERS, b=column, downs=False), users).judged
    assert (one.finding.rule, one.outcome) == ("no-down", Outcome.WARNED)
    with pytest.raises(Refused, match="no way back") as caught:
        look(folder(a=USERS, b=column, downs=False), users, downs=True)
    assert [(fault.where, fault.path) for fault in caught.value.faults] == [("b.sql:1", "no-down")]
    allowed = f"-- deploy: allow no-down it is filled again\n{column}"
    (one,) = look(folder(a=USERS, b=allowed, downs=False), users, downs=True).judged
    assert one.outcome is Outcome.ALLOWED
    assert look(folder(a=USERS, b=column), users, downs=True).judged == ()


def test_what_is_opaque_waits_for_a_rehearsal_on_the_rows(users: Near) -> None:
    opaque = folder(a=USERS, b="do $$ begin execute 'drop ' || 'table users'; end $$;")
    found = look(opaque, users, rehearsed=True)
    assert [one.outcome for one in found.judged] == [Outcome.LATER]
    assert found.tables["users"] > 0


def test_what_does_not_fit_is_refused(users: Near) -> None:
    with pytest.raises(Refused, match="do not fit together"):
        look(folder(a=f"{USERS}-- edited"), users)


WHOLE_HISTORY = {
    "a": USERS,
    "b": "-- deploy: phase=contract\nalter table users drop column mail;",
    "c": "alter table users add column age integer;",
}


def test_where_nothing_is_there_yet_nothing_waits() -> None:
    """A new environment gets the whole history, contract files and all, in its order."""
    found = look(folder(**WHOLE_HISTORY), None)
    assert [one.name for one in found.now] == ["a", "b", "c"]
    assert (found.later, found.judged, found.fresh) == ((), (), True)


def test_an_empty_database_is_one_that_nothing_runs_on(postgres: Near) -> None:
    found = look(folder(**WHOLE_HISTORY), postgres)
    assert [one.name for one in found.now] == ["a", "b", "c"]
    assert (found.later, found.judged, found.fresh) == ((), (), False)


def test_tables_that_drizzle_did_not_make_are_of_a_version_that_runs(postgres: Near) -> None:
    asked(postgres, "create table old (id integer)")
    with pytest.raises(Refused, match="drop-table: old"):
        look(folder(a="drop table old;"), postgres)


def test_sizes_are_of_tables_and_of_their_indexes(users: Near) -> None:
    asked(users, "create schema s; create table s.t (id integer primary key)")
    found = sizes(users)
    assert found["users_pkey"] == found["users"] > 0
    assert found["s.t_pkey"] == found["s.t"]
    asked(users, "drop schema s cascade")


def test_a_table_that_somebody_has_for_itself_is_not_waited_for(users: Near) -> None:
    with holding(users, "lock table users"), pytest.raises(Refused) as caught:
        sizes(users)
    assert "a table is locked, so that nobody can read it, by pid" in caught.value.message
    assert "nightly" in caught.value.message

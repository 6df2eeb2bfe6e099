"""What a failed file has left, and the files before it, are taken back where nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.database.catalogue import catalogue
from deploy.database.catalogue.shape import Shape, differences, shape
from deploy.database.migrations.apply import Applier
from deploy.database.migrations.failure import MigrationFailed
from deploy.database.migrations.folder import Folder, read_folder
from deploy.database.migrations.recorded import recorded
from deploy.database.migrations.script import Limits
from deploy.errors import NeedsPerson
from deploy.steps.migrate import Migrate

from .conftest import asked
from .migrations import v0

if TYPE_CHECKING:
    from .shells import Near

pytestmark = pytest.mark.fleet

LIMITS = Limits(5, 60)
BASE = (
    "create table users (id serial primary key, mail text);"
    "insert into users (mail) values ('a'), ('a');"
)
COLUMN = "alter table users add column age integer;"
INDEX = "create unique index concurrently users_mail on users (mail);"
DOWNS = {
    "b": "alter table users drop column age;",
    "c": "drop index concurrently if exists users_mail;",
}


def folder(**downs: str) -> Folder:
    files = v0(a=BASE, b=COLUMN, c=INDEX)
    return read_folder(files | {f"{name}.down.sql": one.encode() for name, one in downs.items()})


def failed(postgres: Near, **downs: str) -> tuple[Migrate, Shape]:
    """The step after its third file has failed half-way, and the schema before it."""
    whole = folder(**downs)
    Applier(postgres, LIMITS).apply(whole.migrations[:1], form=whole.format)
    before = shape(catalogue.read(postgres))
    step = Migrate(whole, ["b", "c"], postgres, LIMITS, lambda: "inv restore.staging shop-1")
    with pytest.raises(MigrationFailed, match="could not create unique index"):
        step.do(lambda *_: None)
    assert asked(postgres, "select indisvalid from pg_index where indisunique and not indisprimary")
    return step, before


def test_what_loses_nothing_is_taken_back(postgres: Near) -> None:
    step, before = failed(postgres, **DOWNS)
    assert step.undo(lambda *_: None) == "c, b taken back: the schema is as it was before"
    assert differences(before, shape(catalogue.read(postgres))) == ()
    assert len(recorded(postgres).rows) == 1


def test_without_a_way_back_a_person_is_needed(postgres: Near) -> None:
    step, _ = failed(postgres, c=DOWNS["c"])
    with pytest.raises(NeedsPerson, match="not as it was before") as caught:
        step.undo(lambda *_: None)
    assert "b.sql  it has no down: b.down.sql is missing" in caught.value.state
    assert caught.value.mend == "inv restore.staging shop-1"
    # All or nothing: what could have been taken back has not been.
    assert asked(postgres, "select count(*) from pg_class where relname = 'users_mail'") == ["1"]
    assert len(recorded(postgres).rows) == 2


def test_a_guard_that_says_no(postgres: Near) -> None:
    step, _ = failed(postgres, **DOWNS)
    asked(postgres, "update users set age = 3")
    with pytest.raises(NeedsPerson, match="not as it was before") as caught:
        step.undo(lambda *_: None)
    assert "a guard says no" in caught.value.state
    assert asked(postgres, "select count(age) from users") == ["2"]

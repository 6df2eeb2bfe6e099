"""What is said of the database before a deploy, also where nothing can be said or done."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from deploy import api
from deploy.database import outlook as module
from deploy.database.command.foreseen import at_once, unforeseen
from deploy.database.migrations.folder import Format, read_folder
from deploy.database.migrations.recorded import Recorded, Row
from deploy.database.outlook import Outlook, Unfit, look
from deploy.tasks import migrate, plan
from deploy.tasks.outlook import PUSH, as_dict, lines, with_sql
from tests.database.migrations import v0

if TYPE_CHECKING:
    from deploy.errors import Refused

USERS = "create table users (id int);"
AGE = "alter table users\n  add column age int;\n"
SERVER: Any = object()


def test_a_push_is_told_as_what_it_is() -> None:
    outlook = unforeseen(None)
    assert lines(outlook) == [PUSH]
    assert with_sql(outlook) == [PUSH]
    empty: dict[str, list[str]] = {"states": [], "pending": [], "findings": [], "doubts": []}
    assert as_dict(outlook) == {"push": True, **empty}


def looked(monkeypatch: pytest.MonkeyPatch, *, edited: bool = False, **files: str) -> Outlook:
    """At a database that has the first file, and a table of no size."""
    folder = read_folder(v0(a=USERS, **files))
    (first, *_) = folder.migrations
    row = Row("another" if edited else first.hash, first.when, None, 1)
    monkeypatch.setattr(module, "recorded", lambda _: Recorded(Format.V0, (row,)))
    monkeypatch.setattr(module, "sizes", lambda _: {"users": 8192})
    return look(folder, SERVER)


def unfit(monkeypatch: pytest.MonkeyPatch, **how: Any) -> Unfit:
    with pytest.raises(Unfit) as caught:
        looked(monkeypatch, **how)
    return caught.value


def test_what_is_pending_is_told_with_its_sql(monkeypatch: pytest.MonkeyPatch) -> None:
    outlook = looked(monkeypatch, b=f"{AGE}\ninsert into users values (1);")
    assert lines(outlook) == [
        "1 pending",
        "  b  expand",
        "    ! insert  users: rows come",
        "    ! no-down  it has no way back: there is no b.down.sql (refused where a way back is "
        "required)",
        "      alter table users",
        "        add column age int;",
        "      ",
        "      insert into users values (1);",
    ]


REFUSED: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "a rule": (
        {"b": AGE, "c": "drop table users;"},
        "could not live with",
        [
            "a.sql  applied",
            "b.sql  pending",
            "    alter table users",
            "      add column age int;",
            "c.sql  pending",
            "    drop table users;",
        ],
    ),
    "an edited file": (
        {"edited": True, "b": AGE},
        "do not fit together",
        [
            "a.sql  applied, and edited since",
            "b.sql  pending",
            "    alter table users",
            "      add column age int;",
        ],
    ),
    "a file that would pass another": (
        {"b": "-- deploy: phase=contract\ndrop table users;", "c": "select 1;"},
        "would pass one",
        [
            "a.sql  applied",
            "b.sql  pending",
            "    -- deploy: phase=contract",
            "    drop table users;",
            "c.sql  pending",
            "    select 1;",
        ],
    ),
}


@pytest.mark.parametrize(("how", "why", "told"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("verb", ["plan", "migrate"])
def test_what_is_refused_is_told_all_the_same(
    how: dict[str, Any],
    why: str,
    told: list[str],
    verb: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ended = typed(monkeypatch, verb, unfit(monkeypatch, **how))
    assert ended.code == 3
    assert why in str(ended.message)
    assert capsys.readouterr().out.splitlines()[: len(told)] == told


@pytest.mark.parametrize("verb", ["plan", "migrate"])
def test_programs_are_told_as_well(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = unfit(monkeypatch, edited=True, b=AGE)
    assert typed(monkeypatch, verb, error, json=True).code == 3
    said = json.loads(capsys.readouterr().out)
    found = said["database"] if verb == "plan" else said
    assert found == as_dict(error.outlook)
    assert [one["state"] for one in found["states"]] == ["applied, and edited since", "pending"]
    assert [one["sql"] for one in found["pending"]] == [AGE]


def test_the_findings_that_refuse_are_among_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    error = unfit(monkeypatch, b="drop table users;")
    assert "b.sql:1  ✗ drop-table  users: a table goes that the running version reads" in (
        with_sql(error.outlook)
    )
    assert [one.path for one in error.faults] == ["drop-table"]


def test_what_a_command_cannot_keep_apart_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    outlook = looked(monkeypatch, b=AGE, c="-- deploy: phase=contract\ndrop table users;")
    with pytest.raises(Unfit, match="would apply contract files with the others") as caught:
        at_once(outlook)
    assert caught.value.outlook is outlook


INDEX = "create index concurrently i on users (id);"
VALUE = "alter type state add value 'late';"


def test_what_passes_the_rehearsal_and_may_fail_in_a_command_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outlook = looked(monkeypatch, b=f"select 1;\n{INDEX}")
    assert outlook.doubts == ()
    said = (
        "b.sql:2  CONCURRENTLY: the command may have one transaction for all files, and may fail "
        "here; the rehearsal has one for each"
    )
    found = at_once(outlook)
    assert found.doubts == (said,)
    assert lines(found)[-1] == f"  ! {said}"
    assert with_sql(found)[-1] == f"! {said}"
    assert as_dict(found)["doubts"] == [said]


def test_what_drizzle_kit_would_fail_at_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    outlook = looked(monkeypatch, b=INDEX, c=VALUE, d="update jobs set state = 'late' where id = 1")
    with pytest.raises(Unfit, match="has one transaction for all files") as caught:
        at_once(outlook, kit=True)
    (fault,) = caught.value.faults
    assert (fault.where, fault.message) == (
        "b.sql:1",
        "CONCURRENTLY, which PostgreSQL takes in none",
    )
    assert "COMMIT;--> statement-breakpoint" in fault.mend
    assert caught.value.outlook is outlook


def test_what_drizzle_kit_may_fail_at_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {"b": VALUE, "c": "update jobs set state = 'late' where id = 1;"}
    (doubt,) = at_once(looked(monkeypatch, **files), kit=True).doubts
    assert doubt.startswith("c.sql:1  the new value 'late' of an enum is used: drizzle-kit migrate")
    ended = {"b": f"commit;--> statement-breakpoint\n{INDEX}", "c": INDEX}
    assert at_once(looked(monkeypatch, **ended), kit=True).doubts == ()


def test_with_compose_nothing_else_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, "plan", unfit(monkeypatch, edited=True), compose=True)
    assert capsys.readouterr().out == ""


def typed(monkeypatch: pytest.MonkeyPatch, verb: str, error: Refused, **flags: bool) -> Exit:
    """How `inv plan` or `inv migrate --plan` ends, if that is what looking comes to."""

    def intend(*_: object, **__: object) -> None:
        raise error

    task = {"plan": plan, "migrate": migrate}[verb]
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setattr(api, "intend_deploy", intend)
    monkeypatch.setattr(task, "situation", lambda *_: nullcontext(None))
    monkeypatch.setattr("deploy.settings.names.known", lambda _root, _name: None)
    if verb == "migrate":
        flags["plan"] = True
    with pytest.raises(Exit) as caught:
        task.make(Path(), "staging").body(Context(), **flags)
    return caught.value

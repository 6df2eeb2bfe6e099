"""The step that rehearses, on real servers: what it lets pass, what it refuses, what it leaves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from deploy.database.backup.backups import Backups, Order
from deploy.database.lint.verdict import Outcome
from deploy.database.migrations.apply import Applier
from deploy.database.migrations.folder import Folder, read_folder
from deploy.database.migrations.script import Limits
from deploy.database.outlook import Outlook, look
from deploy.database.rehearsal.answers import Answers
from deploy.errors import Refused
from deploy.settings import Rehearsal
from deploy.steps.rehearse import Rehearse
from tests.backup.conftest import Heard, asked, backups, database, server, server_17
from tests.database.migrations import hidden, v0
from tests.database.rehearsal.conftest import named, servers

if TYPE_CHECKING:
    from deploy.database.backup.manifest import Manifest
    from deploy.database.rehearsal.rehearsed import Rehearsed

pytestmark = pytest.mark.fleet
__all__ = ["backups", "database", "named", "server", "server_17"]

LIMITS = Limits(5, 60)
BASE = """
create table users (id serial primary key, name text, mail text);
insert into users (name, mail) select n::text, (n / 2)::text from generate_series(1, 1000) n;
"""
COLUMN = "alter table users add column age integer;"


@dataclass
class Place:
    """A database with the first migration, and what a deploy of more of them would rehearse."""

    backups: Backups
    made: list[Manifest] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    heard: Heard = field(default_factory=Heard)

    def backup(self) -> None:
        self.made.append(self.backups.create(Order("v2-0a1b2c3d", "v2", "deploy"), (), self.heard))

    def outlook(self, *, mode: str = "data", downs: bool = False, **files: str) -> Outlook:
        return look(folder(**files), self.backups.access, rehearsed=mode == "data", downs=downs)

    def step(self, *, mode: str = "data", downs: bool = False, **files: str) -> Rehearse:
        def note(what: str, text: str, _found: Rehearsed) -> None:
            self.notes.append((what, text))

        return Rehearse(
            self.backups,
            self.outlook(mode=mode, downs=downs, **files),
            LIMITS,
            Rehearsal(memory="256MB"),  # type: ignore[arg-type]
            mode,
            downs,
            lambda: None,
            self.made,
            note,
        )


def folder(**files: str) -> Folder:
    """The first migration and more; the text behind `--down` in a file is its way back."""
    ups, downs = {}, {}
    for name, text in {"a": BASE, **files}.items():
        ups[name], _, down = text.partition("--down\n")
        if down:
            downs[f"{name}.down.sql"] = down.encode()
    return read_folder(v0(**ups) | downs)


@pytest.fixture
def place(backups: Backups) -> Place:
    asked(backups.access, "drop schema drizzle cascade; drop table big, small")
    base = folder()
    Applier(backups.access, LIMITS).apply(base.migrations, form=base.format)
    before = asked(backups.access, "select count(*) from users")
    assert before == ["1000"]
    return Place(backups)


@pytest.fixture(autouse=True)
def nothing_stays(named: None) -> Any:
    yield
    assert servers() == set()


def test_what_a_command_may_fail_at_all_the_same_is_said(place: Place) -> None:
    step = place.step(mode="schema", b=COLUMN)
    doubt = "b.sql:1  CONCURRENTLY: the command may have one transaction for all files"
    replace(step, outlook=replace(step.outlook, doubts=(doubt,))).do(place.heard)
    assert place.heard.lines[0] == f"! {doubt}"


def columns(place: Place) -> list[str]:
    return asked(
        place.backups.access,
        "select column_name from information_schema.columns where table_name = 'users'",
    )


def test_what_passes_is_told_and_kept(place: Place) -> None:
    place.backup()
    step = place.step(b=f"{COLUMN}\n--down\nalter table users drop column age;")
    assert (step.name, step.host, step.touches) == ("rehearse", "db-1", False)
    summary = step.do(place.heard)
    assert summary.startswith("1 migration in 0.")
    assert "AccessExclusiveLock on users for 0." in summary
    assert "1 of 1 ways back proven" in summary
    assert place.notes == [("rehearsed", summary)]
    assert any(line.startswith("b.sql: 0.") for line in place.heard.lines)
    # The backup has become a database once, and says so; the real one is as it was.
    assert place.made[-1].proof == "restored"
    assert place.backups.find(place.made[-1].name).proof == "restored"
    assert columns(place) == ["id", "name", "mail"]
    (trial,) = step.result[-1].trials
    assert trial.measured
    (kept,) = step.result[-1].figures()["files"]
    assert kept["file"] == "b.sql"
    assert kept["tables"]["users"]["lock"] == "AccessExclusiveLock"
    assert kept["back"] == {"way": "leads back", "proven": True}


def test_what_the_text_could_not_tell(place: Place) -> None:
    place.backup()
    drop = hidden("alter table users drop column mail")
    step = place.step(b=drop, c="select 1;")
    assert [one.outcome for one in step.outlook.judged if one.finding.rule == "opaque"] == [
        Outcome.LATER
    ]
    with pytest.raises(Refused, match="could not live with") as caught:
        step.do(place.heard)
    assert [(one.where, one.path) for one in caught.value.faults] == [("b.sql:1", "drop-column")]
    ((what, text),) = place.notes
    assert what == "refused"
    assert "b.sql:1" in text
    assert columns(place) == ["id", "name", "mail"]
    # With somebody's word for it, and where it does no harm, it passes.
    place.step(b=f"-- deploy: allow drop-column unread\n{drop}").do(place.heard)
    place.step(b=hidden(COLUMN.rstrip(";"))).do(place.heard)


def test_what_fails_on_the_rows_alone(place: Place) -> None:
    place.backup()
    unique = "-- deploy: allow add-unique never twice\nalter table users add unique (mail);"
    with pytest.raises(Refused, match="failed in its rehearsal") as caught:
        place.step(b=unique).do(place.heard)
    (fault,) = caught.value.faults
    assert fault.where == "b.sql:2"
    assert "could not create unique index" in fault.message
    # The schema alone cannot know.
    place.step(mode="schema", b=unique).do(place.heard)
    assert any("on the schema alone" in line for line in place.heard.lines)


def test_a_way_back_that_leads_elsewhere(place: Place) -> None:
    place.backup()
    wrong = f"{COLUMN}\n--down\nalter table users drop column age, drop column mail;"
    with pytest.raises(Refused, match="no way back") as caught:
        place.step(downs=True, b=wrong).do(place.heard)
    (fault,) = caught.value.faults
    assert (fault.where, fault.path) == ("b.sql:1", "bad-down")
    assert "mail" in fault.message
    step = place.step(b=wrong)
    step.do(place.heard)
    assert [(one.finding.rule, one.outcome) for one in step.judged] == [
        ("bad-down", Outcome.WARNED)
    ]


def version(*answers: Answers) -> Any:
    """An application that gives these answers, one start after the other."""
    left = iter(answers)
    return SimpleNamespace(starter=lambda: lambda _server: next(left))


WELL = Answers({"/healthz": "", "login": ""})


def test_a_running_version_that_does_not_answer_as_before(place: Place) -> None:
    after = Answers({"/healthz": "", "login": "answered 500"}, said="no column")
    step = replace(place.step(mode="schema", b=COLUMN), application=version(WELL, after))
    with pytest.raises(Refused, match="is not well on what is pending") as caught:
        step.do(place.heard)
    assert caught.value.exit_code == 3
    assert "no column" in caught.value.state
    ((what, text),) = place.notes
    assert (what, text.endswith("login: answered 500")) == ("refused", True)
    step = replace(step, application=version(WELL, WELL))
    assert step.do(place.heard).endswith("the running version is well; on the schema alone")
    assert step.result[-1].figures()["started"]["answered"] == ["start", "/healthz", "login"]


def test_a_running_version_that_could_not_be_tried_is_a_warning(place: Place) -> None:
    application = version(Answers(untried="no bash"))
    replace(place.step(mode="schema", b=COLUMN), application=application).do(place.heard)
    assert "! the running version was not tried on the copy: no bash" in place.heard.lines


def test_what_waits_for_the_hosts_is_nothing_that_it_has_to_live_with(place: Place) -> None:
    contract = "-- deploy: phase=contract\nalter table users drop column mail;"
    step = replace(place.step(mode="schema", b=contract), application=version())
    step.do(place.heard)
    assert step.result[-1].lived is None


def test_for_a_plan_the_newest_backup_of_the_same_schema_has_to_do(place: Place) -> None:
    def outcomes() -> list[tuple[str, Outcome]]:
        step = replace(
            place.step(b=hidden("alter table users add column size integer")), final=False
        )
        step.do(place.heard)
        return [(one.finding.rule, one.outcome) for one in step.judged if one.finding.line == 1]

    # Without one it is the schema, which does not decide what is opaque.
    assert ("opaque", Outcome.LATER) in outcomes()
    place.backup()
    place.made.clear()
    assert ("opaque", Outcome.LATER) not in outcomes()
    # By hand, or by a push: no row of Drizzle's says so, and the backup would mislead.
    asked(place.backups.access, "alter table users add column age integer")
    assert ("opaque", Outcome.LATER) in outcomes()
    assert any("of another schema" in line for line in place.heard.lines)
    assert place.notes == []


def test_where_it_is_off_nothing_is_made(place: Place) -> None:
    assert place.step(mode="off", b=COLUMN).do(place.heard) == "off"
    assert place.notes == []

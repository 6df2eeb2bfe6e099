"""drizzle-kit push itself, whose exit code is always 0: what it says and the schema decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.database.command.failure import CommandNotBelieved
from deploy.errors import NeedsPerson, Refused
from deploy.settings.database import Apply
from deploy.steps.push import Push
from tests.database.conftest import asked

from .project import Heard, Project

if TYPE_CHECKING:
    from tests.database.shells import Near

    from .conftest import Application

pytestmark = pytest.mark.fleet

RESTORE = "inv restore.staging shop-20261124-201155"
PUSH = f"cd /app && {Apply(by='push').typed}"


def schema(*columns: str, more: str = "") -> str:
    head = "import {integer, pgTable, serial, text} from 'drizzle-orm/pg-core';\n"
    body = ", ".join(["id: serial().primaryKey()", *columns])
    return f"{head}export const users = pgTable('users', {{{body}}});\n{more}"


def step(project: Project, postgres: Near, token: str, text: str = PUSH) -> Push:
    return Push(postgres, project.command(text, 60), token, way_back=lambda: RESTORE)


def test_it_changes_the_schema_and_is_proven(application: Application, postgres: Near) -> None:
    heard = Heard()
    one = step(application(schema=schema("name: text()")), postgres, "d-1.push")
    assert one.do(heard).endswith(" differences")
    assert heard == [(f"running {PUSH}", False)] * 2, "the second run is the proof"
    assert asked(postgres, "select count(name) from users") == ["0"]
    assert one.undo(heard) == "left as it is: push has no way back"
    # And where there is nothing to change, one run is enough.
    heard.clear()
    again = step(application(schema=schema("name: text()")), postgres, "d-2.push")
    assert again.do(heard) == "nothing to change"
    assert len(heard) == 1
    assert again.undo(heard) == ""


FAILS = {
    "it asks before it empties a table": (
        schema("name: text()", "mail: text().notNull()"),
        "You're about to add not-null mail column without default value, which contains 1 items",
    ),
    "it asks what was renamed": (schema("called: text()"), "Interactive prompts require a TTY"),
    "no schema at all": ("export const nothing = ;", "ERROR"),
}


@pytest.mark.parametrize(("text", "said"), FAILS.values(), ids=FAILS)
def test_what_it_would_ask_fails_with_its_question(
    application: Application, postgres: Near, text: str, said: str
) -> None:
    asked(postgres, "create table users (id serial primary key, name text)")
    asked(postgres, "insert into users (name) values ('ada')")
    one = step(application(schema=text), postgres, "d-1.push")
    with pytest.raises(CommandNotBelieved, match="did not come to its end") as caught:
        one.do(Heard())
    assert said in caught.value.state
    assert "The schema is as before." in caught.value.state
    assert one.undo(Heard()) == "", "exit 4"
    assert asked(postgres, "select name from users") == ["ada"]


def test_a_statement_that_fails_leaves_those_before_it(
    application: Application, postgres: Near
) -> None:
    """There is no transaction, and drizzle-kit ends with exit code 0."""
    asked(postgres, "create table users (id serial primary key, name text)")
    asked(postgres, "insert into users (name) values ('ada'), ('ada')")
    more = "export const first = pgTable('first', {id: integer()});\n"
    text = schema("name: text()", "mail: text().default('x').$type()", more=more)
    text = text.replace("mail: text().default('x').$type()", "age: integer().default('no')")
    one = step(application(schema=text), postgres, "d-1.push")
    with pytest.raises(CommandNotBelieved) as caught:
        one.do(Heard())
    assert "ended with exit code 0, and did not come to its end" in caught.value.message
    assert "invalid input syntax for type integer" in caught.value.state
    with pytest.raises(NeedsPerson, match="not as it was before") as stuck:
        one.undo(Heard())
    assert "+ table first:" in stuck.value.state
    assert stuck.value.mend == RESTORE


def test_one_that_is_never_content_is_told(application: Application, postgres: Near) -> None:
    """Some defaults come back from PostgreSQL in other words, and are pushed each time."""
    heard = Heard()
    project = application(schema=schema())
    text = "echo '[✓] Changes applied'"
    one = step(project, postgres, "d-1.push", text)
    assert one.do(heard) == "nothing to change"
    assert heard[-1] == ("push finds the same changes each time it is run", True)


def test_one_that_goes_on_changing_is_a_failure(application: Application, postgres: Near) -> None:
    asked(postgres, "create table users (id serial primary key)")
    project = application(schema=schema("name: text()"))
    other = schema("name: text()", "mail: text()").replace("'", '"')
    text = f"{PUSH} && cat >/app/schema.js <<'END'\n{other}\nEND"
    one = step(project, postgres, "d-1.push", text)
    with pytest.raises(CommandNotBelieved, match="changed the schema once more"):
        one.do(Heard())
    with pytest.raises(NeedsPerson):
        one.undo(Heard())


def test_where_there_was_nothing_to_look_at_there_may_be_nothing(
    application: Application, postgres: Near
) -> None:
    asked(postgres, "create table of_somebody ()")
    command = application(schema=schema()).command(PUSH, 60)
    with pytest.raises(Refused, match="is not new"):
        Push(postgres, command, "d-1.push", fresh=True).do(Heard())
    asked(postgres, "drop table of_somebody")
    found = Push(postgres, command, "d-2.push", fresh=True).do(Heard())
    assert found.endswith(" differences")

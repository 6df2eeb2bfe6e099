"""`inv migrate.ENVIRONMENT --write-downs`: what it says, and the code that it ends with."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.database.downs.generator import Answer, Kept
from deploy.database.downs.propose import Proposal, propose
from deploy.database.downs.write import Written
from deploy.tasks.downs import said
from tests.database.migrations import migration

from .repository import Repository

COLUMN = "ALTER TABLE users ADD COLUMN age int;"
NOTHING = "-- Custom SQL migration file, put your code below! --\n"


# --- what it says, in memory ---------------------------------------------------------------------


def lines(*proposals: Proposal, there: int = 0, version: str = "") -> list[str]:
    return list(said(Written(proposals, there, version), "drizzle/"))


def proposed(sql: str, answer: Answer | None) -> Proposal:
    return propose(migration("0001_x", 1, sql), answer)


def test_a_down_that_was_written() -> None:
    one = proposed(COLUMN, Answer((COLUMN,), ("ALTER TABLE users DROP COLUMN age;",)))
    assert lines(one, there=2, version="0.31.11") == [
        "✓ drizzle/0001_x.down.sql  class A",
        "3 migrations: 2 had a down, 1 written (drizzle-kit 0.31.11)    exit 0",
    ]


def test_what_it_loses_what_stays_and_what_was_put_right() -> None:
    drop = "ALTER TABLE users DROP COLUMN age;"
    one = proposed(drop, Answer((drop,), ("ALTER TABLE users ADD COLUMN age int;",)))
    kept = (Kept("mood", ("ok", "well")), Kept("s.other", ("a",)))
    found = lines(replace(one, kept=kept, corrected=("indexes go CONCURRENTLY",)))
    assert found == [
        "✓ drizzle/0001_x.down.sql  class C",
        f"    {one.down.reasons[0]}" if one.down else "",
        "    stays: ok, well in the enum mood",
        "    stays: a in the enum s.other",
        "    corrected: indexes go CONCURRENTLY",
        "1 migration: 1 written    exit 0",
    ]
    assert found[1].startswith("    0001_x.")


def test_a_down_that_would_not_be_the_whole_way_back() -> None:
    more = f"{COLUMN}\nCREATE INDEX i ON users (age);"
    down = "ALTER TABLE users DROP COLUMN age;"
    part = proposed(more, Answer((COLUMN,), (down,)))
    none = proposed(COLUMN, None)
    found = lines(part, none, there=1, version="0.31.11")
    mark = "✗ drizzle/0001_x.down.sql  not written, since it would not be the whole way back"
    assert [line for line in found if line[0] != " "] == [
        mark,
        mark,
        "3 migrations: 1 had a down, 2 to be written by hand (drizzle-kit 0.31.11)    exit 3",
    ]
    # The line is the statement's; what has no line is the whole file's.
    assert found[1].startswith("    drizzle/0001_x.sql:2: ")
    assert found[2] == f"    known: {down}"
    assert found[4].startswith("    drizzle/0001_x.sql: it has no snapshot")


def test_where_every_migration_had_one() -> None:
    assert lines(there=2) == ["2 migrations: 2 had a down    exit 0"]
    assert lines() == ["0 migrations: 0 had a down    exit 0"]


def test_a_name_moves_no_cursor() -> None:
    one = proposed("DROP TABLE users;", Answer(error="no \x1b[2Jsnapshot\nhere"))
    assert "\x1b" not in "".join(lines(one))


# --- as it is typed ------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    one = Repository(tmp_path / "acme", environ={"PATH": os.environ["PATH"]})
    one.environment("staging")
    subprocess.run(["git", "init", "--quiet", str(one.folder)], check=True)
    return one


def migrations(repository: Repository, *texts: str, folder: str = "drizzle") -> Path:
    where = repository.folder / folder
    (where / "meta").mkdir(parents=True)
    entries = [{"tag": f"{at:04}_x", "when": at} for at in range(len(texts))]
    (where / "meta/_journal.json").write_text(json.dumps({"entries": entries}))
    for at, text in enumerate(texts):
        (where / f"{at:04}_x.sql").write_text(text)
    subprocess.run(["git", "-C", str(repository.folder), "add", "--all"], check=True)
    return where


def test_what_could_be_written_is_and_what_is_there_stays(repository: Repository) -> None:
    where = migrations(repository, COLUMN, NOTHING)
    own = where / "0000_x.down.sql"
    own.write_text("-- ours\n")
    done = repository.inv("migrate.staging", "--write-downs")
    assert done.stdout.splitlines() == [
        "✓ drizzle/0001_x.down.sql  class A",
        "2 migrations: 1 had a down, 1 written    exit 0",
    ]
    assert done.returncode == 0
    assert (where / "0001_x.down.sql").is_file()
    assert own.read_text() == "-- ours\n"
    again = repository.inv("migrate", "--write-downs", "--folder", "drizzle")
    assert again.stdout == "2 migrations: 2 had a down    exit 0\n"
    assert again.returncode == 0


def test_what_is_left_to_be_written_by_hand(repository: Repository) -> None:
    where = migrations(repository, COLUMN, folder="db/drizzle")
    done = repository.inv("migrate", "--write-downs")
    assert done.returncode == 3
    assert done.stdout.splitlines()[::2] == [
        "✗ db/drizzle/0000_x.down.sql  not written, since it would not be the whole way back",
        "1 migration: 1 to be written by hand    exit 3",
    ]
    assert list(where.glob("*.down.sql")) == []


@pytest.mark.parametrize(
    ("words", "said_"),
    [
        (["--plan"], "--write-downs with --plan: it writes into a folder"),
        (["--lint", "--tag", "v2"], "--write-downs with --tag, --lint"),
        (["--json", "--since", "v1"], "--write-downs with --since, --json"),
        (["--folder", "nowhere"], "nowhere"),
    ],
)
def test_it_does_nothing_else(repository: Repository, words: list[str], said_: str) -> None:
    where = migrations(repository, NOTHING)
    done = repository.inv("migrate.staging", "--write-downs", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said_ in done.stderr
    assert list(where.glob("*.down.sql")) == []

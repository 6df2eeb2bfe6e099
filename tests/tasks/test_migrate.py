"""`inv migrate.ENVIRONMENT --lint`, as it is typed in a pull request: no secret, no host."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from .repository import Repository

GOOD = "CREATE TABLE users (id int, name text);\n"
BAD = 'ALTER TABLE "users" ADD COLUMN "a" int;--> statement-breakpoint\nDROP TABLE "orders";\n'


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    one = Repository(tmp_path / "acme", environ={"PATH": os.environ["PATH"]})
    one.environment("staging")
    git(one, "init", "--quiet")
    return one


def git(repository: Repository, *words: str) -> None:
    who = ("-c", "user.name=Ana", "-c", "user.email=ana@acme.example")
    argv = ["git", "-C", str(repository.folder), *who, *words]
    subprocess.run(argv, check=True, capture_output=True)


def migrations(repository: Repository, *texts: str, folder: str = "drizzle") -> None:
    where = repository.folder / folder
    (where / "meta").mkdir(parents=True, exist_ok=True)
    entries = [{"tag": f"{at:04}_x"} for at in range(len(texts))]
    (where / "meta/_journal.json").write_text(json.dumps({"entries": entries}))
    for at, text in enumerate(texts):
        (where / f"{at:04}_x.sql").write_text(text)
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=x")


def test_what_would_be_refused(repository: Repository) -> None:
    migrations(repository, GOOD, BAD)
    done = repository.inv("migrate", "--lint")
    assert done.stdout.splitlines() == [
        "✗ drizzle/0001_x.sql:2  drop-table  orders: a table goes that the running version reads"
        "  docs/migrations.md#drop-table",
        "2 migrations: 1 refused    exit 3",
    ]
    assert done.returncode == 3


def test_what_would_pass(repository: Repository) -> None:
    migrations(repository, GOOD, "INSERT INTO users VALUES (1);\nCREATE INDEX ON users (id);")
    done = repository.inv("migrate.staging", "--lint")
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines() == [
        "! drizzle/0001_x.sql:1  insert  users: rows come  docs/migrations.md#insert",
        "! drizzle/0001_x.sql:2  index-blocks-writes  users: an index is made or dropped, not "
        "CONCURRENTLY (refused where the table is over 100 MB)"
        "  docs/migrations.md#index-blocks-writes",
        "2 migrations: 2 to be looked at    exit 0",
    ]


def test_exceptions_and_phases(repository: Repository) -> None:
    allowed = "-- deploy: allow drop-table nobody reads it\nDROP TABLE a;\n"
    contract = "-- deploy: phase=contract\nDROP TABLE b;\n"
    migrations(repository, allowed, contract)
    done = repository.inv("migrate", "--lint")
    assert done.returncode == 0
    assert "✓ drizzle/0000_x.sql:2  drop-table" in done.stdout
    assert "(allowed: nobody reads it)" in done.stdout
    assert "· drizzle/0001_x.sql:2  drop-table" in done.stdout
    assert "(held back until every host has settled)" in done.stdout


def test_since(repository: Repository) -> None:
    migrations(repository, GOOD, BAD)
    git(repository, "tag", "v1")
    for name in ("0002_x", "0003_x"):
        repository.write(f"drizzle/{name}.down.sql", "SELECT 1;")
    migrations(repository, GOOD, BAD, "CREATE TABLE t (id int);", "DROP TABLE t;")
    done = repository.inv("migrate", "--lint", "--since", "v1")
    assert done.stdout == (
        "2 migrations since v1: nothing that the running version could not live with    exit 0\n"
    )
    assert repository.inv("migrate", "--lint").returncode == 3
    none = repository.inv("migrate", "--lint", "--since", "v2")
    assert (none.returncode, none.stdout) == (2, "")
    assert "git knows no commit v2" in none.stderr


@pytest.mark.parametrize(
    ("name", "written", "code"),
    [
        ("production", "", 3),
        ("staging", "", 0),
        ("staging", "database: {downs: required}", 3),
        ("production", "database: {downs: optional}", 0),
    ],
)
def test_what_is_new_and_has_no_way_back(
    repository: Repository, name: str, written: str, code: int
) -> None:
    repository.environment(name, f"{written}\n")
    migrations(repository, GOOD)
    git(repository, "tag", "v1")
    migrations(repository, GOOD, "CREATE TABLE t (id int);")
    done = repository.inv(f"migrate.{name}", "--lint", "--since", "v1")
    assert done.returncode == code, done.stdout + done.stderr
    assert "drizzle/0001_x.sql:1  no-down  it has no way back: there is no 0001_x.down.sql" in (
        done.stdout
    )
    # What is old is not asked for it.
    assert "no-down" not in repository.inv(f"migrate.{name}", "--lint").stdout


def test_annotations(repository: Repository) -> None:
    text = (
        'INSERT INTO users VALUES (1);\nALTER TABLE users\n  DROP COLUMN "a,b: 100%\n::error::x";'
    )
    migrations(repository, GOOD, text, folder="my, db/drizzle")
    done = repository.inv("migrate", "--lint", "--format", "github")
    assert done.returncode == 3
    assert done.stdout.splitlines() == [
        "::error file=my%2C db/drizzle/0001_x.sql,line=2,title=drop-column::"
        "users.a,b: 100%25 ::error::x: a column goes; Drizzle names every column it reads"
        "  docs/migrations.md#drop-column",
        "::warning file=my%2C db/drizzle/0001_x.sql,line=1,title=insert::"
        "users: rows come  docs/migrations.md#insert",
        "2 migrations: 1 refused, 1 to be looked at    exit 3",
    ]


def test_json(repository: Repository) -> None:
    migrations(repository, GOOD, BAD, "-- deploy: allow truncate why not\nTRUNCATE users;")
    for flags in (["--json"], ["--format", "json"], ["--json", "--format", "json"]):
        done = repository.inv("migrate", "--lint", *flags)
        assert done.returncode == 3
        first, second = json.loads(done.stdout)
        assert first == {
            "file": "drizzle/0001_x.sql",
            "line": 2,
            "rule": "drop-table",
            "level": "breaks",
            "subject": "orders",
            "detail": 'DROP TABLE "orders"',
            "allowed": "",
            "refused": True,
            "outcome": "refused",
        }
        assert (second["allowed"], second["refused"]) == ("why not", False)


def test_folders(repository: Repository) -> None:
    migrations(repository, GOOD, folder="one")
    migrations(repository, BAD, folder="two")
    several = repository.inv("migrate", "--lint")
    assert several.returncode == 2
    assert "several folders of migrations: one, two" in several.stderr
    assert repository.inv("migrate", "--lint", "--folder", "one").returncode == 0
    two = repository.inv("migrate", "--lint", "--folder", str(repository.folder / "two"))
    assert "✗ two/0000_x.sql:2" in two.stdout
    assert repository.inv("migrate", "--lint", "--folder", "three").returncode == 2


def test_without_git(tmp_path: Path, repository: Repository) -> None:
    migrations(repository, BAD)
    subprocess.run(["rm", "-r", str(repository.folder / ".git")], check=True)
    repository.environ["GIT_CEILING_DIRECTORIES"] = str(tmp_path)
    assert "is no git checkout" in repository.inv("migrate", "--lint").stderr
    done = repository.inv("migrate", "--lint", "--folder", "drizzle")
    assert done.stdout.startswith("✗ drizzle/0000_x.sql:2  drop-table")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["migrate.staging", "--folder", "drizzle"], "--folder without --lint"),
        (["migrate.stagin", "--lint"], "did you mean staging?"),
        (["migrate", "--lint", "--format", "xml"], "There is plain, github, json."),
        (["migrate", "--lint", "--format", "github", "--json"], "ask for two things"),
    ],
)
def test_wrong_usage(repository: Repository, words: list[str], said: str) -> None:
    migrations(repository, GOOD)
    done = repository.inv(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_name_moves_no_cursor(repository: Repository) -> None:
    migrations(repository, 'DROP TABLE "a\x1b[2Jb";')
    done = repository.inv("migrate", "--lint")
    assert "\x1b" not in done.stdout
    assert "drop-table  ab: " in done.stdout

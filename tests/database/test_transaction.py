"""Which files run in a transaction, and what is sent at once."""

from __future__ import annotations

import pytest

from deploy.database.migrations.transaction import together, way
from deploy.errors import Refused

from .migrations import migration

BREAK = "--> statement-breakpoint\n"

INSIDE = {
    "a table": "create table t (id int)",
    "nothing": "\n-- nothing\n",
    "an index": 'CREATE INDEX "concurrently" ON t (id)',
    "a view refreshed": "refresh materialized view concurrently v",
    "a word in a string": "insert into t values ('create index concurrently; commit;')",
    "a word in a comment": "-- COMMIT;\n/* begin; */ select 1",
    "a body": "do $$ begin perform 1; end $$",
    "a body of SQL": "create function f() returns int begin atomic select 1; end",
    "a savepoint": "savepoint a; rollback to savepoint a; rollback to a; release a",
    "an enum's value": "alter type e add value 'x'; alter type e add value 'y' after 'x'",
    "what nothing ends": "select 'x; commit;",
}


@pytest.mark.parametrize("sql", INSIDE.values(), ids=INSIDE)
def test_in_a_transaction(sql: str) -> None:
    found = way(migration("a", 1, sql))
    assert found.transactional
    assert found.begins
    assert found.as_before(0)
    assert [unit.text for unit in found.units] == ([sql] if sql.strip() else [])


OUTSIDE = {
    "create": ("create index concurrently i on t (id)", "CONCURRENTLY (line 1)", False),
    "unique": ("create unique index concurrently if not exists i on t (id)", "CONCURRENTLY", False),
    "drop": ("select 1;\ndrop index concurrently i", "CONCURRENTLY (line 2)", False),
    "reindex": ("reindex table concurrently t", "CONCURRENTLY", False),
    "reindex with options": ("reindex (concurrently) index i", "CONCURRENTLY", False),
    "reindex of all": ("reindex schema public", "REINDEX SCHEMA", False),
    "detach": ("alter table t detach partition p concurrently", "CONCURRENTLY", False),
    "vacuum": ("vacuum (analyze) t", "VACUUM (", False),
    "database": ("create database d", "CREATE DATABASE", False),
    "cluster": ("cluster", "CLUSTER", False),
    "system": ("alter system set a = 1", "ALTER SYSTEM", False),
    "discard": ("discard all", "DISCARD ALL", False),
    "own transaction": ("begin;\nselect 1;\ncommit", "BEGIN in the file (line 1)", True),
    "start": ("start transaction; select 1; end", "START in the file", True),
    "commit": (f"select 1;\n{BREAK}COMMIT;", "COMMIT in the file (line 3)", True),
    "rollback": ("rollback", "ROLLBACK in the file", True),
    "prepared": ("prepare transaction 'x'", "PREPARE in the file", True),
    "commit, then concurrently": (
        f"commit;{BREAK}create index concurrently i on t (id)",
        "COMMIT in the file (line 1)",
        True,
    ),
    "concurrently, then commit": (
        f"create index concurrently i on t (id);{BREAK}begin;{BREAK}commit",
        "CONCURRENTLY (line 1)",
        False,
    ),
    "an enum's value that is used": (
        f"ALTER TYPE \"public\".\"e\" ADD VALUE 'x' BEFORE 'y';{BREAK}table t where e = 'x'",
        "ALTER TYPE (line 1)",
        False,
    ),
    "used in a body": (
        "alter type e add value if not exists 'x'; do $$ begin perform 'x'::e; end $$",
        "ALTER TYPE",
        False,
    ),
}


@pytest.mark.parametrize(("sql", "why", "begins"), OUTSIDE.values(), ids=OUTSIDE)
def test_outside_of_one(sql: str, why: str, begins: bool) -> None:
    found = way(migration("a", 1, sql))
    assert not found.transactional
    assert found.why.startswith(why)
    assert found.begins is begins


def test_pieces_are_sent_as_they_are() -> None:
    sql = f"-- a\n\nselect 1;\nselect 2;{BREAK}\n{BREAK}\n select 3 -- x\n{BREAK}-- only"
    found = way(migration("a", 1, sql))
    assert [(one.text, one.line, one.statement) for one in found.units] == [
        ("-- a\n\nselect 1;\nselect 2;", 1, 0),
        ("\n\n select 3 -- x\n", 6, 8),
        ("\n-- only", 9, 0),
    ]


def test_only_a_piece_with_what_stands_alone_is_cut() -> None:
    sql = (
        f"select 1; select 2;{BREAK}select 3;\n-- why\nCREATE INDEX CONCURRENTLY i\n ON t (id);"
        f"select 4;{BREAK}drop index concurrently j"
    )
    found = way(migration("a", 1, sql))
    assert [(one.text, one.line, one.statement, one.patient) for one in found.units] == [
        ("select 1; select 2;", 1, 0, False),
        ("select 3", 2, 2, False),
        ("CREATE INDEX CONCURRENTLY i\n ON t (id)", 4, 4, True),
        ("select 4", 5, 5, False),
        ("drop index concurrently j", 6, 6, True),
    ]


def test_a_file_that_sets_its_own_wait_keeps_it() -> None:
    sql = "set lock_timeout = '1s'; create index concurrently i on t (id)"
    assert not any(one.patient for one in way(migration("a", 1, sql)).units)


AS_BEFORE = {
    "the first of several": ("create index concurrently i on t (a)", [True]),
    "what came before stays": (f"select 1;{BREAK}vacuum t", [True, False]),
    "before its own commit": (
        f"select 1;{BREAK}select 2;{BREAK}commit;{BREAK}vacuum;",
        [True, True, False, False],
    ),
    "its own transaction in one piece": ("begin; select 1; commit; select 2", [False]),
}


@pytest.mark.parametrize(("sql", "expected"), AS_BEFORE.values(), ids=AS_BEFORE)
def test_what_a_failure_leaves(sql: str, expected: list[bool]) -> None:
    found = way(migration("a", 1, sql))
    assert [found.as_before(at) for at in range(len(found.units))] == expected
    assert not found.as_before(len(found.units))


COPIES = ["copy t from stdin", "select 1;\nCOPY t (a)\nFROM STDIN WITH (format csv);\n1\n\\.\n"]


@pytest.mark.parametrize("sql", [*COPIES, f"{COPIES[0]}; '"])
def test_rows_on_standard_input_are_refused(sql: str) -> None:
    with pytest.raises(Refused) as caught:
        way(migration("0001_a", 1, sql))
    (fault,) = caught.value.faults
    assert fault.where in {"0001_a.sql:1", "0001_a.sql:2"}
    assert "COPY … FROM STDIN has no input" in fault.message
    assert "INSERT" in fault.mend


@pytest.mark.parametrize(
    "sql", ["copy t to stdout", "copy t from '/file'", "select 'copy t from stdin'"]
)
def test_other_copies_are_not(sql: str) -> None:
    assert way(migration("a", 1, sql)).transactional


TOGETHER = {
    "what stands in any": (["create table t (id int)", "update t set id = 1; select 'x'"], []),
    "concurrently": (["select 1;\nDROP INDEX CONCURRENTLY i"], [("0", 2, "CONCURRENTLY", True)]),
    "vacuum": (["select 1", f"select 2;{BREAK}\nvacuum t"], [("1", 3, "VACUUM T", True)]),
    "a value that the next file uses": (
        [
            "alter type s add value 'a'; ALTER TYPE s ADD VALUE IF NOT EXISTS 'b' AFTER 'a'",
            "insert into t values ('b')",
            "insert into t values ('b')",
        ],
        [("1", 1, "the new value 'b' of an enum is used", False)],
    ),
    "a value that the same file uses": (
        ["alter type s add value 'a';\nupdate t set s = 'a'"],
        [("0", 2, "the new value 'a' of an enum is used", False)],
    ),
    "the value was used before it was new": (
        ["insert into t values ('a')", "alter type s add value 'a'"],
        [],
    ),
    "behind a commit nobody knows": (["commit; vacuum t", "vacuum t"], []),
    "before a commit": (["vacuum t; commit; vacuum t"], [("0", 1, "VACUUM T", True)]),
}


@pytest.mark.parametrize(("texts", "expected"), TOGETHER.values(), ids=TOGETHER)
def test_what_fails_in_one_transaction_for_all_files(
    texts: list[str], expected: list[tuple[str, int, str, bool]]
) -> None:
    files = [migration(str(at), at, text) for at, text in enumerate(texts)]
    found = [(one.migration.name, one.line, one.what, one.sure) for one in together(files)]
    assert found == expected

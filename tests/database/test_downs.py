"""The class of a down, from the text of the migration and of the down."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.database.downs.down import Down, down_of, down_path, missing
from deploy.database.migrations.folder import read_folder

from .migrations import migration, shop_folder, v0, v1


def down(up: str, text: str) -> Down:
    found = down_of(replace(migration("0000", 1, up), down=text))
    assert found
    return found


T = 'ALTER TABLE "t" '
LOSSLESS = {
    "an index": ("CREATE INDEX i ON t (a)", "DROP INDEX i"),
    "an index, quietly": (
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "DROP INDEX CONCURRENTLY IF EXISTS i",
    ),
    "a dropped index": ("DROP INDEX i", "CREATE INDEX i ON t (a)"),
    "a key": (T + "ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u(id)", T + "DROP CONSTRAINT f"),
    "a dropped check": (T + "DROP CONSTRAINT c", T + "ADD CONSTRAINT c CHECK (a > 0)"),
    "a default": (T + "ALTER COLUMN a SET DEFAULT 'x'", T + "ALTER COLUMN a DROP DEFAULT"),
    "not null": (T + "ALTER COLUMN a SET NOT NULL", T + "ALTER COLUMN a DROP NOT NULL"),
    "a renamed column": (T + "RENAME COLUMN a TO b", T + "RENAME COLUMN b TO a"),
    "a renamed table": (T + "RENAME TO u", "ALTER TABLE u RENAME TO t"),
    "a comment": ("COMMENT ON TABLE t IS 'x'", "COMMENT ON TABLE t IS NULL"),
    "a view": ("CREATE VIEW v AS SELECT 1 AS a", "DROP VIEW v"),
    "a dropped view": ("DROP VIEW v", "CREATE VIEW v AS SELECT 1 AS a"),
    "a function": (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ select 1 $$",
        "DROP FUNCTION f()",
    ),
    "a type": ("CREATE TYPE m AS ENUM ('a')", "DROP TYPE m"),
    "an enum's value renamed": (
        "ALTER TYPE m RENAME VALUE 'a' TO 'b'",
        "ALTER TYPE m RENAME VALUE 'b' TO 'a'",
    ),
    "a key in a block": (
        "DO $$ BEGIN ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u(id);"
        " EXCEPTION WHEN duplicate_object THEN null; END $$",
        T + "DROP CONSTRAINT IF EXISTS f",
    ),
    "a generated column": (
        T + "ADD COLUMN b int GENERATED ALWAYS AS (a * 2) STORED",
        T + "DROP COLUMN b",
    ),
    "rows that stay": ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "-- they harm nobody"),
    "made and dropped again": (
        "CREATE TABLE n (a int); DROP TABLE n; CREATE INDEX i ON t (a)",
        "DROP INDEX i",
    ),
    "row security": (T + "ENABLE ROW LEVEL SECURITY", T + "DISABLE ROW LEVEL SECURITY"),
}


@pytest.mark.parametrize(("up", "text"), LOSSLESS.values(), ids=LOSSLESS)
def test_what_loses_nothing_is_asked_nothing(up: str, text: str) -> None:
    found = down(up, text)
    assert (found.klass, found.guards, found.reasons) == ("A", (), ())


GUARDED = {
    "a table": ("CREATE TABLE n (id int)", "DROP TABLE n", 'from "n")'),
    "a table of a schema": ('CREATE TABLE "s"."n" ()', 'DROP TABLE "s"."n" CASCADE', '"s"."n")'),
    "a column": (T + "ADD COLUMN b text", T + "DROP COLUMN b", '"t" where "b" is not null)'),
    "one with a default": (
        T + "ADD COLUMN b varchar(9) DEFAULT 'it''s' NOT NULL",
        T + "DROP COLUMN b",
        "\"b\"::text is distinct from (('it''s')::VARCHAR ( 9 ))::text",
    ),
    "one renamed afterwards": (
        T + "ADD COLUMN b text; " + T + 'RENAME COLUMN b TO "C"',
        T + 'DROP COLUMN "C"',
        '"C" is not null',
    ),
    "one whose table is renamed": (
        T + "ADD COLUMN b text; " + T + "RENAME TO u",
        "ALTER TABLE u DROP COLUMN b; ALTER TABLE u RENAME TO t",
        'from "u" where "b"',
    ),
    "null allowed": (
        T + "ALTER COLUMN a DROP NOT NULL",
        T + "ALTER COLUMN a SET NOT NULL",
        '"a" is null',
    ),
    "a longer text": (
        T + "ALTER COLUMN a SET DATA TYPE text",
        T + "ALTER COLUMN a SET DATA TYPE varchar(5)",
        '("a"::text::VARCHAR ( 5 ))::text',
    ),
    "a larger number": (
        T + "ALTER COLUMN a TYPE bigint",
        T + 'ALTER COLUMN a TYPE integer USING "a"::integer',
        '("a"::text::INTEGER)::text',
    ),
    "a sequence": ("CREATE SEQUENCE s", "DROP SEQUENCE s", 'select not is_called from "s"'),
}


@pytest.mark.parametrize(("up", "text", "asked"), GUARDED.values(), ids=GUARDED)
def test_what_loses_nothing_yet_is_asked_for_it(up: str, text: str, asked: str) -> None:
    found = down(up, text)
    assert (found.klass, found.reasons) == ("A", ())
    (guard,) = found.guards
    assert asked in guard.query
    assert guard.loss


LOSES = {
    "a default that varies": (
        T + "ADD COLUMN b timestamp DEFAULT now()",
        T + "DROP COLUMN b",
        "B",
    ),
    "a serial": (T + "ADD COLUMN b serial", T + "DROP COLUMN b", "B"),
    "a column that is filled": (
        "ALTER TABLE t ADD COLUMN b int; UPDATE t SET b = 1",
        T + "DROP COLUMN b",
        "B",
    ),
    "rows that go": ("INSERT INTO t VALUES (1)", "DELETE FROM t WHERE id = 1", "B"),
    "a dropped table": ("DROP TABLE t", "CREATE TABLE t (id int)", "C"),
    "a dropped column": (T + "DROP COLUMN a", T + "ADD COLUMN a int", "C"),
    "a narrower type": (T + "ALTER COLUMN a TYPE int", T + "ALTER COLUMN a TYPE bigint", "C"),
    "a type by an expression": (
        T + "ALTER COLUMN a TYPE text USING lower(a)",
        T + "ALTER COLUMN a TYPE varchar(9)",
        "C",
    ),
    "a type that is not given back": (T + "ALTER COLUMN a TYPE text", "DROP INDEX i", "C"),
    "an update": ("UPDATE t SET a = 1", "UPDATE t SET a = 0", "C"),
    "a delete": ("DELETE FROM t WHERE a = 1", "INSERT INTO t VALUES (1)", "C"),
    "a delete in a query": (
        "WITH gone AS (DELETE FROM t RETURNING *) SELECT count(*) FROM gone",
        "INSERT INTO t VALUES (1)",
        "C",
    ),
    "an upsert": (
        "INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = 1",
        "-- they stay",
        "C",
    ),
    "truncate": ("TRUNCATE t", "-- nothing", "C"),
    "truncate in a block": ("DO $$ BEGIN TRUNCATE t; END $$", "-- nothing", "C"),
    "execute": ("DO $$ BEGIN EXECUTE 'drop ' || x; END $$", "-- nothing", "C"),
    "a call": ("CALL p()", "-- nothing", "C"),
    "an unknown function": ("SELECT f()", "-- nothing", "C"),
    "an enum's value": ("ALTER TYPE m ADD VALUE 'b'", "-- it stays", "D"),
    "an enum's value and a column": (
        "ALTER TYPE m ADD VALUE 'b'; " + T + "DROP COLUMN a",
        T + "ADD COLUMN a int",
        "C",
    ),
    "what does not end": ("CREATE INDEX i ON t (a); SELECT 'x", "DROP INDEX i", "C"),
    "a down that does not end": ("CREATE INDEX i ON t (a)", "DROP INDEX i; /* x", "C"),
    "a down that says nothing": ("CREATE INDEX i ON t (a)", "-- later", "C"),
    "a down that drops another table": ("CREATE TABLE n ()", "DROP TABLE n; DROP TABLE t", "C"),
    "a down that drops another column": (
        T + "ADD COLUMN b int",
        T + "DROP COLUMN b, DROP COLUMN a",
        "C",
    ),
    "a down that deletes": ("CREATE INDEX i ON t (a)", "DROP INDEX i; DELETE FROM t", "C"),
    "a down that truncates in a block": (
        "CREATE INDEX i ON t (a)",
        "DROP INDEX i; DO $$ BEGIN TRUNCATE t; END $$",
        "C",
    ),
    "a down that drops a type and its columns": (
        "CREATE TYPE m AS ENUM ('a')",
        "DROP TYPE m CASCADE",
        "C",
    ),
    "a down that detaches": (
        "CREATE INDEX i ON t (a)",
        "DROP INDEX i; ALTER TABLE t DETACH PARTITION p",
        "C",
    ),
    "a down that counts anew": (
        "CREATE INDEX i ON t (a)",
        "DROP INDEX i; ALTER TABLE t ALTER COLUMN id RESTART",
        "C",
    ),
    "a path": ("SET search_path = x; CREATE TABLE n ()", "DROP TABLE n", "C"),
    "a psql command": ("\\! ls", "-- nothing", "C"),
}


@pytest.mark.parametrize(("up", "text", "klass"), LOSES.values(), ids=LOSES)
def test_what_loses_something_says_so(up: str, text: str, klass: str) -> None:
    found = down(up, text)
    assert found.klass == klass
    assert all(one.why and one.line for one in found.reasons)


def test_a_reason_names_the_file_and_the_line() -> None:
    found = down("CREATE INDEX i ON t (a);\n\nDROP TABLE u", "DROP INDEX i;\nDROP TABLE v")
    assert [str(one) for one in found.reasons] == [
        "0000.sql:3: the rows of u are in a backup alone",
        "0000.down.sql:2: the migration did not make v",
    ]


def test_downs_are_found_beside_their_migrations() -> None:
    files = {**v0(a="select 1", b="select 2"), "a.down.sql": b"-- a", "c.down.sql": b"-- stray"}
    first, second = read_folder(files).migrations
    assert (first.name, first.down, second.name, second.down) == ("a", "-- a", "b", None)
    assert missing(read_folder(files)) == (second,)
    assert down_path(second.path) == "b.down.sql"
    files = v1(_a="select 1", _b="select 2")
    files["20260102030400_a/down.sql"] = b"-- a"
    first, second = read_folder(files).migrations
    assert (first.down, second.down) == ("-- a", None)
    assert down_path(second.path) == "20260102030401_b/down.sql"
    assert down_of(second) is None


def test_the_shop_has_all_of_its_downs() -> None:
    folder = read_folder(shop_folder())
    assert missing(folder) == ()
    found = [down_of(one) for one in folder.migrations]
    assert [one.klass for one in found if one] == ["A", "A", "A", "A", "B"]

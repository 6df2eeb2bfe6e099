"""What drizzle-kit gets wrong backwards, put right; and what nothing is proposed for."""

from __future__ import annotations

import pytest

from deploy.database.downs import corrections
from deploy.database.downs.generator import Answer
from deploy.database.downs.propose import propose
from deploy.database.downs.renames import renames
from deploy.database.lint.words import Name

from .migrations import migration

ADD = 'ALTER TABLE "t" ADD COLUMN "a" integer;'
DROP = 'ALTER TABLE "t" DROP COLUMN "a";'


def test_constraints_come_first() -> None:
    down = ['DROP TABLE "a" CASCADE;', 'ALTER TABLE "b" DROP CONSTRAINT "f";']
    assert corrections.constraints_first(down) == [
        'ALTER TABLE "b" DROP CONSTRAINT IF EXISTS "f";',
        'DROP TABLE "a" CASCADE;',
    ]


def test_casts() -> None:
    text = 'ALTER TABLE "t" ALTER COLUMN "c" SET DATA TYPE integer;'
    given = {(Name("", "t"), "c"): ["TEXT"]}
    assert corrections.casts([text], given) == [
        'ALTER TABLE "t" ALTER COLUMN "c" SET DATA TYPE integer USING "c"::text::integer;'
    ]
    assert corrections.casts([text], {(Name("", "t"), "c"): ["BIGINT"]}) == [text]


def test_an_unnamed_primary_key() -> None:
    text = '/* a primary key */\n\n-- ALTER TABLE "t" DROP CONSTRAINT "<constraint_name>";'
    assert corrections.primary_keys([text]) == ['ALTER TABLE "t" DROP CONSTRAINT "t_pkey";']


def test_row_security_and_quiet_indexes_and_what_is_there() -> None:
    off = 'ALTER TABLE "t" DISABLE ROW LEVEL SECURITY;'
    assert corrections.no_row_security_off([off, 'DROP TABLE "t";']) == ['DROP TABLE "t";']
    assert corrections.quiet_indexes(['DROP INDEX "i";'], {"i"}) == ['DROP INDEX CONCURRENTLY "i";']
    assert corrections.if_exists([DROP]) == ['ALTER TABLE "t" DROP COLUMN IF EXISTS "a";']


def test_renames() -> None:
    (one,) = renames('ALTER TABLE "t" RENAME COLUMN "a" TO "b";')
    assert (one.kind, one.old.name, one.new.name, one.tables) == ("column", "a", "b", ("t",))


NONE = {
    "rows": f"{ADD} INSERT INTO other VALUES (1);",  # noqa: S608 - ours
    "a function": f"{ADD} CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;",
    "not what the snapshot says": 'ALTER TABLE "t" ADD COLUMN "b" integer;',
    "unreadable": "select '",
}


@pytest.mark.parametrize("sql", NONE.values(), ids=NONE)
def test_nothing_is_proposed(sql: str) -> None:
    found = propose(migration("0000_x", 1, sql), Answer((ADD,), (DROP,)))
    assert found.down is None
    assert found.missing


def test_a_whole_way_back_is_proposed() -> None:
    found = propose(migration("0000_x", 1, ADD), Answer((ADD,), (DROP,)))
    assert found.down
    assert (found.down.klass, found.missing) == ("A", ())

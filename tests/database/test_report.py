"""What a session has said, read: in any language, with notices between."""

from __future__ import annotations

import pytest

from deploy.database.migrations.report import PgError, line_in_file, read
from deploy.database.migrations.transaction import Unit

ENGLISH = """NOTICE:  42P06: schema "drizzle" already exists, skipping
LOCATION:  CreateSchemaCommand, schemacmds.c:131
headway begin 0
headway unit 0 0
headway unit 0 1
headway done 0 0.125
headway there 1
headway begin 2
headway invalid ["public.old"]
headway unit 2 0
WARNING:  25P01: there is no transaction in progress
LOCATION:  EndTransactionBlock, xact.c:4102
headway unit 2 1
ERROR:  23505: could not create unique index "i"
DETAIL:  Key (a)=(1) is duplicated.
LOCATION:  comparetup_index_btree_tiebreak, tuplesortvariants.c:1550
"""


def test_a_session_that_failed() -> None:
    found = read(ENGLISH)
    assert found.done == {0: 0.125}
    assert found.there == {1}
    assert found.settled == {0, 1}
    assert (found.begun, found.unit) == (2, 1)
    assert found.invalid == {"public.old"}
    assert found.holder is None
    assert found.error == PgError(
        "23505",
        'could not create unique index "i"',
        text='ERROR:  23505: could not create unique index "i"\n'
        "DETAIL:  Key (a)=(1) is duplicated.",
    )


def test_a_session_that_was_well() -> None:
    found = read("headway begin 0\nheadway done 0 1.5\n")
    assert (found.done, found.begun, found.error) == ({0: 1.5}, None, PgError())


def test_somebody_else_is_at_it() -> None:
    found = read(
        'headway busy {"pid" : 7, "application" : "headway-migrate", "user" : null, "state" : "x",'
        ' "client" : "10.0.0.1", "query_start" : null, "transaction_start" : null}\n'
    )
    assert found.holder
    assert str(found.holder) == "pid 7, headway-migrate (from 10.0.0.1, x)"
    # It was gone when it was looked for.
    gone = read("headway busy \n").holder
    assert gone
    assert gone.pid == 0


POSITIONS = {
    "english": (
        "ERROR:  42601: syntax error\nLINE 2: frob x\n        ^\nLOCATION:  s, scan.l:1\n",
        2,
    ),
    "german": ("FEHLER:  42601: Syntaxfehler\nZEILE 12: frob x\n          ^\n", 12),
    "french": ("ERREUR:  42601: erreur\nLIGNE 3 : frob x\n          ^\n", 3),
    "none": ("ERROR:  23505: duplicate\nDETAIL:  LINE 2: x\n", None),
}


@pytest.mark.parametrize(("said", "line"), POSITIONS.values(), ids=POSITIONS)
def test_the_position_in_any_language(said: str, line: int | None) -> None:
    error = read(said).error
    assert error.line == line
    assert error.excerpt == ("frob x" if line else "")
    assert "LOCATION" not in error.text


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("psql: error: connection refused\n", ""),
        ("NOTICE:  00000: hello\nserver closed the connection unexpectedly\n", ""),
        ("FATAL:  57P01: terminating connection\nserver closed the connection\n", "57P01"),
    ],
)
def test_the_end_of_a_connection(text: str, state: str) -> None:
    error = read(text).error
    assert error.state == state
    assert text.strip().splitlines()[-1] in error.text


UNIT = Unit("\nselect 1;\r\n\tselect frob;", 10, 0)
LINES = {
    "where PostgreSQL says": (UNIT, PgError(line=3, excerpt=" select frob;"), 12),
    "cut at its ends": (UNIT, PgError(line=3, excerpt="ect fr"), 12),
    "within another text": (UNIT, PgError(line=1, excerpt="frob()"), None),
    "behind the end": (UNIT, PgError(line=9, excerpt=""), None),
    "the only statement": (Unit("x", 10, 11), PgError(), 11),
    "the only statement, and another text": (
        Unit("do $$ execute a $$", 10, 10),
        PgError(line=1, excerpt="frob"),
        10,
    ),
    "nobody knows": (UNIT, PgError(), None),
}


@pytest.mark.parametrize(("unit", "error", "line"), LINES.values(), ids=LINES)
def test_the_line_in_the_file(unit: Unit, error: PgError, line: int | None) -> None:
    assert line_in_file(error, unit) == line

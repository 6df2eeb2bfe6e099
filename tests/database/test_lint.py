"""What the text of a migration shows, by the real squawk and by our own reading."""

from __future__ import annotations

import pytest

from deploy.database.lint.lint import File, allowances, is_contract, lint
from deploy.database.lint.rules import OF_FILE, RULES, Finding

from .judged import HARMLESS, HAZARDS


def found(*texts: str, before: str = "", apart: bool = False) -> list[Finding]:
    files = [File(f"{number}.sql", text) for number, text in enumerate(texts)]
    return lint(files, [File("before.sql", before)], apart=apart)


def rules(*texts: str, before: str = "", apart: bool = False) -> list[str]:
    return [one.rule for one in found(*texts, before=before, apart=apart)]


# --- each text by itself -------------------------------------------------------------------------


def test_the_tables_are_large_enough() -> None:
    assert len(HARMLESS) >= 30
    assert len(HARMLESS) + len(HAZARDS) >= 120
    # Every rule is met at least once but the one for exceptions, which has its tests below, and
    # those that no text shows.
    met = set().union(*(expected for _, expected in HAZARDS.values()))
    assert set(RULES) - met == {"bad-exception", *OF_FILE}


@pytest.mark.parametrize(("text", "expected"), HAZARDS.values(), ids=HAZARDS)
def test_no_hazard_is_missed(text: str, expected: set[str]) -> None:
    assert set(rules(text)) == expected


def test_the_harmless_pass() -> None:
    """At most two may be flagged; none is."""
    flagged = {name: met for name, text in HARMLESS.items() if (met := rules(text))}
    assert flagged == {}


def test_all_of_them_in_one_go() -> None:
    """Each alone after all before it, as the lint does without --since: one run of squawk."""
    texts = [text for text, _ in HAZARDS.values()]
    by_file: dict[str, set[str]] = {}
    for one in found(*texts, apart=True):
        by_file.setdefault(one.file, set()).add(one.rule)
    alone = {f"{number}.sql": expected for number, (_, expected) in enumerate(HAZARDS.values())}
    differ = {name for name in alone if alone[name] != by_file.get(name)}
    # What one text makes is there for the next: those are other findings, and never fewer files.
    assert set(by_file) == set(alone)
    assert len(differ) < 10


# --- where, what, and once -----------------------------------------------------------------------


def test_a_finding_says_where_and_what() -> None:
    text = """\
-- a comment

ALTER TABLE "users" ADD COLUMN "a" text,
    DROP COLUMN "name", DROP "Größe";--> statement-breakpoint
DO $$
BEGIN
    PERFORM 1;
    ALTER TABLE audit."Log"
        ALTER who SET NOT NULL;
END $$;"""
    assert [(one.line, one.rule, one.subject) for one in found(text)] == [
        (3, "drop-column", "users.name"),
        (3, "drop-column", "users.Größe"),
        (8, "set-not-null", "audit.Log.who"),
        (8, "set-not-null-scan", "audit.Log"),
        # While all its rows are read, users stays locked.
        (8, "many-locks", "audit.Log"),
    ]
    first = found(text)[0]
    assert first.file == "0.sql"
    assert first.detail == (
        'ALTER TABLE "users" ADD COLUMN "a" text, DROP COLUMN "name", DROP "Größe"'
    )


def test_a_rule_is_met_once_for_a_statement_and_a_subject() -> None:
    text = "ALTER TABLE orders ALTER a TYPE text, ALTER b TYPE text; DELETE FROM a; DELETE FROM a;"
    assert [(one.rule, one.subject) for one in found(text)] == [
        ("change-type", "orders.a"),
        ("rewrite", "orders"),
        ("change-type", "orders.b"),
        ("delete", "a"),
        ("delete", "a"),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("DO $$\nBEGIN\n  -- why\n  DROP TABLE users;\nEND $$;", 4),
        ("\n\nDO '\nbegin\ndrop table users;\nend';", 5),
        ("DO $$ BEGIN\nIF true\nTHEN\n\nDROP TABLE users; END IF; END $$;", 5),
        ("DO $$ BEGIN\n EXECUTE\n'DROP TABLE users'; END $$;", 3),
        ("DO $$ BEGIN DO $x$ BEGIN\n\n DROP TABLE users; END $x$; END $$;", 3),
    ],
)
def test_the_line_within_a_block(text: str, line: int) -> None:
    assert [one.line for one in found(text) if one.rule == "drop-table"] == [line]


def test_what_squawk_alone_sees_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were our own reading blind, squawk's would stand."""
    monkeypatch.setattr("deploy.database.lint.hazards", lambda *_: [])
    text = """ALTER TABLE users ADD a text;
        ALTER TABLE users DROP name;
        DO $$ BEGIN
        DROP TABLE a; END $$"""
    assert [(one.rule, one.line) for one in found(text)] == [("drop-column", 2), ("drop-table", 4)]


# --- the batch -----------------------------------------------------------------------------------

MAKES = "CREATE TABLE t (id int);"
CONTEXT = {
    "what the batch has made": ([MAKES, "ALTER TABLE t DROP id; CREATE INDEX ON t (id);"], "", []),
    "what was there": (["ALTER TABLE t DROP id;"], MAKES, ["drop-column"]),
    "what was perhaps there was there": (
        ["CREATE TABLE IF NOT EXISTS t (id int); ALTER TABLE t ADD a int NOT NULL;"],
        MAKES,
        ["add-required-column"],
    ),
    "a varchar that was shorter": (
        ["ALTER TABLE t ALTER a TYPE varchar(20); ALTER TABLE t ALTER a SET DATA TYPE text;"],
        "CREATE TABLE t (a character varying(10));",
        [],
    ),
    "a varchar that was longer": (
        ["ALTER TABLE t ALTER a TYPE varchar(5)"],
        "CREATE TABLE t (a varchar(10));",
        ["change-type", "rewrite"],
    ),
    "more digits": (
        ["ALTER TABLE t ALTER a TYPE numeric(12, 2)"],
        "CREATE TABLE t (id int); ALTER TABLE t ADD COLUMN a numeric(10,2);",
        [],
    ),
    "another scale": (
        ["ALTER TABLE t ALTER a TYPE numeric(12, 3)"],
        "CREATE TABLE t (a decimal(10,2));",
        ["change-type", "rewrite"],
    ),
    "a larger integer is another type to a client": (
        ["ALTER TABLE t ALTER a TYPE bigint"],
        "CREATE TABLE t (a int);",
        ["change-type", "rewrite"],
    ),
    "an expression may change what it holds": (
        ["ALTER TABLE t ALTER a TYPE text USING lower(a)"],
        "CREATE TABLE t (a varchar(10));",
        ["change-type", "rewrite"],
    ),
    "a check of an earlier deploy": (
        ["ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL;"],
        "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID;",
        ["set-not-null"],
    ),
    "a check of an earlier file": (
        [
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID;",
            "ALTER TABLE t VALIDATE CONSTRAINT c;",
            "ALTER TABLE t ALTER a SET NOT NULL; ALTER TABLE t DROP CONSTRAINT c;",
        ],
        "CREATE TABLE t (a int);",
        ["add-check", "set-not-null"],
    ),
    "a check of an earlier transaction of the file": (
        [
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; COMMIT;"
            "ALTER TABLE t VALIDATE CONSTRAINT c;",
        ],
        "CREATE TABLE t (a int);",
        ["add-check", "not-atomic"],
    ),
    "a check in a file without a transaction": (
        [
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;"
            "ALTER TABLE t VALIDATE CONSTRAINT c; CREATE INDEX CONCURRENTLY ON t (a);",
        ],
        "CREATE TABLE t (a int);",
        ["add-check", "not-atomic"],
    ),
    "a check that went": (
        ["ALTER TABLE t DROP CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL;"],
        "CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL);",
        ["drop-constraint", "set-not-null", "set-not-null-scan"],
    ),
    "a new table of the old name": (
        ["ALTER TABLE t RENAME TO old; CREATE TABLE t (id int); DROP TABLE old;"],
        MAKES,
        ["rename-table", "drop-table"],
    ),
    "what was renamed is no longer the new one": (
        [
            "CREATE TABLE t (id int); DROP TABLE t;",
            "ALTER TABLE users RENAME TO t;",
            "DROP TABLE t",
        ],
        "",
        ["rename-table", "drop-table"],
    ),
}


@pytest.mark.parametrize(("texts", "before", "expected"), CONTEXT.values(), ids=CONTEXT)
def test_what_is_known_of_the_others(texts: list[str], before: str, expected: list[str]) -> None:
    assert rules(*texts, before=before) == expected


def test_apart_what_one_makes_is_old_for_the_next() -> None:
    texts = (MAKES, "ALTER TABLE t DROP id;")
    assert rules(*texts) == []
    assert rules(*texts, apart=True) == ["drop-column"]


def test_an_index_is_its_tables() -> None:
    (one,) = found("DROP INDEX i;", before="CREATE INDEX i ON orders (id);")
    assert one.subject == "orders"


def test_one_that_cannot_be_read_hides_no_other() -> None:
    texts = ("DROP TABLE a;", "SELECT 'x", "DROP TABEL b; DROP TABLE b", "DROP TABLE c;")
    assert [(one.file, one.rule) for one in found(*texts)] == [
        ("0.sql", "drop-table"),
        ("1.sql", "unreadable"),
        ("2.sql", "unreadable"),
        ("2.sql", "drop-table"),
        ("3.sql", "drop-table"),
    ]


# --- exceptions ----------------------------------------------------------------------------------

ALLOWED = {
    "before it": "-- deploy: allow drop-table it was never used\nDROP TABLE a;",
    "in it": "DROP TABLE -- deploy: allow drop-table it was never used\n a;",
    "behind it": "SELECT 1;\nDROP TABLE a; -- deploy: allow drop-table it was never used",
    "behind it, before the breakpoint":
        "DROP TABLE a; -- deploy: allow drop-table it was never used --> statement-breakpoint",
    "in other marks": "/* deploy: allow drop-table it was\n never used */ DROP TABLE a;",
    "around a block": """
        -- deploy: allow drop-table it was never used
        DO $$ BEGIN DROP TABLE a; END $$""",
    "in a block": """DO $$ BEGIN
        SELECT 1; -- something
        -- deploy: allow drop-table it was never used
        DROP TABLE a; END $$""",
    "behind it in a block": """DO $$ BEGIN
        DROP TABLE a; -- deploy: allow drop-table it was never used
        SELECT 1; END $$""",
}  # fmt: skip


@pytest.mark.parametrize("text", ALLOWED.values(), ids=ALLOWED)
def test_an_exception(text: str) -> None:
    (one,) = found(text)
    assert (one.rule, one.allowed) == ("drop-table", "it was never used")


def test_an_exception_is_for_its_statement_and_its_rule_alone() -> None:
    text = """\
-- deploy: allow drop-table gone
DROP TABLE a;
DROP TABLE b;
-- deploy: allow change-type it fits
ALTER TABLE c ALTER d TYPE int;"""
    assert [(one.rule, one.subject, one.allowed) for one in found(text)] == [
        ("drop-table", "a", "gone"),
        ("drop-table", "b", ""),
        ("change-type", "c.d", "it fits"),
        ("rewrite", "c", ""),
        ("many-locks", "c", ""),
    ]


def test_two_exceptions_for_one() -> None:
    text = """\
-- deploy: allow change-type it fits
-- deploy: allow rewrite it is small
ALTER TABLE c ALTER d TYPE int;"""
    assert [one.allowed for one in found(text)] == ["it fits", "it is small"]


WRONG = {
    "no such rule": ("-- deploy: allow drop-tabel x\nDROP TABLE a;", "did you mean drop-table"),
    "far from any": ("-- deploy: allow 42 x\nDROP TABLE a;", "docs/migrations.md has them all"),
    "no reason": ("-- deploy: allow drop-table\nDROP TABLE a;", "has no reason"),
    "no words": ("-- deploy: allow drop-table ...!\nDROP TABLE a;", "has no reason"),
    "no rule": ("-- deploy: allow\nDROP TABLE a;", "allow what?"),
    "another's": (
        "-- deploy: allow drop-column gone\nDROP TABLE a;",
        "allows nothing where it stands; what stands there is drop-table",
    ),
    "nothing": ("-- deploy: allow drop-column gone\nSELECT 1;\nDROP TABLE a;", "allows nothing"),
    "no statement": ("DROP TABLE a;\n\n-- deploy: allow drop-table gone\n", "with no statement"),
    "no such word": ("-- deploy: alow drop-table gone\nDROP TABLE a;", "did you mean allow"),
    "no such phase": ("-- deploy: phase=contarct\nDROP TABLE a;", "phase=contract, alone"),
    "a phase for one": ("-- deploy: phase=contract b\nDROP TABLE a;", "phase=contract, alone"),
    "empty": ("-- deploy:\nDROP TABLE a;", "it says nothing"),
    "what can't be": ("-- deploy: allow bad-exception x\nDROP TABLE a;", "can't be allowed"),
}


@pytest.mark.parametrize(("text", "why"), WRONG.values(), ids=WRONG)
def test_an_exception_that_is_none(text: str, why: str) -> None:
    by_rule = {one.rule: one for one in found(text)}
    assert set(by_rule) == {"drop-table", "bad-exception"}
    assert by_rule["drop-table"].allowed == ""
    assert why in by_rule["bad-exception"].detail
    assert by_rule["bad-exception"].line == text[: text.index("-- deploy")].count("\n") + 1


def test_what_cannot_be_read_cannot_be_allowed() -> None:
    both = found("-- deploy: allow unreadable I know what I do\nDROP TABEL a;")
    assert [(one.rule, one.allowed) for one in both] == [("bad-exception", ""), ("unreadable", "")]
    assert both[0].detail == "unreadable can't be allowed"


def test_an_exception_for_what_another_batch_would_show() -> None:
    """New in this batch, so harmless; if it came in an earlier deploy the exception is needed."""
    makes = "ALTER TABLE users ADD COLUMN a int;"
    drops = "-- deploy: allow drop-column nobody reads it\nALTER TABLE users DROP COLUMN a;"
    assert rules(makes, drops) == []
    (one,) = found(makes, drops, apart=True)
    assert (one.rule, one.allowed) == ("drop-column", "nobody reads it")


def test_an_exception_for_what_the_catalogue_will_show() -> None:
    text = "-- deploy: allow drop-table gone\n-- deploy: allow opaque looked at\nCALL tidy();"
    assert [(one.rule, one.allowed) for one in found(text)] == [("opaque", "looked at")]
    assert allowances(File("a.sql", text)) == {"drop-table": "gone", "opaque": "looked at"}


def test_phases() -> None:
    assert is_contract(File("a.sql", "DROP TABLE a;\n-- deploy: phase=contract\n"))
    assert is_contract(File("a.sql", "/* deploy: phase=contract */ DROP TABLE a"))
    assert not is_contract(File("a.sql", "DROP TABLE a; -- phase=contract"))
    assert not is_contract(File("a.sql", "SELECT '-- deploy: phase=contract'"))
    assert not is_contract(File("a.sql", "-- deploy: phase=contract\nSELECT 'x"))

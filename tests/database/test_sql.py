"""Where a statement ends, whatever stands in it."""

from __future__ import annotations

import pytest

from deploy.database.migrations.sql import (
    Comment,
    Unreadable,
    comments,
    pieces,
    quoted_bodies,
    statements,
    without_comments,
)

CUT = {
    "two": ("select 1; select 2", ["select 1", "select 2"]),
    "nothing": (" \n;;-- only this\n;", []),
    "a string": ("select ';' || ';''' ;select 2", ["select ';' || ';'''", "select 2"]),
    "an escape string": (r"select E'\';' ; select 2", [r"select E'\';'", "select 2"]),
    "a backslash that is one": ("select '\\'; select 2", ["select '\\'", "select 2"]),
    "a name": ('select ";" from "a""b;"; x', ['select ";" from "a""b;"', "x"]),
    "a body": ("do $$ begin a; b; end $$; x", ["do $$ begin a; b; end $$", "x"]),
    "a body in a body": (
        "do $x$ begin execute $$a;$$; end $x$; x",
        ["do $x$ begin execute $$a;$$; end $x$", "x"],
    ),
    "a parameter is no quote": ("select $1; select $2", ["select $1", "select $2"]),
    "a dollar in a name": ("select a$$; x$$", ["select a$$", "x$$"]),
    "comments": ("select /* ; /* ; */ ; */ 1; -- ;\nx", ["select /* ; /* ; */ ; */ 1", "x"]),
    "a rule's list": (
        "create rule r as on a do (b; c); x",
        ["create rule r as on a do (b; c)", "x"],
    ),
    "a body of SQL": (
        "create function f() begin atomic select case when a then b end; c; end; x",
        ["create function f() begin atomic select case when a then b end; c; end", "x"],
    ),
    "a transaction's begin": ("begin; x; end; y", ["begin", "x", "end", "y"]),
    "drizzle's breakpoint": ("a;--> statement-breakpoint\nb;", ["a", "b"]),
    "drizzle's breakpoint alone": ("a\n--> statement-breakpoint\nb", ["a", "b"]),
    "a breakpoint in a string": (
        "a '\n--> statement-breakpoint\n'; b",
        ["a '\n--> statement-breakpoint\n'", "b"],
    ),
    "a carriage return ends a comment": ("-- a\rb; c", ["b", "c"]),
    "names and quotes beyond ASCII": (
        "é$$; x€y; $€$ ' $€$; b",
        ["é$$", "x€y", "$€$ ' $€$", "b"],
    ),
    "an escape string in two lines": ("E'a'\n 'b\\''; c", ["E'a'\n 'b\\''", "c"]),
    "two strings in one line": ("E'a' 'b\\'; c", ["E'a' 'b\\'", "c"]),
}


@pytest.mark.parametrize(("text", "found"), CUT.values(), ids=CUT)
def test_where_a_statement_ends(text: str, found: list[str]) -> None:
    assert [one.text for one in statements(text)] == found


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a;\nselect 'b;\n", 2, "a ' quote"),
        ('a;\n\nselect "b;', 3, 'a " quote'),
        ("do $x$ $$ ;", 1, "a $x$ quote"),
        ("a /* /* */ ;", 1, "a /* comment"),
        ("a (b;\nc;", 1, "a bracket"),
    ],
)
def test_what_nothing_ends(text: str, line: int, what: str) -> None:
    with pytest.raises(Unreadable) as caught:
        statements(text)
    assert (caught.value.line, caught.value.what) == (line, what)


def test_lines_and_comments() -> None:
    text = "-- one\n\n-- two\nalter /* in */ table a -- end\n; -- behind\n\ndrop x; -- same line\ny"
    first, second, third = statements(text)
    assert (first.line, second.line, third.line) == (4, 7, 8)
    assert [one.text for one in first.comments] == ["one", "two", "end", "in"]
    # Behind the semicolon on another line than the statement's last: it is the next one's.
    assert second.comments == (Comment(5, "behind"), Comment(7, "same line"))
    assert third.comments == ()


def test_bare_is_for_keywords_alone() -> None:
    (one,) = statements("insert into \"Drop\" values ('drop', $$drop$$) /* drop */ returning 1")
    assert one.bare == "INSERT INTO \"Drop\" VALUES ('', $$$$)   RETURNING 1"
    assert one.words[:4] == ["INSERT", "INTO", '"Drop"', "VALUES"]


def test_bodies() -> None:
    assert quoted_bodies("a;\ndo $x$ b $$c$$ $x$; $$d$$") == [(2, " b $$c$$ "), (2, "d")]


def test_pieces_are_cut_by_the_string_alone() -> None:
    assert pieces("a;--> statement-breakpoint\nb") == ["a;", "\nb"]


def test_comments_alone() -> None:
    text = "-- a\nx '-- no' /* b\n c */ y; -- d\n\n-- e"
    assert comments(text) == [
        Comment(1, "a"),
        Comment(2, "b\n c"),
        Comment(3, "d"),
        Comment(5, "e"),
    ]
    assert without_comments(text) == " \nx '-- no'  \n y;  \n\n "

"""SQL text cut into statements, as PostgreSQL's own scanner would. Pure.

Only quotes, comments and brackets are understood here, which is all that it takes to find where a
statement ends; what a statement does is for others to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

BREAKPOINT = "--> statement-breakpoint"
"""What drizzle-kit puts between statements; to PostgreSQL it is a comment."""


class Unreadable(ValueError):
    """A quote, a comment or a bracket that nothing ends; `line` is where it begins."""

    def __init__(self, line: int, what: str) -> None:
        super().__init__(f"{what} that nothing ends")
        self.line = line
        self.what = what


@dataclass(frozen=True)
class Comment:
    """A comment; `line` counts from 1, `text` is without its marks and outer blanks."""

    line: int
    text: str


@dataclass(frozen=True)
class Statement:
    """One statement, without its semicolon and without the comments before it.

    `line` is that of its first word, counted from 1. `comments` are those before it, in it, and
    behind it on its last line. `bare` is what is left to look for keywords in: the text in upper
    case, with a blank for each comment and `''` or `$$$$` in place of what is quoted.
    """

    text: str
    line: int
    bare: str
    comments: tuple[Comment, ...] = ()

    @property
    def words(self) -> list[str]:
        """The words of `bare`: names (those in quotes as written), numbers, strings, marks."""
        return re.findall(
            r"""(?:[uU]&)?"(?:[^"]|"")*"|''|::|[\w$\x80-\U0010ffff]+|[^ \t\n\r\f\v\w]""", self.bare
        )


class Token(NamedTuple):
    """A piece of text as the scanner sees it; `line` is where it begins, from 1.

    There are millions in a file of data, and a tuple is made in a third of a dataclass's time.

    `kind` is blank, line or block (comments), string, name (in quotes), dollar, word, or mark.
    """

    kind: str
    text: str
    line: int

    @property
    def means(self) -> bool:
        """Whether it is more than a blank or a comment."""
        return self.kind not in {"blank", "line", "block"}


# As src/backend/parser/scan.l has it: only these are blanks, a carriage return ends a comment too,
# any character beyond ASCII may stand in a name, an E string goes on in the next line's quotes.
_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\n\r\f\v]+)
    | (?P<line>--[^\n\r]*)
    | (?P<block>/\*)
    | (?P<string>[eE]'(?:[^'\\]|\\.|'')*'(?:[ \t]*[\n\r]\s*'(?:[^'\\]|\\.|'')*')*
               | (?:[bBxXnN]|[uU]&)?'(?:[^']|'')*')
    | (?P<name>(?:[uU]&)?"(?:[^"]|"")*")
    | (?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$)
    | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*|\d[\w.]*)
    | (?P<open_quote>['"])
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)


_IN_ONE_LINE = {"word", "mark"}


def tokens(text: str) -> Iterator[Token]:
    """Cut a text into tokens, which together are the text.

    Raises:
        Unreadable: something is begun that nothing ends.
    """
    at, line = 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match  # noqa: S101 - `mark` takes any character
        kind, end = str(match.lastgroup), match.end()
        if kind == "block":
            end = _end_of_comment(text, at, line)
        elif kind == "dollar":
            close = text.find(match.group(), end)
            if close < 0:
                raise Unreadable(line, f"a {match.group()} quote")
            end = close + len(match.group())
        elif kind == "open_quote":
            raise Unreadable(line, f"a {match.group()} quote")
        yield Token(kind, text[at:end], line)
        if kind not in _IN_ONE_LINE:
            line += text.count("\n", at, end)
        at = end


def _end_of_comment(text: str, at: int, line: int) -> int:
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(text, at):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    raise Unreadable(line, "a /* comment")


def comment_of(token: Token) -> Comment:
    """The comment that a token of kind line or block is."""
    inner = token.text[2:] if token.kind == "line" else token.text[2:-2]
    return Comment(token.line, inner.strip())


class _Depth:
    """Whether a semicolon ends the statement: not in brackets, not in a BEGIN ATOMIC body."""

    def __init__(self) -> None:
        self.brackets: list[int] = []
        self.blocks = 0
        self.last = ""

    def take(self, token: Token) -> None:
        word = token.text.upper()
        if token.kind == "mark" and word in "([":
            self.brackets.append(token.line)
        elif token.kind == "mark" and word in ")]":
            if self.brackets:
                self.brackets.pop()
        elif token.kind == "word":
            if word == "ATOMIC" and self.last == "BEGIN":
                self.blocks = 1
            elif self.blocks and word == "CASE":
                self.blocks += 1
            elif self.blocks and word == "END":
                self.blocks -= 1
        if token.means:
            self.last = word

    @property
    def outside(self) -> bool:
        return not self.brackets and not self.blocks


def statements(text: str) -> list[Statement]:
    """Cut a text into its statements; drizzle-kit's breakpoint ends one as a semicolon does.

    Raises:
        Unreadable: something is begun that nothing ends.
    """
    found: list[Statement] = []
    pending: list[Comment] = []
    taken: list[Token] = []
    depth = _Depth()

    def finish() -> None:
        nonlocal taken, pending, depth
        if depth.brackets:
            raise Unreadable(depth.brackets[0], "a bracket")
        if taken:
            found.append(_statement(taken, pending))
            pending = []
        taken, depth = [], _Depth()

    for token in tokens(text):
        if token.text.startswith(BREAKPOINT) and depth.outside:
            finish()
        elif token.kind in {"line", "block"}:
            comment = comment_of(token)
            if taken:
                taken.append(token)
            elif found and not pending and _last_line(found[-1]) == comment.line:
                # Behind the statement, on its last line.
                last = found.pop()
                found.append(Statement(last.text, last.line, last.bare, (*last.comments, comment)))
            else:
                pending.append(comment)
        elif token.kind == "mark" and token.text == ";" and depth.outside:
            finish()
        elif token.kind == "blank" and not taken:
            continue
        else:
            depth.take(token)
            taken.append(token)
    finish()
    return found


def comments(text: str) -> list[Comment]:
    """Return every comment of a text, those that stand with no statement as well.

    Raises:
        Unreadable: something is begun that nothing ends.
    """
    return [comment_of(one) for one in tokens(text) if one.kind in {"line", "block"}]


def without_comments(text: str) -> str:
    """The text with a blank for each comment, and every line where it was.

    Raises:
        Unreadable: something is begun that nothing ends.
    """
    if "--" not in text and "/*" not in text:
        return text
    return "".join(
        one.text if one.kind not in {"line", "block"} else " " + "\n" * one.text.count("\n")
        for one in tokens(text)
    )


def _last_line(statement: Statement) -> int:
    return statement.line + statement.text.count("\n")


def _statement(taken: list[Token], before: list[Comment]) -> Statement:
    while not taken[-1].means and len(taken) > 1:
        last = taken.pop()
        if last.kind != "blank":
            before = [*before, comment_of(last)]
    inside = [comment_of(token) for token in taken if token.kind in {"line", "block"}]
    bare = "".join(_bare(token) for token in taken)
    text = "".join(token.text for token in taken)
    return Statement(text, taken[0].line, bare, (*before, *inside))


def _bare(token: Token) -> str:
    match token.kind:
        case "line" | "block":
            return " "
        case "string":
            return "''"
        case "dollar":
            return "$$$$"
        case "name":
            return token.text
        case _:
            return token.text.upper()


def quoted_bodies(text: str) -> list[tuple[int, str]]:
    """Return (line, content) of every dollar-quoted body in a text: what DO and functions hold.

    Raises:
        Unreadable: something is begun that nothing ends.
    """
    bodies = []
    for token in tokens(text):
        if token.kind == "dollar":
            mark = token.text[: token.text.index("$", 1) + 1]
            bodies.append((token.line, token.text[len(mark) : -len(mark)]))
    return bodies


def pieces(text: str) -> list[str]:
    """Cut a text at drizzle-kit's breakpoints, as Drizzle's migrator does: by that string alone."""
    return text.split(BREAKPOINT)

"""The statements in a `DO` block: PL/pgSQL taken apart as far as it is known what it runs. Pure.

Branches are read as if each were taken, and what is evaluated (a condition, an assignment) is a
SELECT of it. Text that is run as SQL is read too where it stands there as it is, and is opaque all
the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.database.migrations.sql import (
    Statement,
    Token,
    Unreadable,
    comment_of,
    statements,
    tokens,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNTIL = {
    "IF": "THEN",
    "ELSIF": "THEN",
    "ELSEIF": "THEN",
    "WHEN": "THEN",
    "CASE": "THEN",
    "WHILE": "LOOP",
    "FOR": "LOOP",
    "FOREACH": "LOOP",
}
"""A control word → the word that ends what it evaluates."""

_MARKS = {"BEGIN", "LOOP", "ELSE", "EXCEPTION"}
_SILENT = {"RAISE", "NULL", "EXIT", "CONTINUE", "GET", "CLOSE", "FETCH", "MOVE"}
_EVALUATES = {"PERFORM", "ASSERT", "RETURN"}
_QUERY = {"SELECT", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "EXECUTE", "VALUES"}
_SQL = {
    *("ALTER", "ANALYZE", "CLUSTER", "COMMENT", "COPY", "CREATE", "DELETE", "DO", "DROP", "GRANT"),
    *("INSERT", "LOCK", "MERGE", "REFRESH", "REINDEX", "REVOKE", "SECURITY", "SET", "TRUNCATE"),
    *("UPDATE", "VACUUM", "IMPORT", "REASSIGN", "NOTIFY", "RESET"),
}


@dataclass(frozen=True)
class Part:
    """A statement that a file runs: one of its own, or one from a block.

    `around` is the statement of the file that it stands in, None for one of the file's own.
    `plain`: it is SQL as it stands there, without anything that only PL/pgSQL has. `opaque` says
    why nobody can tell what it does.
    """

    statement: Statement
    around: Statement | None = None
    plain: bool = True
    opaque: str = ""


def parts(statement: Statement) -> list[Part]:
    """Return the statement itself and, behind it, all that it is known to run.

    Raises:
        Unreadable: a body begins something that nothing ends; its line is the file's.
    """
    found = [Part(statement)]
    if statement.words[0] == "DO":
        found += [replace(one, around=statement) for one in _block(statement)]
    return found


def _block(statement: Statement) -> Iterator[Part]:
    language, body = "plpgsql", None
    previous = ""
    for token in tokens(statement.text):
        if token.kind in {"dollar", "string"} and previous != "LANGUAGE":
            body = token
        elif previous == "LANGUAGE" and token.means:
            language = token.text.strip("\"'").lower()
        if token.means:
            previous = token.text.upper()
    text = None if body is None else content(body)
    if body is None or text is None or language != "plpgsql":
        yield Part(statement, opaque=f"a block in {language} that is not read")
        return
    offset = statement.line + body.line - 2
    try:
        yield from (_moved(one, offset) for one in _Body(text).read())
    except Unreadable as error:
        raise Unreadable(error.line + offset, error.what) from None


def content(token: Token) -> str | None:
    """What a quoted text says; None where its escapes are not read."""
    if token.kind == "dollar":
        mark = token.text[: token.text.index("$", 1) + 1]
        return token.text[len(mark) : -len(mark)]
    if token.text.startswith("'"):
        return token.text[1:-1].replace("''", "'")
    return None


def _moved(part: Part, lines: int) -> Part:
    one = part.statement
    comments = tuple(replace(comment, line=comment.line + lines) for comment in one.comments)
    return replace(part, statement=replace(one, line=one.line + lines, comments=comments))


def _noted(part: Part, token: Token) -> Part:
    one = part.statement
    return replace(part, statement=replace(one, comments=(*one.comments, comment_of(token))))


@dataclass
class _Body:
    """Walks over the tokens of a body once."""

    text: str
    found: list[Part] = field(default_factory=list)
    taken: list[Token] = field(default_factory=list)
    """The piece at hand, with the blanks and comments before it."""
    words: list[str] = field(default_factory=list)
    depth: int = 0
    cases: int = 0
    declares: bool = False
    label: bool = False
    newest: int = 0
    """Where in `found` the last statement's parts begin."""

    def read(self) -> list[Part]:
        for token in tokens(self.text):
            self._take(token)
        self._flush()
        return self.found

    def _take(self, token: Token) -> None:
        if not token.means:
            if self.words or token.kind == "blank" or not self._behind(token):
                self.taken.append(token)
            return
        word = token.text.upper()
        if word == ";" and self.depth == 0:
            self._flush()
        elif not self.words and (word in _MARKS or self._is_label(word)):
            self.declares = self.declares and word != "BEGIN"
        elif not self.words and word == "DECLARE":
            self.declares = True
        elif self._ends_condition(word):
            self._condition()
        else:
            self.depth += (word in "([") - (word in ")]")
            if self.words:
                self.cases += (word == "CASE") - (word == "END")
            self.words.append(word)
            self.taken.append(token)

    def _behind(self, token: Token) -> bool:
        """Give a comment to the statement that it stands behind, if that ends on its line."""
        newest = self.found[self.newest :]
        if not newest or any(not one.text.isspace() for one in self.taken):
            return False
        one = newest[0].statement
        if one.line + one.text.count("\n") != token.line:
            return False
        self.found[self.newest :] = [_noted(part, token) for part in newest]
        return True

    def _is_label(self, word: str) -> bool:
        """`<<name>>`: its marks stand where a statement begins, and the name between them."""
        if word == "<":
            self.label = True
            return True
        if word == ">":
            self.label = False
            return True
        return self.label

    def _ends_condition(self, word: str) -> bool:
        if not self.words or self.declares or self.depth or self.cases:
            return False
        return _UNTIL.get(self.words[0]) == word

    def _condition(self) -> None:
        first = self.words[0]
        if first == "FOR" and "IN" in self.words:
            self._drop_through("IN")
            self._drop("REVERSE")
            self._emit(self._head(), plain=False)
        elif first == "FOREACH" and "ARRAY" in self.words:
            self._drop_through("ARRAY")
            self._emit("SELECT ", plain=False)
        else:
            self._drop(first)
            self._drop("WHEN")
            self._emit("SELECT ", plain=False)

    def _flush(self) -> None:
        first = self.words[0] if self.words else ""
        if not first or first == "END":
            self._clear(keep_comments=not first)
        elif self.declares:
            self._declaration()
        elif first == "RETURN" and "EXECUTE" in self.words:
            self._drop_to("EXECUTE")
            self._emit("", plain=False)
        elif first == "OPEN":
            self._drop_to("FOR")
            self._drop("FOR")
            self._emit("", plain=False)
        elif first in _SILENT:
            self._clear()
        elif first in _EVALUATES:
            for word in (first, "QUERY", "NEXT"):
                self._drop(word)
            self._emit(self._head(), plain=False)
        elif first in _SQL:
            own = first in {"INSERT", "MERGE"}
            self._emit("", plain=self.words.count("INTO") <= own)
        elif first in _QUERY | {"CALL", "COMMIT", "ROLLBACK"}:
            self._emit("", plain=False)
        elif self.words[1:2] in ([":"], ["="], ["."], ["["]) and "=" in self.words:
            self._drop_through("=")
            self._emit("SELECT ", plain=False)
        else:
            self._emit("", plain=False)

    def _declaration(self) -> None:
        """A variable's first value is evaluated."""
        for word in ("=", "DEFAULT", "FOR"):
            if word in self.words:
                self._drop_through(word)
                self._emit(self._head(), plain=False)
                return
        self._clear()

    def _head(self) -> str:
        """What is missing before an expression that is evaluated."""
        return "" if self.words and self.words[0] in _QUERY else "SELECT "

    def _drop(self, word: str) -> None:
        """Let go of the first word if it is this one."""
        if self.words and self.words[0] == word:
            self._drop_through(word)

    def _drop_to(self, word: str) -> None:
        while self.words and self.words[0] != word:
            self._drop_through(self.words[0])

    def _drop_through(self, word: str) -> None:
        kept: list[Token] = []
        while self.words:
            at = self._first()
            kept += self.taken[:at]
            self.taken = self.taken[at + 1 :]
            if self.words.pop(0) == word:
                break
        self.taken = [*kept, *self.taken]

    def _first(self) -> int:
        return next((at for at, one in enumerate(self.taken) if one.means), len(self.taken))

    def _emit(self, head: str, *, plain: bool) -> None:
        at = self._first()
        if at == len(self.taken):
            self._clear()
            return
        line = self.taken[at].line
        (one, *_) = statements(head + "".join(token.text for token in self.taken[at:]))
        moved = _moved(Part(one, plain=plain), line - 1)
        self.newest = len(self.found)
        self.found.append(moved)
        if one.words[0] == "EXECUTE":
            self.found += self._executed(self.taken[at:])
        elif one.words[0] == "DO":
            self.found += [replace(part, around=None) for part in parts(moved.statement)[1:]]
        for token in self.taken[:at]:
            if token.kind != "blank":
                newest = self.found[self.newest :]
                self.found[self.newest :] = [_noted(part, token) for part in newest]
        self._clear()

    def _executed(self, taken: list[Token]) -> list[Part]:
        """What EXECUTE runs, where all of it stands there in one quoted text."""
        meaning = [one for one in taken if one.means]
        if len(meaning) < 2 or meaning[1].kind not in {"string", "dollar"}:
            return []
        if len(meaning) > 2 and meaning[2].text.upper() not in {"USING", "INTO"}:
            return []
        try:
            inside = statements(content(meaning[1]) or "")
        except Unreadable:
            return []
        return [_moved(Part(one, plain=False), meaning[1].line - 1) for one in inside]

    def _clear(self, *, keep_comments: bool = False) -> None:
        if not keep_comments:
            self.taken = []
        self.words, self.depth, self.cases = [], 0, 0

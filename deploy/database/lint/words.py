"""The words of one statement, read from left to right. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BARE_NAME = re.compile(r"[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*")
_ESCAPE = re.compile(r"\\(?:\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4})|(\\))")


@dataclass(frozen=True, order=True)
class Name:
    """A name as PostgreSQL keeps it; `schema` is "" where none is written, or it is public."""

    schema: str
    name: str
    qualified: bool = field(default=False, compare=False)
    """Whether a schema was written, if only public."""

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


def is_name(word: str) -> bool:
    """Tell whether a word can be a name: one in quotes, or letters."""
    return word.endswith('"') or _BARE_NAME.fullmatch(word) is not None


def folded(word: str) -> str:
    """A name without its quotes, or in lower case where it has none."""
    if not word.endswith('"'):
        return word.lower()
    inner = word[word.index('"') + 1 : -1].replace('""', '"')
    if word[0] not in "uU":
        return inner
    return _ESCAPE.sub(
        lambda one: "\\" if one[3] else chr(int(one[1] or one[2], 16) % 0x110000), inner
    )


def split(words: Sequence[str], mark: str = ",") -> list[list[str]]:
    """Cut at every `mark` that stands in no bracket; nothing is one empty part."""
    parts: list[list[str]] = [[]]
    depth = 0
    for word in words:
        depth += (word in "([") - (word in ")]")
        if word == mark and depth == 0:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def outer(words: Sequence[str]) -> list[str]:
    """The words that stand in no bracket."""
    found = []
    depth = 0
    for word in words:
        depth -= word in ")]"
        if depth == 0 and word not in "()[]":
            found.append(word)
        depth += word in "(["
    return found


def groups(words: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Every bracket at any depth: the position of its `(` and the words in it."""
    opened: list[int] = []
    for at, word in enumerate(words):
        if word == "(":
            opened.append(at)
        elif word == ")" and opened:
            began = opened.pop()
            yield began, list(words[began + 1 : at])


class Reader:
    """Words that are taken one after the other; past the end there is only ""."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = list(words)
        self._at = 0

    @property
    def rest(self) -> list[str]:
        """What has not been taken."""
        return self._words[self._at :]

    def peek(self, ahead: int = 0) -> str:
        """The next word, or the one `ahead` of it."""
        at = self._at + ahead
        return self._words[at] if at < len(self._words) else ""

    def next(self) -> str:
        """Take one word."""
        word = self.peek()
        self._at += 1
        return word

    def take(self, *words: str) -> bool:
        """Take these words if they are the next."""
        if any(self.peek(ahead) != word for ahead, word in enumerate(words)):
            return False
        self._at += len(words)
        return True

    def one_of(self, *words: str) -> str:
        """Take the next word if it is one of these, else ""."""
        return self.next() if self.peek() in words else ""

    def if_exists(self) -> bool:
        """Take IF EXISTS or IF NOT EXISTS."""
        return self.take("IF", "EXISTS") or self.take("IF", "NOT", "EXISTS")

    def name(self) -> Name:
        """Take a name and its schema; without one, the name "" and nothing taken."""
        parts: list[str] = []
        while is_name(self.peek()):
            parts.append(folded(self.next()))
            if self.peek() != ".":
                break
            self.next()
        schema = parts[-2] if len(parts) > 1 else ""
        name = parts[-1] if parts else ""
        return Name("" if schema == "public" else schema, name, qualified=bool(schema))

    def group(self) -> list[str]:
        """Take the bracket that stands here, and return what is in it; [] where there is none."""
        if self.peek() != "(":
            return []
        depth = 0
        inside: list[str] = []
        while word := self.next():
            depth += (word == "(") - (word == ")")
            if depth == 0:
                break
            inside.append(word)
        return inside[1:]

    def names(self) -> list[Name]:
        """Take names with commas between them; brackets behind one (a function's) are dropped."""
        found: list[Name] = []
        while True:
            self.take("ONLY")
            name = self.name()
            if not name.name:
                return found
            found.append(name)
            self.group()
            self.take("*")
            if not self.take(","):
                return found

"""Compose's variables in text: `$A`, `${A}`, `${A:-default}`, `${A:?message}`, `${A:+other}`, `$$`.

The rules are those of the Compose specification, "Interpolation"; where it is silent (braces within
a default), those of Compose 2.26, against which the tests hold this.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")
_DEFAULT, _OTHER, _REQUIRED = (":-", "-"), (":+", "+"), (":?", "?")


@dataclass(frozen=True)
class _Use:
    """A variable with its operator and the word behind it; `text` is how it is written."""

    text: str
    name: str
    operator: str
    word: str

    @property
    def readable(self) -> bool:
        """Can Compose make anything of it?"""
        return bool(self.name) and (bool(self.operator) or not self.word)

    def value(self, values: Mapping[str, str]) -> str | None:
        """What it stands for; None where it is not set, or empty and the operator minds that."""
        value = values.get(self.name)
        return None if value == "" and self.operator.startswith(":") else value


def _parts(text: str) -> Iterator[str | _Use]:
    """Split into plain pieces and variables."""
    position = 0
    while True:
        dollar = text.find("$", position)
        if dollar < 0:
            yield text[position:]
            return
        yield text[position:dollar]
        following = text[dollar + 1 : dollar + 2]
        if following == "$":
            yield "$"
            position = dollar + 2
        elif following == "{":
            end = _closing(text, dollar + 2)
            yield _use(text[dollar:end], text[dollar + 2 : end - 1])
            position = end
        elif match := _NAME.match(text, dollar + 1):
            yield _Use(text[dollar : match.end()], match.group(), "", "")
            position = match.end()
        else:
            yield "$"
            position = dollar + 1


def _use(text: str, inner: str) -> _Use:
    match = _NAME.match(inner) if text.endswith("}") else None
    name = match.group() if match else ""
    rest = inner[len(name) :]
    operator = next((mark for mark in _OPERATORS if rest.startswith(mark)), "")
    return _Use(text, name, operator, rest[len(operator) :])


def _closing(text: str, start: int) -> int:
    """Return the position behind the brace that closes the one before `start`.

    As Compose does it: within the line, the character behind an opening brace is passed over, and
    where the braces don't match, the last one closes.
    """
    newline = text.find("\n", start)
    end = len(text) if newline < 0 else newline
    depth, index = 1, start + 1
    while index < end:
        if text[index] == "}":
            depth -= 1
            if depth == 0:
                return index + 1
        elif text[index] == "{":
            depth += 1
            index += 1
        index += 1
    last = text.rfind("}", start, end)
    return end if last < 0 else last + 1


def variables(text: str) -> list[str]:
    """The name of every variable in `text`, in order; those within a word come after its own."""
    found: list[str] = []
    for part in _parts(text):
        if isinstance(part, _Use) and part.readable:
            found.append(part.name)
            found += variables(part.word)
    return found


def missing(text: str, values: Mapping[str, str]) -> list[str]:
    """The variables without which Compose refuses `text`, or puts nothing in their place."""
    return _missing(text, values, used=True)


def _missing(text: str, values: Mapping[str, str], *, used: bool) -> list[str]:
    found: list[str] = []
    for part in _parts(text):
        if not isinstance(part, _Use):
            continue
        absent = part.value(values) is None
        if absent and (part.operator in _REQUIRED or (used and not part.operator)):
            found.append(part.name)
        # Compose fills in a word even where it makes no use of it, a message included, and what is
        # required there is required all the same.
        of_use = used and part.operator in (_DEFAULT if absent else _OTHER)
        found += _missing(part.word, values, used=of_use)
    return found


def unreadable(text: str) -> str | None:
    """The first piece of `text` that Compose refuses as no variable, such as `${A.B}`; or None."""
    for part in _parts(text):
        if isinstance(part, _Use):
            inner = unreadable(part.word) if part.readable else part.text
            if inner is not None:
                return inner
    return None


def interpolate(text: str, values: Mapping[str, str]) -> str:
    """Put the values in; a variable without value or default becomes empty, as Compose does it."""
    out = []
    for part in _parts(text):
        if isinstance(part, str):
            out.append(part)
            continue
        value = part.value(values)
        if part.operator in _DEFAULT:
            out.append(interpolate(part.word, values) if value is None else value)
        elif part.operator in _OTHER:
            out.append("" if value is None else interpolate(part.word, values))
        else:
            out.append(value or "")
    return "".join(out)


def whole_variable(text: str) -> str | None:
    """The name, when the text is one variable and nothing else: `${SHOP_IMAGE:?}`."""
    parts = [part for part in _parts(text) if part]
    if len(parts) == 1 and isinstance(parts[0], _Use):
        return parts[0].name
    return None


def split(text: str, mark: str) -> list[str]:
    """Split at `mark`, but not within a variable: `${A:-./x}:/y` at ":" is two pieces."""
    pieces = [""]
    for part in _parts(text):
        if isinstance(part, _Use):
            pieces[-1] += part.text
        else:
            # A lone "$" comes from "$$" or from "$" before anything else: both mean one dollar.
            first, *more = part.replace("$", "$$").split(mark)
            pieces[-1] += first
            pieces += more
    return pieces

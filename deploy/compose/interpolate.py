"""Compose's variables in text: `$A`, `${A}`, `${A:-default}`, `${A:?message}`, `${A:+other}`, `$$`.

The rules are those of the Compose specification, "Interpolation"; nested defaults are followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")


@dataclass(frozen=True)
class Variable:
    """A variable that a text names; `defaulted` when the text itself says what it is if unset."""

    name: str
    defaulted: bool


def _parts(text: str) -> Iterator[str | tuple[str, str, str]]:
    """Split into plain pieces and (name, operator, word) of the variables."""
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
            inner = text[dollar + 2 : end]
            match = _NAME.match(inner)
            name = match.group() if match else ""
            rest = inner[len(name) :]
            operator = next((mark for mark in _OPERATORS if rest.startswith(mark)), "")
            yield name, operator, rest[len(operator) :]
            position = end + 1
        elif match := _NAME.match(text, dollar + 1):
            yield match.group(), "", ""
            position = match.end()
        else:
            yield "$"
            position = dollar + 1


def _closing(text: str, start: int) -> int:
    depth = 1
    for index in range(start, len(text)):
        if text.startswith("${", index):
            depth += 1
        elif text[index] == "}":
            depth -= 1
            if depth == 0:
                return index
    return len(text)


def variables(text: str) -> list[Variable]:
    """Every variable that `text` names, in order; those inside a default come after it."""
    found: list[Variable] = []
    for part in _parts(text):
        if isinstance(part, tuple):
            name, operator, word = part
            found.append(Variable(name, operator in {":-", "-", ":+", "+"}))
            found += variables(word) if operator in {":-", "-", ":+", "+"} else []
    return found


def interpolate(text: str, values: Mapping[str, str]) -> str:
    """Put the values in; a variable without value or default becomes empty, as Compose does it."""
    out = []
    for part in _parts(text):
        if isinstance(part, str):
            out.append(part)
            continue
        name, operator, word = part
        value = values.get(name)
        if operator.startswith(":") and value == "":
            value = None
        if operator in {":-", "-"}:
            out.append(interpolate(word, values) if value is None else value)
        elif operator in {":+", "+"}:
            out.append("" if value is None else interpolate(word, values))
        else:
            out.append(value or "")
    return "".join(out)


def whole_variable(text: str) -> str | None:
    """The name, when the text is one variable and nothing else: `${SHOP_IMAGE:?}`."""
    parts = [part for part in _parts(text) if part]
    if len(parts) == 1 and isinstance(parts[0], tuple):
        return parts[0][0]
    return None

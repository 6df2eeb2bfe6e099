"""The words of a statement with its strings as they are written: what a guard asks with. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.migrations.sql import tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.database.migrations.sql import Statement

_PLAIN = set("()[],.:+-")


def spoken(statement: Statement) -> list[str]:
    """Return the statement's words as `Statement.words`, but each string with what it says."""
    found: list[str] = []
    for token in tokens(statement.text):
        if not token.means:
            continue
        if token.kind == "mark" and token.text == ":" and found and found[-1] == ":":
            found[-1] = "::"
        elif token.kind in {"string", "dollar", "name"}:
            found.append(token.text)
        else:
            found.append(token.text.upper())
    return found


def sql(words: Sequence[str]) -> str | None:
    """The text of an expression or a type; None where a mark may be a part of a longer one."""
    if not words or any(len(one) == 1 and not one.isalnum() and one not in _PLAIN for one in words):
        return None
    return " ".join(words)

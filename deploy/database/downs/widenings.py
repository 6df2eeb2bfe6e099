"""Changes of a type that lose no value, so that the way back loses none that still fits. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.lint.columns import holds_all

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTEGERS = {"SMALLINT": 0, "INT2": 0, "INTEGER": 1, "INT": 1, "INT4": 1, "BIGINT": 2, "INT8": 2}
_AS_TEXT = {*_INTEGERS, "UUID", "BOOLEAN", "BOOL", "JSON", "JSONB", "DATE", "VARCHAR"}
"""Types whose text says all that they hold, whatever the session's settings are."""


def widens(old: Sequence[str], new: Sequence[str]) -> bool:
    """Whether each value of the type `old` is had again from the type `new`."""
    if holds_all(old, new):
        return True
    was, now = list(old), list(new)
    if len(was) == 1 and was[0] in _INTEGERS:
        if now == ["NUMERIC"]:
            return True
        if len(now) == 1 and now[0] in _INTEGERS:
            return _INTEGERS[was[0]] <= _INTEGERS[now[0]]
    if was == ["REAL"] and now == ["DOUBLE", "PRECISION"]:
        return True
    return now == ["TEXT"] and was[:1] != [] and was[0] in _AS_TEXT

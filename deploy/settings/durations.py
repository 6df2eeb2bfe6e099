"""Durations as people write them, "1m30s", in seconds."""

from __future__ import annotations

import re

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+|[0-9]+(?:\.[0-9]+)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

LONGEST = 86400.0
"""The longest duration that is taken, in seconds: a day. More is a slip of the unit."""

PATTERN = rf"^(?:{_WHOLE.pattern})$"
"""The same grammar as a regular expression, for the JSON Schema."""


def seconds(written: object) -> float:
    """Return the seconds of "500ms", "30s", "1m30s", "2h", or of a plain number of seconds.

    Raises:
        ValueError: it is none of these, is negative, or is longer than `LONGEST`.
    """
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        raise ValueError("expected a duration such as 500ms, 30s, 1m30s or 2h")
    text = str(written)
    if isinstance(written, str):
        if not _WHOLE.fullmatch(text):
            raise ValueError("expected a duration such as 500ms, 30s, 1m30s or 2h")
        parts = _PART.findall(text)
        total = sum(float(n) * _SECONDS[unit] for n, unit in parts) if parts else float(text)
    else:
        total = float(written)
    if not 0 <= total <= LONGEST:  # also catches what is no number at all
        raise ValueError("expected a duration from 0 to 24h")
    return total

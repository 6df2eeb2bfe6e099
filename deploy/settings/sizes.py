"""Amounts of memory and of disk as people write them, "20GB" or "512MiB", in bytes."""

from __future__ import annotations

import re

_FACTORS = {"B": 1}
for _power, _letter in enumerate("kMGT", start=1):
    _FACTORS[f"{_letter}B"] = 1000**_power
    _FACTORS[f"{_letter.upper()}iB"] = 1024**_power
_WHOLE = re.compile(rf"([0-9]+(?:\.[0-9]+)?) ?({'|'.join(_FACTORS)})|([0-9]+)")

PATTERN = rf"^(?:{_WHOLE.pattern})$"
"""The same grammar as a regular expression, for the JSON Schema."""


def bytes_of(written: object) -> int:
    """Return the bytes of "20GB" (a thousand to the third), "512MiB" (of 1024), or of a number.

    Raises:
        ValueError: it is none of these.
    """
    if isinstance(written, int) and not isinstance(written, bool) and written >= 0:
        return written
    found = _WHOLE.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        raise ValueError("expected a size such as 512MB, 20GB or 2GiB")
    number, unit, plain = found.groups()
    return int(plain) if plain else round(float(number) * _FACTORS[unit])

"""Text that comes from outside made harmless, and figures put into words.

Hosts, containers and probes say what they like. Nothing of it may move a terminal's cursor, hide
another line, or start a line that was not one: so every view passes each event through `tidy`
before it looks at it.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from typing import Any, TypeVar

from deploy.events import Event, RunEnded, StepFailed

# Longest text that is meant as one line, in characters: a body that ends up in a reason must not
# push everything else off the page.
LINE_LIMIT = 1000

# ECMA-48: control strings (OSC, DCS, SOS, PM, APC) with their terminator, control sequences, and
# escape sequences; each with its one-character C1 form. A control string that is never ended is
# taken to end with its line, so that it can't swallow what follows.
_SEQUENCE = re.compile(
    r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\r\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
)
_NEWLINE = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
# C0 without tab and newline, DEL, C1; marks, embeddings, overrides and isolates that turn the
# direction of writing; the byte order mark.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")

# What stands for our own signs where the output's encoding has none for them.
_ASCII = str.maketrans(
    {"✓": "+", "✗": "x", "↩": "<", "›": ">", "·": "-", "→": "->", "│": "|", "…": "..."}
)

_MANY_LINES = {(StepFailed, "detail"), (RunEnded, "message")}

E_ = TypeVar("E_", bound=Event)


def clean(text: str) -> str:
    """The text without escape sequences, control characters and changes of direction.

    Tabs and newlines stay; every other way to break a line becomes a newline. Blank lines at both
    ends and white space at the end of lines go.
    """
    text = _SEQUENCE.sub("", text)
    text = _NEWLINE.sub("\n", text)
    text = _UNWANTED.sub("", text)
    text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
    return "\n".join(line.rstrip() for line in text.split("\n")).strip("\n")


def one_line(text: str) -> str:
    """The cleaned text on one line of at most `LINE_LIMIT` characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= LINE_LIMIT else f"{line[: LINE_LIMIT - 1]}…"


def tidy(event: E_) -> E_:
    """The same event with every text in it cleaned, and on one line where one line is meant."""
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        if type(value) is str:  # an Outcome is a string too, and is ours
            many = (type(event), field.name) in _MANY_LINES
            changed[field.name] = clean(value) if many else one_line(value)
        elif isinstance(value, tuple):
            changed[field.name] = tuple(one_line(item) for item in value)
    return dataclasses.replace(event, **changed)


def fit(text: str, encoding: str | None) -> str:
    """The text in characters that `encoding` has: our signs in ASCII, anything else as `?`."""
    encoding = encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII).encode(encoding, "replace").decode(encoding)
    return text


def pad(text: str, width: int) -> str:
    """The text filled with spaces to `width` columns; wide characters count as two."""
    used = sum(2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in text)
    return text + " " * max(0, width - used)


def middle_out(lines: list[str], *, head: int, tail: int) -> list[str]:
    """The first `head` and the last `tail` lines, and how many were left out between them."""
    left_out = len(lines) - head - tail
    if left_out <= 1:
        return lines
    return [*lines[:head], f"… {left_out} lines left out …", *lines[len(lines) - tail :]]


def duration(seconds: float) -> str:
    """Seconds in words: `0.01 s`, `14.1 s`, `1 m 12 s`, `2 h 5 m`, `3 d 4 h`."""
    seconds = max(0.0, seconds)
    if 0 < seconds < 0.095:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    return _minutes(round(seconds))


def elapsed(seconds: float) -> str:
    """Seconds that are still running, in whole ones: `3 s`, `1 m 12 s`."""
    whole = max(0, int(seconds))
    return f"{whole} s" if whole < 60 else _minutes(whole)


def _minutes(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} m {rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} m"
    return f"{hours // 24} d {hours % 24} h"


def size(count: float) -> str:
    """Bytes in words, in powers of 1000 as `docker images` has them: `812 B`, `38 MB`, `1.1 GB`."""
    units = ("B", "kB", "MB", "GB", "TB")
    value = max(0.0, count)
    unit = 0
    while value >= 999.5 and unit < len(units) - 1:
        value /= 1000
        unit += 1
    return (
        f"{value:.0f} {units[unit]}" if unit == 0 or value >= 9.95 else f"{value:.1f} {units[unit]}"
    )

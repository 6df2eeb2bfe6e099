"""When each host was in which step, as a chart of Mermaid's, which GitHub draws. Pure; no I/O.

Mermaid's own words (`title`, `section`, `click`) and marks (`:`, `,`, `;`, `#`) have a meaning at
the beginning of a line and within it: what comes from outside is left with letters, digits, blanks
and dashes, and stands behind a sign of ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Mermaid refuses a text of more than 50,000 characters; a bar has some 40, and nobody reads more.
_MOST_BARS = 300
_PLAIN = re.compile(r"[^\w .-]")


@dataclass(frozen=True)
class Span:
    """A step from `began` to `ended`, in seconds on the clock of the events; `host` may be empty.

    `mark` is ✓ where it went well, ✗ where it failed, ↩ where it was put back.
    """

    step: str
    host: str
    began: float
    ended: float
    mark: str


_TAGS = {"✓": "done", "✗": "crit", "↩": "active"}


def gantt(spans: Sequence[Span]) -> str:
    """The chart, a section for each host; empty where there is nothing to compare."""
    if len(spans) < 2:
        return ""
    start = min(span.began for span in spans)
    shown = sorted(spans, key=lambda span: span.began)[:_MOST_BARS]
    # `x` are milliseconds and `%s` are seconds, both since the zero of the clock: no zone of a
    # reader has a say in them.
    lines = ["gantt", "    dateFormat x", "    axisFormat %s s"]
    for host in dict.fromkeys(span.host for span in shown):
        lines.append(f"    section {_plain(host) or 'all hosts'}")
        lines += [_bar(span, start) for span in shown if span.host == host]
    if len(shown) < len(spans):
        lines.append(f"    section and {len(spans) - len(shown)} more steps")
    return "\n".join(lines)


def _bar(span: Span, start: float) -> str:
    began, ended = (round((at - start) * 1000) for at in (span.began, span.ended))
    # One that is too short to be seen is drawn all the same.
    return (
        f"    {span.mark} {_plain(span.step)} :{_TAGS[span.mark]}, {began}, {max(ended, began + 1)}"
    )


def _plain(text: str) -> str:
    return _PLAIN.sub("_", " ".join(text.split()))[:60]

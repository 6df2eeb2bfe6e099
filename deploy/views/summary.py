"""A run as a page of Markdown, for the summary of a job in Actions. Pure; no I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.views.gantt import gantt
from deploy.views.lines import ending, header, log, saw, subject
from deploy.views.text import one_line

if TYPE_CHECKING:
    from deploy.events import RunEnded, StepFailed
    from deploy.views.rows import Row
    from deploy.views.tally import Tally

# Bytes of the hosts' own words in one summary, all failures together: more than anybody reads.
_LOGS = 256 * 1024

# At the beginning of a line these underline a heading or begin a list.
_AT_START = re.compile(r"^[-+=]")
_NUMBERED = re.compile(r"^([0-9]{1,9})([.)])")
_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~$@])")


def markdown(tally: Tally, limit: int, changes: str = "") -> str:
    """The summary in at most `limit` bytes of UTF-8; what doesn't fit is left out from the end.

    `changes` is a block of Markdown: what comes with the release.
    """
    ended = tally.ended
    if ended is None:
        return ""
    blocks = [_result(tally, ended), _commit(tally), _message(ended), _table(tally, ended)]
    share = _LOGS // max(1, len(tally.failures))
    for failure in tally.failures:
        blocks.append(_failure(failure, share))
    blocks += [changes, _chart(tally)]
    text = ""
    for block in blocks:
        longer = f"{text}{block}\n\n" if block else text
        if len(longer.encode()) > limit:
            break
        text = longer
    return text


def planned(text: str) -> str:
    """A plan for people, as a block of the summary."""
    head, _, rest = text.partition("\n")
    return f"### {escaped(head)}\n\n{fenced(shortened(rest.strip(), _LOGS))}\n\n"


def escaped(text: str) -> str:
    """The text on one line, with nothing in it that Markdown or HTML would act on."""
    marked = _AT_START.sub(r"\\\g<0>", _SPECIAL.sub(r"\\\1", one_line(text)))
    marked = _NUMBERED.sub(r"\1\\\2", marked)
    return marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def fenced(text: str) -> str:
    """The text in a code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def shortened(text: str, limit: int) -> str:
    """The beginning and the end of the text in about `limit` bytes; it breaks off in mid-line."""
    raw = text.encode()
    if len(raw) <= limit:
        return text
    head = raw[: limit // 2].decode(errors="ignore")
    tail = raw[-(limit // 2) :].decode(errors="ignore")
    return f"{head}\n… {len(raw) - limit} bytes left out …\n{tail}"


def _result(tally: Tally, ended: RunEnded) -> str:
    mark = "✗" if ended.exit_code else "✓"
    what = escaped(header(tally.run)) if tally.run else ""
    return "### " + "   ".join(part for part in (mark, what, ending(ended)) if part)


def _commit(tally: Tally) -> str:
    """What it was, who wrote it, who ordered and who approved it, as far as that is known."""
    if tally.run is None:
        return ""
    run = tally.run
    what = f"{run.commit[:7]} {run.subject}".strip()
    parts = (
        what,
        run.author,
        f"ordered by {run.by}" if run.by else "",
        f"approved by {run.approved_by}" if run.approved_by else "",
    )
    return escaped(" · ".join(part for part in parts if part))


def _message(ended: RunEnded) -> str:
    lines = [escaped(line) for line in ended.message.split("\n")]
    last = [escaped(ended.next)] if ended.next else []
    return "\\\n".join([line for line in lines if line] + last)


def _table(tally: Tally, ended: RunEnded) -> str:
    rows = [
        *tally.phase_rows(ended.at, after_roll=False),
        *tally.host_rows(ended.at, max(2, len(tally.hosts))),
        *tally.phase_rows(ended.at, after_roll=True),
    ]
    if not rows:
        return ""
    return "\n".join(["| | | time | |", "| --- | --- | ---: | --- |", *map(_line, rows)])


def _chart(tally: Tally) -> str:
    chart = gantt(tally.spans)
    return f"```mermaid\n{chart}\n```" if chart else ""


def _line(row: Row) -> str:
    return f"| {row.mark.value} | {escaped(row.name)} | {row.took} | {escaped(row.note)} |"


def _failure(failure: StepFailed, limit: int) -> str:
    who, answer = saw(failure)
    shown = f"{who}: {answer}" if answer else ""
    said = "\n".join(part for part in (failure.reason, shown, log(failure)) if part)
    return f"**{escaped(subject(failure.step, failure.host))}**\n\n{fenced(shortened(said, limit))}"

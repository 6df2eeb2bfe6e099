"""A run as one message of Slack's: the same from its first step to its end. Pure; no I/O.

What comes from outside is put on one line, cut, and escaped as Slack reads it (`&`, `<`, `>`); it
never gets into a link, and nothing in it calls anybody. Lengths are Slack's own (docs.slack.dev,
"Block Kit"): 3,000 characters in a section, 2,000 in a field of it, 50 blocks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from deploy.events import Outcome
from deploy.views.lines import ending, header, log, saw, subject, undone
from deploy.views.text import clean, duration, one_line

if TYPE_CHECKING:
    from deploy.changelog import Change, Changelog
    from deploy.events import RunStarted, StepFailed
    from deploy.notify.links import Links
    from deploy.views.tally import Tally

CHANGES = 10
LOG_LINES = 15
_FAILURES = 3
_WARNINGS = 5
_PUT_BACK = 6
_LINE = 200
"""Characters of one thing from outside on a line of its own."""

_AT_WORK, _GOOD, _HALF, _BAD = "#439fe0", "#2eb67d", "#ecb22e", "#e01e5a"
_COLOURS = {
    Outcome.DONE: _GOOD,
    Outcome.NOTHING: _GOOD,
    Outcome.REFUSED: _HALF,
    Outcome.REVERTED: _BAD,
    Outcome.NEEDS_PERSON: _BAD,
    Outcome.CANCELLED: _HALF,
}
_SHOWN = {
    **{"&": "&amp;", "<": "&lt;", ">": "&gt;"},
    # It looks the same, and begins and ends no code.
    "`": "\N{MODIFIER LETTER GRAVE ACCENT}",
}
_CALLS = re.compile(r"@(?=here|channel|everyone)", re.IGNORECASE)

Block = dict[str, Any]


def message(tally: Tally, changelog: Changelog, links: Links) -> dict[str, Any]:
    """The message as arguments of `chat.postMessage`: `text`, and an attachment with the blocks.

    Args:
        tally: of tidy events, the first of which has begun the run.
        changelog: what comes with it.
        links: to look at it; made by us, and safe.
    """
    run, ended = tally.run, tally.ended
    assert run is not None  # noqa: S101 - nobody is told before
    mark = "…" if ended is None else "✗" if ended.exit_code else "✓"
    going = "something failed" if tally.failures else "under way"
    state = going if ended is None else ending(ended)
    text = f"{mark} {escaped(header(run))}: {escaped(state)}"
    blocks = [
        *_state(tally),
        _fields(tally, run, changelog, links),
        *_changes(changelog, links),
        *(_failure(one) for one in tally.failures[:_FAILURES]),
        *_put_back(tally),
        *_warnings(tally),
        *_buttons(changelog, links),
        _context(f"{escaped(run.verb)} {escaped(run.id)}"),
    ]
    going_on = _BAD if tally.failures else _AT_WORK
    colour = _COLOURS[ended.outcome] if ended else going_on
    return {"text": text, "attachments": [{"color": colour, "fallback": text, "blocks": blocks}]}


def waiting(app: str, environment: str, by: str, reason: str, text: str) -> dict[str, Any]:
    """A message on its own: somebody waits for a run of somebody else's, of which `text` tells."""
    what = f"{escaped(by)} waits, for {escaped(reason)}"
    shown = f"… {escaped(f'{app} · {environment}')}: {what}"
    blocks = [_section(escaped(text, 400))]
    return {"text": shown, "attachments": [{"color": _HALF, "fallback": shown, "blocks": blocks}]}


def escaped(text: str, limit: int = _LINE) -> str:
    """The text on one line of at most `limit` characters, as Slack shows it and acts on nothing."""
    return _cut(one_line(text), limit)


def fenced(text: str, limit: int) -> str:
    """The last lines of a log in a block of code, which nothing in them ends."""
    lines = clean(text).split("\n")[-LOG_LINES:]
    shown: list[str] = []
    room = limit
    for line in reversed(lines):
        piece = _cut(line, _LINE)
        room -= len(piece) + 1
        if room < 0:
            break
        shown.insert(0, piece)
    return "```" + "\n".join(shown) + "```"


def _cut(text: str, limit: int) -> str:
    """Escape, and cut between two characters of what is shown."""
    pieces: list[str] = []
    size = 0
    for sign in _CALLS.sub("@\N{WORD JOINER}", text):
        piece = _SHOWN.get(sign, sign)
        size += len(piece)
        if size > limit - 1:
            return "".join([*pieces, "…"])
        pieces.append(piece)
    return "".join(pieces)


def link(url: str, shown: str) -> str:
    """A link, if there is an address; `shown` is ours."""
    return f"<{address(url)}|{shown}>" if url else shown


def address(url: str) -> str:
    """An address in which nothing ends a link."""
    return quote(url, safe=":/?#[]@!$&'()*+,;=%~-._").replace("&", "&amp;")


def _state(tally: Tally) -> list[Block]:
    if tally.ended is None:
        return [_section(escaped(tally.said))] if tally.said else []
    lines = [escaped(line, 400) for line in tally.ended.message.split("\n")[:6] if line.strip()]
    if tally.ended.next:
        lines.append(escaped(tally.ended.next))
    return [_section("\n".join(lines))] if lines else []


def _fields(tally: Tally, run: RunStarted, changelog: Changelog, links: Links) -> Block:
    settled = sum(host.settled for host in tally.hosts.values())
    authors = ", ".join(changelog.authors) or run.author
    seconds = tally.ended.seconds if tally.ended else 0.0
    found = {
        "Commit": link(links.commit(run.commit), escaped(run.commit[:7])) if run.commit else "",
        "Written by": escaped(authors, 400),
        "Ordered by": escaped(run.by),
        "Approved by": escaped(run.approved_by),
        "Took": duration(seconds) if tally.ended else "",
        "Hosts done": f"{settled} of {len(tally.hosts)}",
        "Migrations": _detail(tally, "migrate", "contract", "push", "take back"),
        "Smoke": _detail(tally, "smoke"),
    }
    return {
        "type": "section",
        "fields": [_text(f"*{name}*\n{value}") for name, value in found.items() if value],
    }


def _detail(tally: Tally, *steps: str) -> str:
    """What steps of these names have said when they were done, each thing once."""
    said = [
        detail or "done"
        for step in steps
        if step in tally.phases
        for detail in tally.phases[step].done.values()
    ]
    failed = [step for step in steps if step in tally.phases and tally.phases[step].failed]
    return escaped("; ".join([*dict.fromkeys(said), *(["failed"] if failed else [])]), 400)


def _changes(changelog: Changelog, links: Links) -> list[Block]:
    older, newer = changelog.before, changelog.after
    lines = _listed("What comes", changelog.changes, links, links.compare(older, newer))
    lines += _listed("What goes", changelog.taken_back, links, links.compare(newer, older))
    if changelog.lacking:
        lines.append(f"The changelog is not whole: {escaped(changelog.lacking)}")
    return [_section("\n".join(part)) for part in _parts(lines)]


def _listed(title: str, changes: tuple[Change, ...], links: Links, compare: str) -> list[str]:
    lines = [f"*{title}*"] if changes else []
    for one in changes[:CHANGES]:
        pull = f" ({link(links.pull(one.pull), f'#{one.pull}')})" if one.pull else ""
        lines.append(f"• {escaped(one.subject)}{pull}")
    if len(changes) > CHANGES:
        lines.append(f"… and {link(compare, f'{len(changes) - CHANGES} more')}")
    return lines


def _parts(lines: Iterable[str]) -> list[list[str]]:
    """As many sections as Slack's length needs."""
    parts: list[list[str]] = []
    for line in lines:
        if not parts or sum(len(one) + 1 for one in parts[-1]) + len(line) > _SECTION:
            parts.append([])
        parts[-1].append(line)
    return parts


_SECTION = 2800


def _failure(failure: StepFailed) -> Block:
    text = f"*{escaped(subject(failure.step, failure.host))}*: {escaped(failure.reason, 600)}"
    who, answer = saw(failure)
    if answer:
        text += f"\n*{who}*: `{escaped(answer)}`"
    if said := log(failure):
        text += "\n" + fenced(said, 2000)
    return _section(text)


def _put_back(tally: Tally) -> list[Block]:
    events = [event for host in tally.hosts.values() for event in host.undone]
    events += [event for phase in tally.phases.values() for event in phase.undone]
    lines = [
        f"{'↩' if one.ok else '✗'} {escaped(one.host or one.step)}: {escaped(undone(one))}"
        for one in sorted(events, key=lambda one: (one.ok, one.at))[:_PUT_BACK]
    ]
    if len(events) > _PUT_BACK:
        lines.append(f"… and {len(events) - _PUT_BACK} more")
    return [_section("\n".join(lines))] if lines else []


def _warnings(tally: Tally) -> list[Block]:
    lines = [
        escaped(f"! {one.host}: {one.text}" if one.host else f"! {one.text}")
        for one in tally.warnings[-_WARNINGS:]
    ]
    more = len(tally.warnings) - len(lines)
    if more:
        lines.insert(0, f"… {more} more before")
    return [_context("\n".join(lines))] if lines else []


def _buttons(changelog: Changelog, links: Links) -> list[Block]:
    found = {
        "Run": links.run,
        "Compare": links.compare(*_in_order(changelog)),
        "Roll back": links.rollback,
        "Site": links.site,
    }
    elements = [
        {
            "type": "button",
            "text": {"type": "plain_text", "text": name},
            "url": quote(url, safe=":/?#[]@!$&'()*+,;=%~-._"),
            "action_id": name.lower().replace(" ", "-"),
        }
        for name, url in found.items()
        if url
    ]
    return [{"type": "actions", "elements": elements}] if elements else []


def _in_order(changelog: Changelog) -> tuple[str, str]:
    """A comparison shows what is in the second alone: after a rollback, that is what goes."""
    back = changelog.taken_back and not changelog.changes
    found = (changelog.before, changelog.after)
    return found[::-1] if back else found


def _section(text: str) -> Block:
    return {"type": "section", "text": _text(text)}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [_text(text)]}


def _text(text: str) -> Block:
    # verbatim: no name or address in it becomes a link by itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}

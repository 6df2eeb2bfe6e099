"""Foreign text at its worst, for hypothesis: the pieces that somebody out there gives a meaning."""

from __future__ import annotations

from hypothesis import strategies as st

from deploy.events import (
    Event,
    Outcome,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepSaid,
    StepStarted,
    StepUndone,
    Warned,
)

PIECES = (
    "::", ":", "##[", "##", "#", "[", "]", "error", "endgroup", "group", "stop-commands", "set-env",
    "add-mask", " name=a", "%0A", "%3A", "%", "\r", "\n", "\r\n", "\t", " ", "\v", "\f", "\x85",
    "\u2028", "\u2029", "\xa0", "\u200b", "\ufeff", "\u202e", "\u2066", "\x00", "\x07", "\x08",
    "\x1b", "\x1b[31m", "\x1b[2J", "\x1b]0;", "\x1b]52;c;", "\x1b\\", "\x1bP", "\x90", "\x9b",
    "\x9c", "\x9d", "m", "\ud800", "`", "```", "````", "~~~", "|", "<!--", "<!channel>", "[red]",
    "[/]", ":boom:", "é", "漢",
)  # fmt: skip

text = st.one_of(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.text(max_size=20))

# The names of steps and hosts come from the run and the hosts file; everything else is foreign.
STEPS = ("checks", "pull", "migrate", "stage", "switch", "settle", "verify")
HOSTS = ("", "web-1", "web-2", "db-1")

_step = st.sampled_from(STEPS)
_host = st.sampled_from(HOSTS)
_at = st.just(1.0)
_seconds = st.floats(0, 4000)
_during = st.one_of(
    st.builds(StepStarted, at=_at, step=_step, host=_host),
    st.builds(StepSaid, at=_at, step=_step, host=_host, text=text),
    st.builds(StepDone, at=_at, step=_step, host=_host, seconds=_seconds, detail=text),
    st.builds(StepFailed, at=_at, step=_step, host=_host, reason=text, detail=text, seen=text),
    st.builds(
        StepUndone, at=_at, step=_step, host=_host, seconds=_seconds, ok=st.booleans(), text=text
    ),
    st.builds(Warned, at=_at, text=text, host=_host),
)
_started = st.builds(
    RunStarted,
    at=_at,
    id=text,
    verb=st.just("deploy"),
    app=text,
    environment=text,
    before=text,
    after=text,
    hosts=st.just(("web-1", "web-2")),
    summary=text,
    url=text,
    commit=text,
)
_ended = st.builds(
    RunEnded,
    at=_at,
    outcome=st.sampled_from(Outcome),
    exit_code=st.sampled_from((0, 3, 4, 5, 130)),
    seconds=_seconds,
    message=text,
    next=text,
)


def _joined(start: Event, during: list[Event], end: Event) -> list[Event]:
    return [start, *during, end]


# A whole run, from its first event to its last.
runs = st.builds(_joined, _started, st.lists(_during, max_size=8), _ended)

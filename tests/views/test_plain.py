from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from hypothesis import given, settings

from . import hostile
from .render import plain
from .sequences import CASES

if TYPE_CHECKING:
    from deploy.events import Event

from deploy.views.plain import Plain


@settings(deadline=None)
@given(hostile.runs)
def test_nothing_in_a_log_is_a_control_character(events: list[Event]) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", plain(events))


@settings(deadline=None)
@given(hostile.runs)
def test_only_a_detail_and_a_message_take_more_than_a_line(events: list[Event]) -> None:
    stream = io.StringIO()
    view = Plain(stream)
    for event in events[:-1]:
        before = len(stream.getvalue().split("\n"))
        view(event)
        added = len(stream.getvalue().split("\n")) - before
        detail = getattr(event, "detail", "") if hasattr(event, "reason") else ""
        assert added <= 2 + len(re.split("[\r\n\v\f\x85\u2028\u2029]", detail))


def test_the_log_of_a_terminal_without_unicode_is_ascii() -> None:
    raw = io.BytesIO()
    view = Plain(io.TextIOWrapper(raw, encoding="ascii"))
    for event in CASES["reverted"]():
        view(event)
    view.close()
    said = raw.getvalue().decode("ascii")
    assert "x web-2     switch    /healthz through the proxy answered 500" in said
    assert "v1.4.2 -> v1.5.0" in said

"""The drawings of a page. Pure.

Everything lies at per cents of the width and at pixels of the height, so that a drawing is as wide
as its reader's screen while its letters and bars stay as they are. What went well, what failed and
what was put back differ in shape, and not in colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

from deploy.views.text import duration, one_line

if TYPE_CHECKING:
    from deploy.views.gantt import Span

_BAR, _LANE, _NAME = 20, 24, 20
"""Pixels: a bar, a bar with what is above the next one, the line with a host's name."""
_LEAST = 0.4
"""Per cent of the width below which a bar would not be seen."""
_STRIP, _MOST_COLUMNS = 64, 240
_FITS = ((280, "step"), (580, "step medium"), (910, "step wide"))
"""How wide a drawing is on a telephone, a tablet and anything larger, in pixels; style.css shows
the labels of a class from there on."""
_LETTER, _INDENT = 8, 6
"""Pixels: a letter at its widest, about, and the room before a label."""
_CLASSES = {"✓": "done", "✗": "failed", "↩": "undone"}


@dataclass(frozen=True)
class Drawing:
    """An SVG, and how much time is on it, in seconds."""

    svg: Markup
    seconds: float


def timeline(spans: Sequence[Span], title: str, says: str) -> Drawing:
    """When each host was in which step; what overlaps at one host lies in lanes of its own."""
    start = min((one.began for one in spans), default=0.0)
    whole = max((one.ended for one in spans), default=0.0) - start or 1.0
    svg = _svg(title, says)
    _ticks(svg)
    top = 0
    for host in dict.fromkeys(one.host for one in spans):
        _text(svg, "0", top + 14, one_line(host) or "all hosts", "name")
        top += _NAME
        lanes: list[float] = []
        for span in sorted((one for one in spans if one.host == host), key=lambda one: one.began):
            lane = next((n for n, end in enumerate(lanes) if end <= span.began), len(lanes))
            lanes[lane : lane + 1] = [span.ended]
            _bar(svg, span, start, whole, top + lane * _LANE)
        top += len(lanes) * _LANE + 8
    svg.set("height", str(top))
    return Drawing(_markup(svg), whole)


def strip(times: Sequence[tuple[int, int]], title: str, says: str) -> Drawing:
    """What went well at each time, and what failed: well from below, failed from above."""
    width = -(-len(times) // _MOST_COLUMNS) or 1
    columns = [times[at : at + width] for at in range(0, len(times), width)]
    counts = [(sum(well for well, _ in one), sum(bad for _, bad in one)) for one in columns]
    most = max((well + failed for well, failed in counts), default=0) or 1
    svg = _svg(title, says)
    svg.set("height", str(_STRIP))
    for number, (well, failed) in enumerate(counts):
        x, wide = 100 * number / len(counts), 100 / len(counts)
        high = round((_STRIP - 2) * well / most, 1)
        place = {"x": f"{x:.3f}%", "width": f"{wide * 0.86:.3f}%"}
        if well:
            _sub(svg, "rect", **place, y=f"{_STRIP - high:g}", height=f"{high:g}", **_class("done"))
        if failed:
            # Never too small to be seen.
            red = max(6.0, round((_STRIP - 2) * failed / most, 1))
            _sub(svg, "rect", **place, y="0", height=f"{red:g}", **_class("failed"))
    return Drawing(_markup(svg), float(len(times)))


def _bar(svg: Element, span: Span, start: float, whole: float, top: int) -> None:
    x = min(100 * (span.began - start) / whole, 100 - _LEAST)
    wide = min(max(_LEAST, 100 * (span.ended - span.began) / whole), 100 - x)
    box = _sub(
        svg,
        "svg",
        x=f"{x:.3f}%",
        y=str(top),
        width=f"{wide:.3f}%",
        height=str(_BAR),
        **_class(_CLASSES[span.mark]),
    )
    title = SubElement(box, "title")
    step = one_line(span.step)
    title.text = f"{span.mark} {step}, {duration(span.ended - span.began)}"
    # What was put back is a hollow bar, what failed a hatched one.
    _sub(box, "rect", x="0", y="0", width="100%", height=str(_BAR), rx="3", **_class("shape"))
    label = f"{'' if span.mark == '✓' else span.mark + ' '}{step}"
    needed = (_INDENT + _LETTER * len(label)) * 100 / wide
    kind = next((kind for width, kind in _FITS if needed <= width), "")
    if kind:
        _text(box, str(_INDENT), 14, label, kind)


def _ticks(svg: Element) -> None:
    for per_cent in (25, 50, 75):
        place = f"{per_cent}%"
        _sub(svg, "line", x1=place, x2=place, y1="0", y2="100%", **_class("tick"))


def _svg(title: str, says: str) -> Element:
    return Element("svg", {"width": "100%", "role": "img", "aria-label": f"{title}. {says}"})


def _text(parent: Element, x: str, y: int, words: str, kind: str) -> None:
    _sub(parent, "text", x=x, y=str(y), **_class(kind)).text = words


def _sub(parent: Element, tag: str, **attributes: str) -> Element:
    return SubElement(parent, tag, attributes)


def _class(name: str) -> dict[str, str]:
    return {"class": name}


def _markup(svg: Element) -> Markup:
    # ElementTree has escaped what is in it.
    return Markup(tostring(svg, encoding="unicode"))  # noqa: S704

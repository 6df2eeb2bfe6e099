"""A template and its values, made text. What comes from outside is cleaned, and then escaped."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from deploy.views.text import clean, duration, one_line


def render(template: str, **values: Any) -> str:
    """The page. In a template `|line` is for a text that is to be one line, `|lines` for many."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    found = Environment(
        loader=PackageLoader("deploy.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"line": one_line, "lines": clean, "duration": duration}
    found.filters |= {"moment": moment, "day": day}
    source, _, _ = found.loader.get_source(found, "style.css")  # type: ignore[union-attr]
    found.globals["style"] = Markup(source)  # noqa: S704 - our own file
    return found


def day(at: float) -> str:
    """A day for people: `29 Nov 2026`."""
    return f"{datetime.fromtimestamp(at, UTC):%d %b %Y}".lstrip("0")


def moment(at: float) -> str:
    """A time for people: `2026-11-29 07:05:12 UTC`."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"

"""What an answer is worth. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.settings.smoke import Expect

Hide = Callable[[str], str]

_NOTHING = object()
_SHOWN = 80
"""Characters of a value that a reason shows."""
_SEEN, _READ = 200, 4096
"""Characters of a body's first line that are told, and in which secrets are looked for."""


@dataclass(frozen=True)
class Answer:
    """What came back: headers by lower-case name, seconds until the whole body was here.

    `certificate_days` is None where nobody asked, or there was no certificate; `cut` says that the
    body is longer than what was read of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float
    certificate_days: float | None = None
    cut: bool = False

    @property
    def text(self) -> str:
        """The body; what is not UTF-8 becomes U+FFFD."""
        return self.body.decode("utf-8", "replace")


def seen(answer: Answer, hide: Hide = str) -> str:
    """The status and the beginning of the body's first line, as a visitor sees them.

    Args:
        answer: what came.
        hide: masks secrets; it is called before the line gets its length.
    """
    lines = (line.strip() for line in answer.text.splitlines())
    return f"{answer.status} {hide(next(filter(None, lines), '')[:_READ])[:_SEEN]}".strip()


def faults(answer: Answer, expect: Expect, hide: Hide = str) -> list[str]:
    """Return in one line each what is not as expected; what explains the others comes first.

    Args:
        answer: what came.
        expect: what should have.
        hide: masks secrets; it is called before anything is cut.
    """
    shown = _Shown(hide)
    found = []
    if expect.status is None and not 200 <= answer.status <= 299:
        found.append(f"answered {answer.status}, expected 2xx")
    elif expect.status not in (None, answer.status):
        found.append(f"answered {answer.status}, expected {expect.status}")
    for name, part in expect.headers.items():
        value = answer.headers.get(name.lower())
        if value is None:
            found.append(f"has no header {name}, expected {shown(part)} in it")
        elif part not in value:
            found.append(f"header {name} is {shown(value)}, expected {shown(part)} in it")
    if expect.text is not None and expect.text not in answer.text:
        found.append(f"does not say {shown(expect.text)}{_of_how_much(answer)}")
    if expect.json:
        found += _json_faults(answer, expect.json, shown)
    if expect.max_ms is not None and answer.seconds * 1000 > expect.max_ms:
        found.append(f"took {answer.seconds * 1000:.0f} ms, at most {expect.max_ms} were expected")
    days, wanted = answer.certificate_days, expect.certificate_days
    if wanted is not None and days is not None and days < wanted:
        state = f"ends in {days:.0f} days" if days >= 0 else f"ended {-days:.0f} days ago"
        found.append(f"the certificate {state}, at least {wanted} were expected")
    return found


@dataclass(frozen=True)
class _Shown:
    """A value as a reason shows it: in one short line, and without secrets."""

    hide: Hide

    def __call__(self, value: Any) -> str:
        whole = self.hide(value) if isinstance(value, str) else value
        text = self.hide(json.dumps(whole, ensure_ascii=False, default=str))
        return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _json_faults(answer: Answer, wanted: Mapping[str, Any], shown: _Shown) -> Iterator[str]:
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        yield f"is not JSON{_of_how_much(answer)}"
        return
    for key, value in wanted.items():
        found = _at(document, key)
        if found is _NOTHING:
            yield f"has no {key}, expected {shown(value)}"
        elif not _same(found, value):
            yield f"{key} is {shown(found)}, expected {shown(value)}"


def _at(document: Any, key: str) -> Any:
    """What a dotted key leads to; a key that has dots itself, and a number in a list, work too."""
    if isinstance(document, dict) and key in document:
        return document[key]
    first, dot, rest = key.partition(".")
    inner = _NOTHING
    if isinstance(document, dict):
        inner = document.get(first, _NOTHING)
    elif isinstance(document, list) and first.isascii() and first.isdigit():
        inner = document[int(first)] if int(first) < len(document) else _NOTHING
    return _at(inner, rest) if dot and inner is not _NOTHING else inner


def _same(found: Any, wanted: Any) -> bool:
    """Whether they are equal as JSON: there 1 is 1.0, and neither is true."""
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)


def _of_how_much(answer: Answer) -> str:
    return f" in its first {len(answer.body) // 1024} kB" if answer.cut else ""

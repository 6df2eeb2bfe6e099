"""What a CDN is to the rest, and how several are purged: all at once, in a bounded time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from deploy import web
from deploy.errors import HeadwayError

LIMIT = 30.0
"""Seconds for one CDN, with everything that it is asked."""

_TRIES = 3

_EACH = 12.0
"""Seconds for one try; a purge is taken in well under one."""


class NotPurged(HeadwayError):
    """A CDN did not do what it was asked; what it keeps is as it was, or partly so."""


class CDN(Protocol):
    """One that can be purged; doing it twice does no harm."""

    @property
    def name(self) -> str:
        """As in the hosts file."""
        ...

    @property
    def what(self) -> str:
        """What of it is purged, in a few words."""
        ...

    def purge(self, run: str) -> None:
        """Do it, in `LIMIT` at most.

        Args:
            run: names the run that asks; asked again under the same name, nothing has to be done.

        Raises:
            NotPurged: it said no, or nothing that can be understood.
        """
        ...


@dataclass(frozen=True)
class Purged:
    """How it went with one of them; `error` is "" where it went well."""

    name: str
    what: str
    error: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.error or self.what}"


def purge(cdns: Sequence[CDN], run: str) -> list[Purged]:
    """Purge all of them at the same time."""

    def one(cdn: CDN) -> Purged:
        try:
            cdn.purge(run)
        except NotPurged as error:
            return Purged(cdn.name, cdn.what, error.message)
        except Exception as error:  # a CDN must never end a deploy
            return Purged(cdn.name, cdn.what, f"broke Headway: {type(error).__name__}: {error}")
        return Purged(cdn.name, cdn.what)

    with ThreadPoolExecutor(max_workers=max(1, len(cdns))) as pool:
        return list(pool.map(one, cdns))


def ask(
    questions: Iterable[tuple[str, Mapping[str, Any]]], headers: Mapping[str, str]
) -> list[Any]:
    """Post one after the other: (address, JSON body); returns the answers' JSON, None if none.

    Raises:
        NotPurged: one of them was answered otherwise than with 2xx, or not at all.
    """
    until = time.monotonic() + LIMIT
    answers = []
    for url, body in questions:
        try:
            answer = web.post(
                url,
                json.dumps(body).encode(),
                {"Content-Type": "application/json", "Accept": "application/json", **headers},
                tries=_TRIES,
                each=_EACH,
                until=until,
            )
        except web.NoAnswer as error:
            raise NotPurged(str(error)) from None
        found = _json(answer.content)
        if not answer.good:
            raise NotPurged(f"answered {answer.status}{_reason(found)}")
        answers.append(found)
    return answers


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _reason(body: Any) -> str:
    """What an answer says for itself, by the keys that these services use."""
    if not isinstance(body, Mapping):
        return ""
    said = errors(body) or [str(body[key]) for key in ("detail", "msg", "Message") if key in body]
    return f": {'; '.join(said)}"[:300] if said else ""


def errors(body: Mapping[str, Any]) -> list[str]:
    """The texts in Cloudflare's list of errors."""
    found = body.get("errors")
    return [
        f"{one.get('message')} ({one.get('code')})"
        for one in (found if isinstance(found, list) else [])
        if isinstance(one, Mapping)
    ]


def in_words(**kinds: Sequence[str]) -> str:
    """What is purged: `tag html, blog; host shop.example`."""
    return "; ".join(f"{kind} {', '.join(names)}" for kind, names in kinds.items() if names)

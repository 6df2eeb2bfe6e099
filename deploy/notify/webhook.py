"""The run's record to any address, signed with a key that both ends know."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy import web
from deploy.notify.notifier import Kind, Moment
from deploy.notify.slack import EACH, LIMIT, TRIES

if TYPE_CHECKING:
    from deploy.settings import Secret


@dataclass
class Signed:
    """One address; `build` makes the record."""

    url: str
    key: Secret
    build: Callable[[Moment], dict[str, Any]]
    name: str = "webhook"
    wants: frozenset[Kind] = frozenset({Kind.STARTED, Kind.ENDED})
    whole: bool = False

    def take(self, moment: Moment) -> None:
        """Post the record.

        Raises:
            web.NoAnswer: nothing came back but a no, or nothing at all.
        """
        record = {"event": moment.kind.value, **self.build(moment)}
        body = json.dumps(record, ensure_ascii=False).encode("utf-8", "replace")
        headers = {
            "Content-Type": "application/json",
            "Headway-Event": moment.kind.value,
            # The same for both tries, and so is the record: the second can be told from a new one.
            "Headway-Delivery": f"{record['id']}-{moment.kind.value}",
            "Headway-Signature": signature(self.key.reveal(), body),
        }
        until = time.monotonic() + LIMIT
        answer = web.post(self.url, body, headers, tries=TRIES, each=EACH, until=until)
        if not answer.good:
            raise web.NoAnswer(f"answered {answer.status}")

    def stop(self) -> None:
        """Nothing: what is sent ends by itself."""


def signature(key: str, body: bytes) -> str:
    """HMAC-SHA256 of the body, as `sha256=` and hexadecimal digits."""
    digest = hmac.new(key.encode("utf-8", "surrogateescape"), body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"

"""Fastly: soft, by surrogate key. Softly purged is stale: still served where the origin is away.

www.fastly.com/documentation, "Purging". A purge of all of a service can't be soft: tag everything
with one key instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.cdn.cdn import ask, in_words

if TYPE_CHECKING:
    from deploy.settings import Secret
    from deploy.settings.cdn import Fastly as Section

AT_ONCE = 256
"""Keys in one request."""


@dataclass(frozen=True)
class Fastly:
    """One service."""

    section: Section
    token: Secret
    name: str = "fastly"

    @property
    def what(self) -> str:
        """What of it is purged."""
        return in_words(key=self.section.keys)

    def purge(self, run: str) -> None:
        """Ask for it.

        Raises:
            NotPurged: it said no.
        """
        del run
        url = f"{self.section.api}/service/{self.section.service}/purge"
        keys = self.section.keys
        bodies = (
            {"surrogate_keys": keys[start : start + AT_ONCE]}
            for start in range(0, len(keys), AT_ONCE)
        )
        headers = {"Fastly-Key": self.token.reveal(), "fastly-soft-purge": "1"}
        ask(((url, body) for body in bodies), headers)

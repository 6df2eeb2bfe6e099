"""Bunny: a pull zone, whole or by tag, and files by their address.

docs.bunny.net, "Purge Cache" and "Purge URL".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from deploy.cdn.cdn import ask, in_words

if TYPE_CHECKING:
    from deploy.settings import Secret
    from deploy.settings.cdn import Bunny as Section


@dataclass(frozen=True)
class Bunny:
    """One pull zone."""

    section: Section
    key: Secret
    name: str = "bunny"

    @property
    def what(self) -> str:
        """What of it is purged."""
        one = self.section.purge
        return "everything" if one.everything else in_words(tag=one.tags, file=one.files)

    def purge(self, run: str) -> None:
        """Ask for it, tag by tag and file by file.

        Raises:
            NotPurged: it said no.
        """
        del run
        ask(self._questions(), {"AccessKey": self.key.reveal()})

    def _questions(self) -> Iterator[tuple[str, dict[str, str]]]:
        one = self.section.purge
        zone = f"{self.section.api}/pullzone/{self.section.pull_zone}/purgeCache"
        if one.everything:
            yield zone, {}
        for tag in one.tags:
            yield zone, {"CacheTag": tag}
        for file in one.files:
            yield f"{self.section.api}/purge?{urlencode({'url': file})}", {}

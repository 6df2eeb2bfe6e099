"""Cloudflare: everything, or by tag, host, prefix or file. An answer of 200 can still be a no.

developers.cloudflare.com/api, "Purge Cached Content"; all of these ways are open to all plans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.cdn.cdn import NotPurged, ask, errors, in_words

if TYPE_CHECKING:
    from deploy.settings import Secret
    from deploy.settings.cdn import Cloudflare as Section

AT_ONCE = 100
"""Tags, hosts, prefixes or files in one request; the fewest that any plan allows."""

_KINDS = ("tags", "hosts", "prefixes", "files")


@dataclass(frozen=True)
class Cloudflare:
    """One zone."""

    section: Section
    token: Secret
    name: str = "cloudflare"

    @property
    def what(self) -> str:
        """What of it is purged."""
        one = self.section.purge
        if one.everything:
            return "everything"
        return in_words(tag=one.tags, host=one.hosts, prefix=one.prefixes, file=one.files)

    def purge(self, run: str) -> None:
        """Ask for it.

        Raises:
            NotPurged: it said no.
        """
        del run
        url = f"{self.section.api}/zones/{self.section.zone}/purge_cache"
        headers = {"Authorization": f"Bearer {self.token.reveal()}"}
        for answer in ask(((url, body) for body in self._bodies()), headers):
            if not isinstance(answer, Mapping) or answer.get("success") is not True:
                said = errors(answer) if isinstance(answer, Mapping) else []
                raise NotPurged("; ".join(said)[:300] or "its answer does not say success")

    def _bodies(self) -> Iterator[dict[str, Any]]:
        one = self.section.purge
        if one.everything:
            yield {"purge_everything": True}
        for kind in _KINDS:
            names = getattr(one, kind)
            for start in range(0, len(names), AT_ONCE):
                yield {kind: names[start : start + AT_ONCE]}

"""Where commits, comparisons and pull requests can be looked at; as GitHub has it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

_HASH = re.compile(r"[0-9a-f]{7,64}")
# git@github.com:acme/shop.git, ssh://git@github.com:22/acme/shop.git, https://x:y@github.com/acme/shop
_SCP = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[^/\s:][^\s:]*)")


@dataclass(frozen=True)
class Links:
    """`repository` is its page; `run` that of the workflow's run; `rollback` where one is ordered.

    Each is "" where there is none, and so is every link that needs it.
    """

    repository: str = ""
    run: str = ""
    rollback: str = ""
    site: str = ""

    def commit(self, sha: str) -> str:
        """The page of a commit."""
        return f"{self.repository}/commit/{sha}" if self._can(sha) else ""

    def compare(self, older: str, newer: str) -> str:
        """What is between two commits."""
        if older == newer or not (self._can(older) and self._can(newer)):
            return ""
        return f"{self.repository}/compare/{older}...{newer}"

    def pull(self, number: str) -> str:
        """A pull request."""
        return f"{self.repository}/pull/{number}" if self.repository and number.isdigit() else ""

    def _can(self, sha: str) -> bool:
        return bool(self.repository and _HASH.fullmatch(sha))


def page_of(remote: str) -> str:
    """The page of a repository from the address of a remote; without a user or a password."""
    remote = remote.strip()
    host, path = "", ""
    if "://" in remote:
        try:
            parts = urlsplit(remote)
        except ValueError:
            return ""
        if parts.scheme in {"http", "https", "ssh", "git"}:
            host, path = parts.hostname or "", parts.path
    elif found := _SCP.fullmatch(remote):
        host, path = found["host"], found["path"]
    path = path.strip("/").removesuffix(".git")
    if not re.fullmatch(r"[\w.-]+\.[\w-]+", host, re.ASCII) or not path:
        return ""
    return f"https://{host}/{quote(path)}"

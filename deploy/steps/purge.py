"""What CDNs keep of the site is thrown away, once every host serves the release, or did before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.cdn.cdn import purge

if TYPE_CHECKING:
    from deploy.cdn.cdn import CDN
    from deploy.steps.step import Say


@dataclass(frozen=True)
class Purge:
    """Purge them in the name of `run`; `command` is what repeats it by hand."""

    cdns: Sequence[CDN]
    run: str
    command: str
    name: str = "purge"
    host: str = ""
    touches: bool = False
    reverts: bool = False

    def do(self, say: Say) -> str:
        """Purge; what fails is a warning, as the site itself is well."""
        found = purge(self.cdns, self.run)
        for one in found:
            if one.error:
                say(f"{one.name} was not purged: {one.error}; again: {self.command}", True)
        done = [str(one) for one in found if not one.error]
        return "; ".join(done) or "nothing"

    def undo(self, say: Say) -> str:
        """Nothing: what comes into a CDN again comes from the hosts."""
        del say
        return ""

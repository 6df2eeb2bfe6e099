"""`inv cdn.ENVIRONMENT`: the CDNs purged by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import NeedsPerson, UsageError
from deploy.tasks.edge import Verb, show, situation, verb

if TYPE_CHECKING:
    from invoke.context import Context


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Purge what the CDNs before {name} keep, as a deploy does at its end.",
        help={},
    )
    def cdn(_c: Context) -> None:
        """Purge the CDNs; no host is spoken to."""
        from deploy.cdn.cdn import purge
        from deploy.cdn.choose import cdns

        with situation(root, name) as one:
            found = cdns(one.environment)
            if not found:
                raise UsageError(
                    f"hosts/{name}.yaml names no CDN",
                    state="Nothing has been changed.",
                    mend="Write cdn: there; hosts/reference.yaml shows how.",
                )
            purged = purge(found, one.run)
        if done := [str(one) for one in purged if not one.error]:
            show("\n".join(["Purged:", *(f"  {text}" for text in done)]))
        if failed := [f"{one.name} was not purged: {one.error}" for one in purged if one.error]:
            raise NeedsPerson(
                "\n".join(failed), state="The site itself is as it was.", mend=f"inv cdn.{name}"
            )

    return cdn

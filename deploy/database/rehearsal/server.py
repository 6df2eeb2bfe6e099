"""A throw-away server while it is there, and what is said of one that is not there any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.access import PACKAGE
from deploy.errors import CommandFailed, HostError
from deploy.remote.script import assemble

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.database.backup.manifest import Manifest
    from deploy.remote.host import Host


class Ended(HostError):
    """The throw-away server has come to an end before the rehearsal has; nothing was changed."""

    exit_code = 3


@dataclass(frozen=True)
class Throwaway:
    """The server while it is there; a `deploy.database.server.Server`.

    `psql` runs as the same role as on the real one; `superuser` is its first superuser, for looking
    at what that role may not see. `manifest` is the backup's with the result of its restore in it,
    None for a schema alone. `seconds` is how long the restore took.
    """

    access: Access
    superuser: Access
    container: str
    image: str
    manifest: Manifest | None
    seconds: float

    @property
    def host(self) -> Host:
        """The host of the database."""
        return self.access.host

    def psql(self, sql: str, *, timeout: float, doing: str, changes: bool = False) -> str:
        """Run SQL in one session; see `deploy.database.server.Server`.

        What changes something here is nobody else's business: no lease is asked for.

        Raises:
            Ended: one of its bounds has ended the server, and which one.
            CommandFailed: psql ended with an error.
            HostError: it could not be run, or its outcome is unknown.
        """
        del changes
        try:
            return self.access.psql(sql, timeout=timeout, doing=doing)
        except CommandFailed:
            why = why_over(self.host, self.container)
            if not why:
                raise
            raise ended(self.host, why) from None


def why_over(host: Host, box: str) -> str:
    """Return why a server has ended; "" if it has not, or if nobody can say."""
    try:
        text = assemble({"box": box}, [(PACKAGE, "rehearsal/why")], "why_over")
        found = host.exec(["sh", "-c", text, "headway"], timeout=60)
    except HostError:
        return ""
    if found.exit_code:
        return "it is gone"
    return found.text.strip()


def ended(host: Host, why: str) -> Ended:
    """The error that says so."""
    return Ended(
        host.name,
        f"the throw-away server was ended: {why}",
        state="Nothing has been changed.",
        mend="Its bounds are under database.rehearsal: memory, disk, timeout.",
    )

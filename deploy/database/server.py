"""A PostgreSQL server, wherever it is: what answers SQL, by the `psql` that fits it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from deploy.remote.host import Host


class Server(Protocol):
    """One database of a server.

    A service of the compose file, a URL, and the throw-away server of a rehearsal are all of this
    kind, so that what is asked of one can be asked of the others.
    """

    @property
    def host(self) -> Host:
        """The host on which `psql` runs."""
        ...

    def psql(self, sql: str, *, timeout: float, doing: str, changes: bool = False) -> str:
        """Run SQL in one session; return what it printed, unaligned and without heads.

        Args:
            sql: the text for psql's standard input, under ON_ERROR_STOP; its own commands work.
            timeout: seconds.
            doing: what failed, if it fails, for people: "the database could not be asked".
            changes: it changes something, which is for the owner of the latest lease alone.

        Raises:
            Fenced: it changes something, and the host has seen a later lease; it was not run.
            CommandFailed: psql ended with an error; `stderr` is what it said.
            HostError: it could not be run, or its outcome is unknown.
        """
        ...

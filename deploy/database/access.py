"""How a database is reached: in a container of a host, or by a URL from a host that can reach it.

Whatever is done to a database is POSIX sh that calls `inside SCRIPT`; the part of the shell that
defines it is all in which the kinds of access differ (`access-*.sh`).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from deploy.database.url import variables
from deploy.errors import CommandFailed, UsageError
from deploy.remote.arrows import Arrows, fenced
from deploy.remote.host import checked
from deploy.remote.script import FENCED, LIB, assemble

if TYPE_CHECKING:
    from deploy.remote.host import Host
    from deploy.settings import Environment
    from deploy.settings.secret import Secret

PACKAGE = "deploy.database"
IMAGE = "postgres:{major}"
"""The client's image of a URL, where the settings name none."""
_PSQL = "exec psql -X -q -A -t -v ON_ERROR_STOP=1"
_VERSION = 'exec psql -XqAtc "show server_version_num"'
INSIDE = (_PSQL, _VERSION)
"""All that is run where the database is, but for the parts that have a script of their own."""
SPARE = 10.0
"""Seconds between the deadline within the container, which names what was late, and the host's."""
_PULL = 600.0
"""Seconds in which a client's image may be pulled the first time that a URL is asked."""


@dataclass(frozen=True)
class Access:
    """A way to one database; a `deploy.database.server.Server`.

    `part` is the shell that defines `inside`, `settings` the shell variables that it reads,
    `secret` what stands before everything else on standard input. Made by `in_service`,
    `in_container` and `by_url`.
    """

    host: Host
    part: str
    settings: Mapping[str, str]
    secret: bytes = field(default=b"", repr=False)
    mend: str = ""
    """What to look at when the server does not let us in."""
    _known: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def psql(self, sql: str, *, timeout: float, doing: str, changes: bool = False) -> str:
        """Run SQL in one session; see `deploy.database.server.Server`."""
        self._ask_version(doing)
        return self._run(_PSQL, sql.encode(), timeout=timeout, doing=doing, changes=changes)

    def arrows(self, settings: Mapping[str, str], *parts: str, doing: str) -> Arrows:
        """What sends scripts about this database to its host.

        Args:
            settings: shell variables beside those of the access.
            parts: the names of `deploy/database/*.sh` that are sent along.
            doing: what failed, if the server does not let us in.
        """
        self._ask_version(doing)
        files = (LIB, *((PACKAGE, name) for name in (f"access-{self.part}", *parts)))
        return Arrows(self.host, {**self.settings, **self._known, **settings}, "", parts=files)

    def _ask_version(self, doing: str) -> None:
        """Ask the server of a URL once which client fits; it may have to be pulled first."""
        if self.part != "url" or self._known or "{major}" not in self.settings["image"]:
            return
        number = self._run(_VERSION, b"", timeout=_PULL, doing=doing)
        self._known["major"] = str(int(number) // 10000)

    def _run(
        self, inside: str, stdin: bytes, *, timeout: float, doing: str, changes: bool = False
    ) -> str:
        settings = {**self.settings, **self._known, "limit": f"{max(1, round(timeout))}"}
        parts, call = [(PACKAGE, f"access-{self.part}")], calling(inside)
        # A server that is thrown away has no fence: it is its maker's alone.
        if changes and "fence" in settings:
            parts, call = [LIB, *parts], guarded(inside)
        text = assemble(settings, parts, call)
        result = self.host.exec(
            ["sh", "-c", text, "headway"], stdin=self.secret + stdin, timeout=timeout + SPARE
        )
        if changes and result.exit_code == FENCED:
            raise fenced(self.host.name)
        try:
            return checked(self.host, doing, result).text
        except CommandFailed as error:
            if "startup parameter" in error.stderr:
                error.mend = (
                    "A pooler is in between, which takes no options. Name the server itself; or, "
                    "if it keeps a session for each client, add pgbouncer=true to the URL."
                )
            elif "FATAL:" in error.stderr or "could not translate host name" in error.stderr:
                error.mend = self.mend
            raise


def calling(inside: str) -> str:
    """The call of a script that runs one command where the database is."""
    return f"locate || exit 1\ninside {shlex.quote(inside)}"


def guarded(inside: str) -> str:
    """The same, unless a later lease than ours has been seen on the host."""
    return f"guarded\n{calling(inside)}"


def in_service(host: Host, project: str, service: str) -> Access:
    """A service of the compose file: the container that Compose made for it on this host."""
    return Access(host, "container", _container(project=project, service=service))


def in_container(host: Host, container: str, *, user: str = "", database: str = "") -> Access:
    """A container by its id or name; the container's own user and database unless given."""
    settings = _container(container=container, user=user, database=database, service=container)
    return Access(host, "container", settings)


def by_url(host: Host, url: Secret, image: str = IMAGE) -> Access:
    """A URL that `host` can reach.

    Args:
        host: where the one-off container runs.
        url: the secret.
        image: the image with the client's programs; `{major}` in it is the server's major version.

    Raises:
        UsageError: the URL is none.
    """
    found = variables(url.reveal(), url.name)
    lines = "".join(f"{name}={value}\n" for name, value in found.items())
    mend = f"Look at the secret {url.name}, and from where the server lets {host.name} in."
    return Access(host, "url", {"image": image, "major": ""}, f"{lines}\n".encode(), mend)


def access_of(environment: Environment, hosts: Mapping[str, Host], fence: int = 0) -> Access:
    """The database of an environment; its service where it names one, else its URL.

    Args:
        environment: the settings.
        hosts: by name.
        fence: the number of the lease under which it is changed; 0 without one.

    Raises:
        UsageError: it names neither, or its URL is none.
    """
    database = environment.database
    if database is None or not (database.service or database.url):
        raise UsageError(
            f"{environment.name} names no database",
            state="Nothing has been changed.",
            mend=f"Write database: into hosts/{environment.name}.yaml; see hosts/reference.yaml.",
        )
    host = hosts[database.host or next(iter(environment.hosts))]
    if database.service:
        found = in_service(host, environment.app, database.service)
    else:
        assert database.url is not None  # noqa: S101 - looked at above
        found = by_url(host, environment.secret(database.url), database.image)
    return replace(found, settings={**found.settings, "dir": environment.path, "fence": str(fence)})


def _container(**settings: str) -> dict[str, str]:
    names: Sequence[str] = ("container", "project", "service", "user", "database")
    return {name: settings.get(name, "") for name in names}

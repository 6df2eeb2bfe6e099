"""`inv logs.ENVIRONMENT`: the last lines of a service, from every host that runs it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from deploy.redaction.sink import current
from deploy.tasks.edge import Verb, show, situation, verb

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.remote.host import Host, Result


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Print the last lines of a service, from every host of {name} that runs it.",
        iterable=["host"],
        help={
            "service": "one service; without it, all of the application's",
            "host": "one host; may be given more than once",
            "lines": "how many of the last lines (100)",
            "since": "not older than this: 10m, 2h, or a time",
        },
    )
    def logs(
        _c: Context,
        service: str = "",
        host: list[str] | None = None,
        lines: int = 100,
        since: str = "",
    ) -> None:
        """Print the last lines of a service."""
        from deploy.errors import HeadwayError
        from deploy.remote.pool import each
        from deploy.tasks.hosts import chosen
        from deploy.views.text import clean

        with situation(root, name) as one:
            words = ["docker", "compose", "logs", "--no-color", "--tail", str(lines)]
            words += ["--since", since] if since else []
            words += ["--", service] if service else []
            command = f"cd {shlex.quote(one.environment.path)} && exec {shlex.join(words)}"
            running = [
                place.host
                for place in one.placements.values()
                if not service or service in place.services
            ]
            hosts = chosen(one, host or running)

            def read(where: Host) -> Result:
                return where.exec(["sh", "-c", command], timeout=60)

            failed = False
            for where, found in each(hosts, read).items():
                if isinstance(found, HeadwayError):
                    failed = True
                    show(f"{where}  ! {found}")
                    continue
                failed = failed or found.exit_code != 0
                text = (found.stdout + found.stderr).decode("utf-8", "replace")
                # Before it is in lines: each gets its host's name, and a secret may have several.
                for line in clean(current().redact(text)).splitlines():
                    show(f"{where}  {line}")
        if failed:
            raise Exit(code=5)

    return logs

"""`inv exec.ENVIRONMENT COMMAND`: one command in a service's container, or on the host itself."""

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
        doc=f"Run one command in a service's container, or on the hosts of {name}.",
        iterable=["host"],
        help={
            "command": "the command, as one word for this shell: 'node -v'",
            "service": "in a container of this service; without it, on the host",
            "host": "one host; may be given more than once; without it, every one that fits",
            "timeout": "seconds (300)",
        },
    )
    def exec(
        _c: Context,
        command: str,
        service: str = "",
        host: list[str] | None = None,
        timeout: int = 300,
    ) -> None:
        """Run one command."""
        from deploy.errors import HeadwayError
        from deploy.remote.pool import each
        from deploy.tasks.hosts import chosen
        from deploy.views.text import clean

        with situation(root, name) as one:
            text = command
            if service:
                words = ["docker", "compose", "exec", "-T", service, "sh", "-c", command]
                text = f"cd {shlex.quote(one.environment.path)} && exec {shlex.join(words)}"
            fitting = [
                place.host
                for place in one.placements.values()
                if not service or service in place.services
            ]

            def run(where: Host) -> Result:
                return where.exec(["sh", "-c", text], timeout=timeout)

            failed = False
            for where, result in each(chosen(one, host or fitting), run).items():
                if isinstance(result, HeadwayError):
                    failed = True
                    show(f"{where}  ! {result}")
                    continue
                said = (result.stdout + result.stderr).decode("utf-8", "replace")
                # Before it is in lines: each gets its host's name, and a secret may have several.
                for line in clean(current().redact(said)).splitlines():
                    show(f"{where}  {line}")
                if result.exit_code:
                    failed = True
                    print(f"{where}  ! exit {result.exit_code}")
        if failed:
            raise Exit(code=5)

    return exec

"""`inv logs.ENVIRONMENT`: the last lines of a service, from every host that runs it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke import Context, Task, task

from deploy.tasks.edge import guarded, situation

if TYPE_CHECKING:
    from deploy.remote.host import Host


def make(root: Path, name: str) -> Task[Any]:
    """The task for one environment."""

    @task(
        name=name,
        auto_shortflags=False,
        iterable=["host"],
        help={
            "service": "one service; without it, all of the application's",
            "host": "one host; may be given more than once",
            "lines": "how many of the last lines (100)",
            "since": "not older than this: 10m, 2h, or a time",
        },
    )
    @guarded
    def logs(
        _c: Context,
        service: str = "",
        host: list[str] | None = None,
        lines: int = 100,
        since: str = "",
    ) -> None:
        """Print the last lines of a service."""
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

            def read(where: Host) -> str:
                result = where.exec(["sh", "-c", command], timeout=60)
                return (result.stdout + result.stderr).decode("utf-8", "replace")

            for where, text in each(hosts, read).items():
                for line in clean(str(text)).splitlines():
                    print(f"{where}  {line}")

    logs.__doc__ = f"Print the last lines of a service, from every host of {name} that runs it."
    return logs

"""PostgreSQL in a service of the compose file: asked and changed by the `psql` in its container."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.access import in_service

if TYPE_CHECKING:
    from deploy.remote.host import Host


@dataclass(frozen=True)
class Postgres:
    """The server in the service `service` of the project `project` on `host`."""

    host: Host
    project: str
    service: str

    def psql(self, sql: str, *, timeout: float, doing: str) -> str:
        """Run SQL; see `deploy.database.server.Server`."""
        access = in_service(self.host, self.project, self.service)
        return access.psql(sql, timeout=timeout, doing=doing)

"""PostgreSQL in a service of the compose file: asked and changed by the `psql` in its container."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.access import in_service
from deploy.database.drizzle import Migration, Row
from deploy.errors import CommandFailed

if TYPE_CHECKING:
    from deploy.remote.host import Host

_ROWS = """
select to_regclass('drizzle.__drizzle_migrations') is not null as there \\gset
\\if :there
select hash || ' ' || created_at from drizzle.__drizzle_migrations order by id;
\\endif
"""
_LOCK = 0x48656164776179
"""The advisory lock that keeps two migrators apart: "Headway" in ASCII."""
_TABLE = f"""
begin;
select pg_advisory_xact_lock({_LOCK}) \\g /dev/null
create schema if not exists drizzle;
create table if not exists drizzle.__drizzle_migrations
  (id serial primary key, hash text not null, created_at bigint);
commit;
"""


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

    def rows(self) -> list[Row]:
        """Return what Drizzle's table says has been applied, oldest first; empty without a table.

        Raises:
            HostError: the database cannot be asked.
        """
        text = self.psql(_ROWS, timeout=30, doing="the database could not be asked")
        pairs = (line.split() for line in text.splitlines() if line.strip())
        return [Row(digest, int(when)) for digest, when in pairs]

    def apply(
        self, migrations: Sequence[Migration], *, lock_timeout: float, statement_timeout: float
    ) -> None:
        """Apply each file in a transaction of its own, and leave the row that Drizzle would leave.

        Under an advisory lock, and each file only if its row is still not there: of two migrators
        that come at once, the second finds nothing to do.

        Raises:
            CommandFailed: a file failed; it was rolled back, and those before it stay applied.
            HostError: the outcome is unknown.
        """
        parts = [_TABLE]
        for migration in migrations:
            parts.append(_one(migration, lock_timeout, statement_timeout))
        timeout = 30 + len(migrations) * (statement_timeout + lock_timeout)
        try:
            self.psql("".join(parts), timeout=timeout, doing="a migration failed")
        except CommandFailed as error:
            applied = {row.hash for row in self.rows()}
            failed = next((one for one in migrations if one.hash not in applied), None)
            name = f"{failed.tag}.sql" if failed else "the last file"
            raise CommandFailed(
                self.host.name,
                f"{name} failed and was rolled back",
                exit_code=1,
                stderr=error.stderr,
            ) from None


def _one(migration: Migration, lock_timeout: float, statement_timeout: float) -> str:
    row = f"hash = '{migration.hash}' and created_at = {migration.when}"
    # The hash is hexadecimal and `when` a number; the SQL is the user's own, as it is meant to be.
    return f"""
begin;
set local lock_timeout = {int(lock_timeout * 1000)};
set local statement_timeout = {int(statement_timeout * 1000)};
select pg_advisory_xact_lock({_LOCK}) \\g /dev/null
select not exists (select from drizzle.__drizzle_migrations where {row}) as headway_pending \\gset
\\if :headway_pending
{migration.sql}
;
insert into drizzle.__drizzle_migrations (hash, created_at)
  values ('{migration.hash}', {migration.when});
\\endif
commit;
"""  # noqa: S608

"""Who holds what a migration waits for, as a second connection sees it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

APPLICATION = "headway-migrate"
"""The `application_name` of the session that migrates."""

LOCK = 0x48656164776179
"""The advisory lock that keeps two migrators apart: "Headway" in ASCII."""

TOKENS = 0x48656164
"""The first half of the advisory locks by which a run's own session is known to its watcher."""


@dataclass(frozen=True)
class Blocker:
    """A session that others wait for. Times are the server's, as text.

    Without the right to see other users' sessions (pg_read_all_stats), PostgreSQL tells the pid
    alone.
    """

    pid: int
    application: str = ""
    client: str = ""
    user: str = ""
    state: str = ""
    query_start: str = ""
    transaction_start: str = ""

    def __str__(self) -> str:
        who = ", ".join(
            part
            for part in (
                f"user {self.user}" if self.user else "",
                f"from {self.client}" if self.client else "",
                self.state,
                f"query began {self.query_start}" if self.query_start else "",
                f"transaction began {self.transaction_start}" if self.transaction_start else "",
            )
            if part
        )
        name = self.application or "a session without application_name"
        return f"pid {self.pid}, {name}" + (f" ({who})" if who else "")


_SESSION = """json_build_object(
  'pid', a.pid, 'application', a.application_name, 'user', a.usename, 'state', a.state,
  'client', coalesce(host(a.client_addr), case when a.backend_type = 'client backend'
    then 'the host itself' else a.backend_type end),
  'query_start', date_trunc('second', a.query_start)::text,
  'transaction_start', date_trunc('second', a.xact_start)::text)"""

HOLDER = f"""select coalesce((select {_SESSION}::text
from pg_locks l join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 1
  and l.classid = {LOCK >> 32} and l.objid = {LOCK & 0xFFFFFFFF}
  and l.database = (select oid from pg_database where datname = current_database())
limit 1), '')"""  # noqa: S608 - numbers
"""Who holds the advisory lock, as JSON; empty if nobody does."""


EXCLUSIVE = f"""select {_SESSION} from pg_stat_activity a
where a.datname = current_database() and a.pid <> pg_backend_pid() and exists (
  select from pg_locks l where l.pid = a.pid and l.locktype = 'relation' and l.granted
    and l.mode = 'AccessExclusiveLock' and l.database = a.datid)"""  # noqa: S608 - constants
"""Who has a table for itself, so that nobody else can even read it; one JSON object a line."""


def watch(token: int, *, interval: float, times: int) -> str:
    """Return a text for psql that prints who blocks the session with this token, until it is gone.

    Many short queries and no long one, which CREATE INDEX CONCURRENTLY would wait for.

    Args:
        token: of the session, which holds the advisory lock (TOKENS, token).
        interval: seconds between two looks.
        times: looks at the most.
    """
    locks = f"""l.locktype = 'advisory' and l.granted and l.objsubid = 2
      and l.classid = {TOKENS} and l.objid = {token}
      and l.database = (select oid from pg_database where datname = current_database())"""  # noqa: S608 - numbers
    gone = f"select not exists (select from pg_locks l where {locks}) as gone"  # noqa: S608 - numbers
    blocking = f"""select {_SESSION} from pg_locks l,
      lateral unnest(pg_blocking_pids(l.pid)) as b (pid)
      join pg_stat_activity a on a.pid = b.pid where {locks}"""  # noqa: S608 - as above
    lines = [
        "\\encoding UTF8",
        f"set application_name = '{APPLICATION}-watch';",
        f"\\set asks {_slashed(gone)}",
        f"\\set blocking {_slashed(blocking)}",
        f"\\set pause 'select pg_sleep({interval:g})'",
    ]
    look = [":asks \\gset", "\\if :gone", "\\q", "\\endif", ":blocking ;", ":pause ;"]
    return "\n".join([*lines, *(look * times), ""])


def _slashed(sql: str) -> str:
    """Quote SQL on one line for an argument of psql's own commands."""
    return "'" + " ".join(sql.split()).replace("'", "''") + "'"


def blockers(lines: Iterable[str]) -> tuple[Blocker, ...]:
    """Read what was printed: each session once, as it was seen last."""
    found = {}
    for line in lines:
        if line.startswith("{"):
            columns = {key: value for key, value in json.loads(line).items() if value is not None}
            found[columns["pid"]] = Blocker(**columns)
    return tuple(found.values())

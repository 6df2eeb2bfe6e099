"""How large the tables of a database are, which decides what a lock on one of them means."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from deploy.database.migrations.blockers import EXCLUSIVE, blockers
from deploy.errors import CommandFailed, Refused

if TYPE_CHECKING:
    from deploy.database.server import Server

_PATIENCE = 5
"""Seconds to wait for a table that somebody has for itself: a migration that is to be lived with
holds none for longer."""

_ASK = r"""
with tables as (
  select c.oid, n.nspname, c.relname, case c.relkind
      when 'p' then (select coalesce(sum(pg_total_relation_size(t.relid)), 0)
                       from pg_partition_tree(c.oid) t)
      else pg_total_relation_size(c.oid) end as bytes
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'p', 'm') and n.nspname !~ '^pg_'
     and n.nspname <> 'information_schema'),
named as (
  select nspname, relname, bytes from tables
  union all
  select n.nspname, c.relname, t.bytes from pg_index i
    join tables t on t.oid = i.indrelid
    join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace)
select coalesce(json_object_agg(
    case nspname when 'public' then relname else nspname || '.' || relname end, bytes), '{}')
  from named;
"""


def sizes(server: Server) -> dict[str, int]:
    """Return bytes, indexes and all, by name: of each table, and of each index its table's.

    Names are as a finding has them: `schema.name`, or the name alone in the schema public.

    Raises:
        Refused: somebody has a table for itself, as a long migration by hand does.
        HostError: the database cannot be asked.
    """
    doing = "the sizes of the tables could not be asked"
    try:
        text = server.psql(f"set lock_timeout = '{_PATIENCE}s';{_ASK}", timeout=60, doing=doing)
    except CommandFailed as error:
        if "lock timeout" not in error.stderr:
            raise
        holding = blockers(server.psql(EXCLUSIVE, timeout=60, doing=doing).splitlines())
        who = "; ".join(map(str, holding)) or "a session that has ended meanwhile"
        raise Refused(
            f"{error.host}: a table is locked, so that nobody can read it, by {who}",
            state="Nothing has been changed.",
            mend="Wait until that has ended, or end it: select pg_terminate_backend(PID)",
        ) from None
    return {str(name): int(count) for name, count in json.loads(text).items()}

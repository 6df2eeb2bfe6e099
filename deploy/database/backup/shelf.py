"""What lies in the folder of backups, and what a database says of itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.database.backup.manifest import Manifest
from deploy.remote.script import Report

FACTS = r"""
select to_regclass('drizzle.__drizzle_migrations') is not null as headway_there \gset
\set headway_head null
\if :headway_there
select json_build_object(
    'count', count(*), 'when', max(created_at),
    'hash', (array_agg(hash order by created_at desc, id desc))[1],
    'name', (array_agg(to_jsonb(m) ->> 'name' order by created_at desc, id desc))[1],
    'all', md5(string_agg(hash, ',' order by created_at, id))) as headway_head
  from drizzle.__drizzle_migrations m \gset
\endif
select translate(json_build_object(
    'database', current_database(),
    'server', current_setting('server_version'),
    'major', current_setting('server_version_num')::int / 10000,
    'database_bytes', pg_database_size(current_database()),
    'wal', case when pg_is_in_recovery() then pg_last_wal_replay_lsn()
                else pg_current_wal_lsn() end,
    'commits', (select xact_commit from pg_stat_database where datname = current_database()),
    'time', extract(epoch from now())::bigint,
    'head', :'headway_head'::json,
    'tables', coalesce((
      select json_object_agg(n.nspname || '.' || c.relname,
          case when s.n_live_tup > 0 or s.n_tup_ins + s.n_tup_del > 0 then s.n_live_tup
               else greatest(c.reltuples, 0)::bigint end)
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        left join pg_stat_all_tables s on s.relid = c.oid
       where c.relkind in ('r', 'm')
         and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'), '{}'::json)
  )::text, e'\n', ' ');
"""
"""What is asked of a database, as one object: its sizes, its place in the WAL, its newest
migration, and the rows of each table as the server estimates them (to count them would take as long
as a dump)."""


@dataclass(frozen=True)
class Shelf:
    """What lies in the folder. `dumps` is file → bytes; `free` in bytes, of the disk `mount`."""

    kept: tuple[Manifest, ...]
    dumps: Mapping[str, int]
    free: int
    mount: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    client: str = ""

    def get(self, name: str) -> Manifest | None:
        """The backup of that name."""
        return next((one for one in self.kept if one.name == name), None)

    def whole(self, one: Manifest) -> bool:
        """Whether the file is there, with the size that it had."""
        return one.method == "command" or self.dumps.get(f"{one.name}.dump") == one.bytes


def read_shelf(lines: Sequence[str]) -> Shelf:
    """Turn what `shelf` or `survey` said into values; what is no manifest is passed over."""
    report = Report()
    for line in lines:
        report.add(line)
    kept = []
    for event in report.all("kept"):
        try:
            one = Manifest.read(event.get("manifest"))
        except ValueError:
            continue
        if event.get("file") == f"{one.name}.json":
            kept.append(one)
    room = report.last("room") or {}
    database = report.last("database") or {}
    return Shelf(
        kept=tuple(sorted(kept, key=lambda one: (one.at, one.name))),
        dumps={event["file"]: int(event["bytes"]) for event in report.all("dump")},
        free=int(room.get("free_kb", 0)) * 1024,
        mount=str(room.get("mount", "")),
        facts=database.get("facts") or {},
        client=str(database.get("client", "")),
    )

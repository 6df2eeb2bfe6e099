"""The locks of a migration outside a transaction, looked for from a second session.

Its statements let their locks go as they end, so nothing is left to ask for afterwards. What is
shorter than the interval is missed: what is found is a lower bound. Each look is a transaction of
its own: CREATE INDEX CONCURRENTLY waits for every one that began before it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from deploy.database.measure.watch import MODES, Measured, Touched
from deploy.database.migrations.recorded import literal

_MARK = "headway-sample "


def sample_sql(application: str, *, interval: float = 0.02, limit: float = 3600) -> str:
    """Return a script for a session of its own, beside the one that is watched.

    It begins to look when a session of the name is there, ends when it is gone, and then prints
    what it saw. It waits at most ten seconds for the session to come.

    Args:
        application: the `application_name` of the session that runs the migration.
        interval: seconds between two looks.
        limit: seconds after which it gives up.
    """
    name = literal(application)
    return f"""
set statement_timeout = 0;
create temp table headway_samples (relation oid, name text, mode text, seen bigint);
do $headway$
declare
  began timestamptz := clock_timestamp();
  met boolean := false;
  there boolean;
begin
  loop
    perform pg_stat_clear_snapshot();
    select exists (select from pg_stat_activity where application_name = {name}) into there;
    met := met or there;
    exit when met and not there;
    exit when not met and clock_timestamp() > began + interval '10 seconds';
    exit when clock_timestamp() > began + {limit} * interval '1 second';
    insert into headway_samples
      select l.relation,
        case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname, l.mode, 1
      from pg_locks l join pg_stat_activity a on a.pid = l.pid and a.application_name = {name}
      join pg_class c on c.oid = l.relation and c.relkind in ('r', 'p', 'm')
      join pg_namespace n on n.oid = c.relnamespace
      where l.locktype = 'relation' and l.granted and l.relation >= 16384;
    perform pg_sleep({interval});
    commit;
  end loop;
end
$headway$;
select '{_MARK}' || jsonb_build_array(relation::int8, name, mode, sum(seen) * {interval})::text
from headway_samples group by relation, name, mode;
"""  # noqa: S608 - a quoted name and numbers


def add_samples(measured: Measured, output: str, *, ignore: Collection[str] = ()) -> Measured:
    """Return a file's measurement with the locks that were seen: the strongest on each table.

    Args:
        measured: what `deploy.database.measure.watch.parse` said of it.
        output: what the script of `sample_sql` printed.
        ignore: tables that are the migrator's own.
    """
    tables = {one.oid: one for one in measured.tables}
    for line in output.splitlines():
        if not line.startswith(_MARK):
            continue
        oid, name, mode, held = _sample(json.loads(line[len(_MARK) :]))
        one = tables.get(oid, Touched(name, oid))
        stronger = not one.lock or MODES.index(mode) > MODES.index(one.lock)
        if stronger and mode not in MODES[:2] and name not in ignore:
            tables[oid] = replace(one, lock=mode, held=held)
    return replace(measured, tables=tuple(sorted(tables.values(), key=lambda one: one.name)))


def _sample(row: list[Any]) -> tuple[int, str, str, float]:
    return int(row[0]), str(row[1]), str(row[2]), float(row[3])

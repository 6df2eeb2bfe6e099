r"""What the applier sends to psql: one session for all files. Pure.

The SQL of a migration stands in a dollar quote, which the server gives back as one text and
`\gexec` sends as one query: what in it looks like a command or a variable of psql's is none.
Progress is told in lines that begin with "headway": on standard output for a run that ends well,
and on standard error, between PostgreSQL's own messages, for one that does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.database.migrations.blockers import APPLICATION, HOLDER, LOCK, TOKENS
from deploy.database.migrations.folder import Format, Migration
from deploy.database.migrations.recorded import Table, identifier, literal

if TYPE_CHECKING:
    from deploy.database.migrations.transaction import Way

MARK = "headway"


@dataclass(frozen=True)
class Limits:
    """How long things may take, in seconds, and how often a file is tried.

    lock_timeout: how long a statement waits for a lock before it lets the others pass.
    statement_timeout: how long one statement may take, its wait included.
    turn: how long another migrator is waited for.
    attempts: how often a transactional file that waited in vain, or met a deadlock, is tried.
    """

    lock_timeout: float
    statement_timeout: float
    turn: float = 60.0
    attempts: int = 6


@dataclass(frozen=True)
class Looks:
    """Queries around a file's own, whose lines are the session's only other output.

    They come before its first query and before its transaction, after each piece within the
    transaction, before the row is written, and after the commit. They change nothing.
    """

    begin: str = ""
    between: str = ""
    end: str = ""
    after: str = ""


@dataclass(frozen=True)
class Job:
    """A migration, how it is run, and what is looked at meanwhile."""

    migration: Migration
    way: Way
    looks: Looks = field(default_factory=Looks)


def script(
    jobs: Sequence[Job],
    *,
    table: Table,
    form: Format,
    names: Mapping[int, str],
    limits: Limits,
    token: int,
) -> str:
    """Return the text that applies `jobs`, each if its row is not there.

    Args:
        jobs: what to apply, in order.
        table: Drizzle's.
        form: the folder's format.
        names: row's id → name, to lift a v0 table for a v1 folder; empty otherwise.
        limits: how long things may take.
        token: by which the session is known to its watcher, below 2**31.
    """
    parts = ["\\set VERBOSITY verbose\n\\o /dev/null\n"]
    for number, job in enumerate(jobs):
        parts.append(turn(limits.turn) + session(limits, token))
        if number == 0:
            parts.append(_table(table, form) + _lift(table, form, names))
        parts.append(_file(number, job, table, form, limits))
    return "".join(parts)


def mark(text: str) -> str:
    """Return what tells `text` on both ways."""
    return f"\\echo {MARK} {text}\n\\warn {MARK} {text}\n"


def turn(seconds: float) -> str:
    """Return what takes the advisory lock, or tells who holds it and ends the session.

    Whatever a file before has set is reset: each file begins as in a session of its own.
    """
    return f"""
reset session authorization;
reset role;
reset all;
\\encoding UTF8
set application_name = '{APPLICATION}';
set statement_timeout = 0;
set lock_timeout = {_ms(seconds)};
\\set ON_ERROR_STOP 0
select pg_advisory_lock({LOCK});
\\set ON_ERROR_STOP 1
select pg_try_advisory_lock({LOCK}) as mine \\gset
\\if :mine
\\else
{HOLDER} as holder \\gset
{mark("busy :holder")}\\q
\\endif
"""


def session(limits: Limits, token: int) -> str:
    """Return what makes the session known to its watcher, and how long it waits for what."""
    return f"""select pg_advisory_lock({TOKENS}, {token});
set lock_timeout = {_ms(limits.lock_timeout)};
set statement_timeout = {_ms(limits.statement_timeout)};
"""


def _table(table: Table, form: Format) -> str:
    """The statements are those of Drizzle's migrator."""
    more = ",\n  name text,\n  applied_at timestamp with time zone DEFAULT now()"
    return f"""select to_regclass({literal(str(table))}) is not null as there \\gset
\\if :there
\\else
CREATE SCHEMA IF NOT EXISTS {identifier(table.schema)};
CREATE TABLE IF NOT EXISTS {table} (
  id SERIAL PRIMARY KEY,
  hash text NOT NULL,
  created_at bigint{more if form is Format.V1 else ""}
);
\\endif
"""


def _lift(table: Table, form: Format, names: Mapping[int, str]) -> str:
    """As Drizzle 1 lifts a table of Drizzle 0.x, in `up-migrations/pg.ts`.

    The other way round nothing is done: Drizzle 1 would run again what a row without a name stands
    for.
    """
    column = f"""select from pg_attribute where attrelid = to_regclass({literal(str(table))})
  and attname = 'name' and not attisdropped"""
    if form is Format.V0:
        return stop_if(column, "the table of migrations is Drizzle 1's, and the folder is older")
    values = ", ".join(f"({number}, {literal(name)})" for number, name in names.items())
    update = f"""update {table} as t set name = v.name, applied_at = null
  from (values {values}) as v (id, name) where t.id = v.id;
"""  # noqa: S608 - numbers and quoted names
    nameless = f"select from {table} where name is null"
    return f"""select exists ({column}) as lifted \\gset
\\if :lifted
\\else
begin;
alter table {table} add column if not exists name text;
alter table {table} add column if not exists applied_at timestamp with time zone default now();
{update if names else ""}{stop_if(nameless, "a row belongs to no migration of the image")}commit;
\\endif
"""


def stop_if(query: str, message: str) -> str:
    """End the session with `message` if `query` finds a row."""
    body = f"""begin
  if exists ({query}) then raise exception using message = {literal(message)}; end if;
end"""
    return f"do {dollar_quoted(body)};\n"


_SET_TRANSACTION = re.compile(r"\bset\s+transaction\b", re.IGNORECASE)


def _units(number: int, job: Job, limits: Limits) -> str:
    # SET TRANSACTION has to come before any query.
    apart = any(_SET_TRANSACTION.search(unit.text) for unit in job.way.units)
    between = "" if apart or not job.way.transactional else _shown(job.looks.between)
    return between.join(unit_text(number, at, job.way, limits) for at in range(len(job.way.units)))


def _shown(sql: str) -> str:
    return f"\\o\n{sql}\\o /dev/null\n" if sql else ""


def _file(number: int, job: Job, table: Table, form: Format, limits: Limits) -> str:
    one, way, looks = job.migration, job.way, job.looks
    if form is Format.V1:
        is_it = f"name = {literal(one.name)}"
        columns = '"hash", "created_at", "name"'
        values = f"{literal(one.hash)}, {one.when}, {literal(one.name)}"
    else:
        is_it = f"hash = {literal(one.hash)} and created_at = {one.when}"
        columns, values = '"hash", "created_at"', f"{literal(one.hash)}, {one.when}"
    before = "" if way.transactional else f"{INVALID} \\gset\n{mark('invalid :invalid')}"
    after = "" if way.transactional else _no_invalid(one.sql)
    units = _units(number, job, limits)
    return f"""select not exists (select from {table} where {is_it}) as todo \\gset
\\if :todo
{mark(f"begin {number}")}select extract(epoch from clock_timestamp()) as began \\gset
{before}{_shown(looks.begin)}{units or "begin;"}
\\warn {MARK} unit {number} {len(way.units)}
{_shown(looks.end)}{after}reset role;
insert into {table} ({columns}) values ({values});
commit;
select round((extract(epoch from clock_timestamp()) - :began)::numeric, 3) as seconds \\gset
{mark(f"done {number} :seconds")}{_shown(looks.after)}\\else
{mark(f"there {number}")}\\endif
"""  # noqa: S608 - the table's name, the hash and the migration's name are quoted


def unit_text(number: int, at: int, way: Way, limits: Limits) -> str:
    """Return what runs unit number `at`; the first begins the transaction, if there is one."""
    unit = way.units[at]
    # Beside the first piece, so that its text is asked for before the transaction begins: SET
    # TRANSACTION has to come before any query.
    begin = "'begin', " if at == 0 and way.begins else ""
    run = f"select {begin}{dollar_quoted(unit.text)} \\gexec\n"
    if unit.patient:
        run = f"set lock_timeout = 0;\n{run}set lock_timeout = {_ms(limits.lock_timeout)};\n"
    return f"\\warn {MARK} unit {number} {at}\n{run}"


_INVALID = """from pg_index i join pg_class c on c.oid = i.indexrelid
  join pg_namespace n on n.oid = c.relnamespace
  where not i.indisvalid and c.relkind = 'i' and not exists (
    select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)"""
INVALID = f"""select coalesce(json_agg(format('%I.%I', n.nspname, c.relname))::text, '[]')
  as invalid {_INVALID}"""
"""The names of the invalid indexes that nobody is making just now, as JSON."""


def _no_invalid(sql: str) -> str:
    """An index that an earlier failure left would satisfy IF NOT EXISTS, and enforce nothing."""
    body = f"""declare found text; begin
  select string_agg(format('%I.%I', n.nspname, c.relname), ', ') into found
  {_INVALID} and position(lower(c.relname) in lower({dollar_quoted(sql)})) > 0;
  if found is not null then
    raise exception using errcode = 'object_not_in_prerequisite_state',
      message = 'the file names an index that is not valid: ' || found;
  end if;
end"""
    return f"do {dollar_quoted(body)};\n"


def dollar_quoted(text: str) -> str:
    """Quote a text between two marks that do not occur in it."""
    tag, number = "$hw", 0
    while tag in text:
        number += 1
        tag = f"$hw{number}"
    return f"{tag}${text}{tag}$"


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))

"""The rules for locks against PostgreSQL, which says at DEBUG1 what it scans and rewrites."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.database.lint.lint import File, lint

if TYPE_CHECKING:
    from .shells import Near

pytestmark = pytest.mark.fleet

BEFORE = """
create type mood as enum ('good');
create table shops (id int primary key);
insert into shops values (1);
create table users (id int primary key, email text, name varchar(10), sum numeric(10,2));
insert into users select n, n::text, n::text, 1 from generate_series(1, 100) n;
alter table users add constraint said check (email is not null);
create unique index users_email_idx on users (email);
"""
# What PostgreSQL says → which of our rules says the same of the table.
SAYS = {
    'rewriting table "users"': "rewrite",
    'verifying table "users"': "scan",
    "validating foreign key": "scan",
    "create implicit index": "index",
}
OURS = {
    "rewrite": "rewrite",
    "constraint-scan": "scan",
    "set-not-null-scan": "scan",
    "unique-builds-index": "index",
}

STATEMENTS = {
    "add column a int": set(),
    "add column a int default 5 not null": set(),
    "add column a timestamptz default now() not null": set(),
    "add column a text default concat('a', lower('B')) not null": set(),
    "add column a text default current_setting('search_path')": set(),
    "add column a text[] default array['x']::text[], add column b date default current_date": set(),
    "add column a jsonb default '{}'::jsonb not null": set(),
    "add column a mood default 'good' not null": set(),
    "add column a uuid default gen_random_uuid()": {"rewrite"},
    "add column a timestamptz default clock_timestamp()": {"rewrite"},
    "add column a float default (random() * 5)": {"rewrite"},
    "add column a serial": {"rewrite"},
    "add column a int generated always as identity": {"rewrite"},
    "add column a int generated always as (id * 2) stored": {"rewrite"},
    "add column a int references shops": set(),
    "add column a int default 1 references shops": {"scan"},
    "add column a int, add foreign key (a) references shops": {"scan"},
    "add column a int, add foreign key (a) references shops not valid": set(),
    "add column a int check (a > 0)": {"scan"},
    "add column a text unique": {"index"},
    "add check (id > 0)": {"scan"},
    "add check (id > 0) not valid": set(),
    "add constraint c check (id > 0) not valid, validate constraint c": {"scan"},
    "add constraint u unique using index users_email_idx": set(),
    "add unique (name)": {"index"},
    "alter email set not null": set(),
    "alter name set not null": {"scan"},
    "alter name type varchar(20)": set(),
    "alter name type text": set(),
    "alter name type varchar": set(),
    "alter name type varchar(5)": {"rewrite"},
    "alter name type text using lower(name)": {"rewrite"},
    "alter sum type numeric(12, 2)": set(),
    "alter sum type numeric(12, 3)": {"rewrite"},
    "alter id type bigint": {"rewrite"},
    "set unlogged": {"rewrite"},
    "set (fillfactor = 90)": set(),
    "drop column name": set(),
    "alter name set statistics 100, alter name set storage external": set(),
}


def said(postgres: Near, sql: str) -> set[str]:
    """What the server says of a statement, which is rolled back."""
    text = f"{BEFORE}; set client_min_messages = debug1; {sql}; rollback;"
    psql = "PGPASSWORD=x exec psql -h 127.0.0.1 -U shop -Xq -v ON_ERROR_STOP=1"
    done = postgres.shells.run(psql, f"begin; {text}".encode(), timeout=30)
    stderr = done.stderr.decode()
    assert done.exit_code == 0, stderr
    return {ours for phrase, ours in SAYS.items() if phrase in stderr}


@pytest.mark.parametrize(("clauses", "expected"), STATEMENTS.items(), ids=STATEMENTS)
def test_what_is_scanned_and_rewritten(postgres: Near, clauses: str, expected: set[str]) -> None:
    sql = f"alter table users {clauses}"
    assert said(postgres, sql) == expected
    found = lint([File("a.sql", sql)], [File("before.sql", BEFORE)])
    assert {OURS[one.rule] for one in found if one.rule in OURS} == expected

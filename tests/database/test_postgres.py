"""Applying migrations to a real PostgreSQL, by the psql in its container."""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.database.drizzle import Migration, Row, pending, read_folder
from deploy.database.postgres import Postgres
from deploy.errors import CommandFailed

from .conftest import asked, docker
from .test_drizzle import rows, shop_folder

pytestmark = pytest.mark.fleet

COLUMNS = """
select column_name, data_type, is_nullable, column_default
from information_schema.columns
where table_schema = 'drizzle' and table_name = '__drizzle_migrations' order by ordinal_position
"""


def migration(tag: str, when: int, sql: str) -> Migration:
    return Migration(tag, when, hashlib.sha256(sql.encode()).hexdigest(), sql)


def apply(
    postgres: Postgres, *migrations: Migration, lock: float = 5, statement: float = 60
) -> None:
    postgres.apply(migrations, lock_timeout=lock, statement_timeout=statement)


def tables(postgres: Postgres) -> list[str]:
    return asked(
        postgres,
        "select table_name from information_schema.tables where table_schema = 'public' order by 1",
    )


def test_no_table_is_no_rows(postgres: Postgres) -> None:
    assert postgres.rows() == []
    # Asking makes none.
    assert asked(postgres, "select to_regclass('drizzle.__drizzle_migrations') is null") == ["t"]


def test_the_shop_from_nothing(postgres: Postgres) -> None:
    migrations = read_folder(shop_folder())
    apply(postgres, *migrations)
    assert postgres.rows() == rows(*migrations)
    assert pending(migrations, postgres.rows()) == []
    assert tables(postgres) == ["jobs", "orders", "sessions", "users"]
    assert asked(postgres, "select email from users") == ["demo@shop.example"]
    assert asked(postgres, "select note from orders") == []
    # The table is the one that drizzle-orm makes: id serial primary key, hash, created_at.
    assert asked(postgres, COLUMNS) == [
        "id|integer|NO|nextval('drizzle.__drizzle_migrations_id_seq'::regclass)",
        "hash|text|NO|",
        "created_at|bigint|YES|",
    ]


def test_the_shop_one_by_one(postgres: Postgres) -> None:
    migrations = read_folder(shop_folder())
    for count, one in enumerate(migrations, start=1):
        apply(postgres, one)
        assert postgres.rows() == rows(*migrations[:count])


def test_again_is_nothing(postgres: Postgres) -> None:
    migrations = read_folder(shop_folder())
    apply(postgres, *migrations)
    before = asked(postgres, "select * from drizzle.__drizzle_migrations")
    apply(postgres, *migrations)
    assert asked(postgres, "select * from drizzle.__drizzle_migrations") == before


def test_a_file_that_fails_is_rolled_back_alone_and_named(postgres: Postgres) -> None:
    good = migration("0000_good", 1, "create table good (id int)")
    bad = migration(
        "0001_bad",
        2,
        "create table half (id int);--> statement-breakpoint\ninsert into nowhere values (1);\n"
        "create table rest (id int)",
    )
    never = migration("0002_never", 3, "create table never (id int)")
    with pytest.raises(CommandFailed) as caught:
        apply(postgres, good, bad, never)
    error = caught.value
    assert error.reason == "0001_bad.sql failed and was rolled back"
    assert 'relation "nowhere" does not exist' in error.stderr
    assert postgres.rows() == rows(good)
    assert tables(postgres) == ["good"]


UNRULY = {
    "a quote is not closed": "create table half (id int); select 'oops",
    "a dollar quote is not closed": "create table half (id int); do $$ begin null;",
    "a parenthesis is not closed": "create table half (id int); select (1",
    "concurrently": "create table half (id int); create index concurrently on half (id)",
    "no SQL": "create table half (id int); frobnicate",
    "a comment is not closed": "create table half (id int); /* oops",
}


@pytest.mark.parametrize("sql", UNRULY.values(), ids=UNRULY.keys())
def test_a_file_that_is_out_of_order_is_rolled_back(postgres: Postgres, sql: str) -> None:
    bad = migration("0000_bad", 1, sql)
    after = migration("0001_after", 2, "create table after_it (id int)")
    with pytest.raises(CommandFailed, match=r"0000_bad\.sql failed and was rolled back") as caught:
        apply(postgres, bad, after)
    assert caught.value.stderr.strip()
    assert postgres.rows() == []
    assert tables(postgres) == []


def test_concurrently_says_why(postgres: Postgres) -> None:
    apply(postgres, migration("0000", 1, "create table t (id int)"))
    index = migration("0001_index", 2, 'CREATE INDEX CONCURRENTLY "i" ON "t" ("id")')
    with pytest.raises(CommandFailed) as caught:
        apply(postgres, index)
    assert "CONCURRENTLY cannot run inside a transaction block" in caught.value.stderr
    assert "0001_index.sql" in str(caught.value)


TEXTS = {
    "no end of line": "create table t (a text)",
    "a comment at the end": "create table t (a text) -- the end",
    "many semicolons": "create table t (a text);;\n;",
    "variables of psql within quotes": "create table t (a text default ':headway_pending :DBNAME')",
    "an array's slice": "create table t (a text); select ('{1,2,3}'::int[])[1:2]",
    "a backslash": "create table t (a text default E'\\\\q \\'')",
    "a function": "create function f() returns int language sql as $f$ select 1; $f$;"
    " create table t (a text)",
    "windows": "create table t (\r\na text\r\n);\r\n",
    "not ASCII": "create table t (a text default 'ä€😀')",
}


@pytest.mark.parametrize("sql", TEXTS.values(), ids=TEXTS.keys())
def test_texts_that_are_fine(postgres: Postgres, sql: str) -> None:
    one = migration("0000", 1, sql)
    apply(postgres, one)
    assert tables(postgres) == ["t"]
    assert postgres.rows() == [Row(one.hash, 1)]


def test_a_default_comes_through_as_it_is(postgres: Postgres) -> None:
    text = ":DBNAME ''x'' \\n $1 ä€"
    apply(postgres, migration("0000", 1, f"create table t (id int, a text default '{text}')"))
    assert asked(postgres, "insert into t values (1) returning a") == [text.replace("''", "'")]


def test_it_waits_for_a_lock_no_longer_than_it_may(postgres: Postgres) -> None:
    apply(postgres, migration("0000", 1, "create table t (id int)"))
    holding = threading.Thread(
        target=asked, args=(postgres, "begin; lock table t; select pg_sleep(6); commit;")
    )
    holding.start()
    try:
        until(postgres, "select count(*) from pg_locks where mode = 'AccessExclusiveLock'")
        began = time.monotonic()
        with pytest.raises(CommandFailed, match=r"0001_late\.sql failed") as caught:
            apply(postgres, migration("0001_late", 2, "alter table t add x int"), lock=0.5)
        assert time.monotonic() - began < 4
        assert "canceling statement due to lock timeout" in caught.value.stderr
    finally:
        holding.join()
    assert len(postgres.rows()) == 1


def until(postgres: Postgres, sql: str) -> None:
    deadline = time.monotonic() + 10
    while asked(postgres, sql) == ["0"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_statement_may_take_no_longer_than_it_may(postgres: Postgres) -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailed, match=r"0000_slow\.sql failed") as caught:
        apply(postgres, migration("0000_slow", 1, "select pg_sleep(30)"), statement=0.5)
    assert time.monotonic() - began < 10
    assert "canceling statement due to statement timeout" in caught.value.stderr
    assert postgres.rows() == []


@pytest.mark.parametrize("attempt", range(3))
def test_several_at_once_apply_once(postgres: Postgres, attempt: int) -> None:
    """On an empty database, where even the making of the table can collide."""
    del attempt
    migrations = read_folder(shop_folder())
    together = threading.Barrier(4)

    def go(_number: int) -> None:
        together.wait(10)
        apply(postgres, *migrations, lock=20)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(go, range(4)))
    assert postgres.rows() == rows(*migrations)
    assert asked(postgres, "select count(*) from users") == ["1"]


def test_no_such_service(postgres: Postgres) -> None:
    other = Postgres(postgres.host, postgres.project, "elsewhere")
    with pytest.raises(CommandFailed) as caught:
        other.rows()
    assert "the database could not be asked" in caught.value.reason
    assert "elsewhere does not run here" in caught.value.stderr


def test_drizzle_itself_finds_nothing_to_do(postgres: Postgres) -> None:
    """The migrator of the application, run on top of what Headway applied, changes nothing."""
    apply(postgres, *read_folder(shop_folder()))
    before = asked(postgres, "select * from drizzle.__drizzle_migrations")
    migrate_by_drizzle(postgres)
    assert asked(postgres, "select * from drizzle.__drizzle_migrations") == before


def test_the_rows_are_those_of_drizzle_itself(postgres: Postgres) -> None:
    migrate_by_drizzle(postgres)
    theirs = asked(postgres, "select * from drizzle.__drizzle_migrations")
    columns = asked(postgres, COLUMNS)
    migrations = read_folder(shop_folder())
    assert postgres.rows() == rows(*migrations)
    assert pending(migrations, postgres.rows()) == []
    asked(postgres, "drop schema drizzle cascade; drop schema public cascade; create schema public")
    apply(postgres, *migrations)
    assert asked(postgres, "select * from drizzle.__drizzle_migrations") == theirs
    assert asked(postgres, COLUMNS) == columns


MIGRATE = """
import {drizzle} from 'drizzle-orm/node-postgres';
import {migrate} from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
const pool = new pg.Pool({connectionString: 'postgresql://shop:x@127.0.0.1/shop'});
await migrate(drizzle(pool), {migrationsFolder: '/tmp/drizzle'});
await pool.end();
"""


def migrate_by_drizzle(postgres: Postgres) -> None:
    """Run drizzle-orm's own migrator, from an image of the shop, over the repository's folder."""
    image = shop_image()
    name = f"{postgres.project}-drizzle"
    docker(
        *("create", "--name", name, "--network", f"container:{postgres.project}"),
        *("--entrypoint", "node", image, "--input-type=module", "--eval", MIGRATE),
    )
    try:
        from .test_drizzle import SHOP

        docker("cp", f"{SHOP}/.", f"{name}:/tmp/drizzle")
        docker("start", "--attach", name)
    finally:
        docker("rm", "--force", name)


def shop_image() -> str:
    found = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "localhost:5050/shop")
    tags = [one for one in found.splitlines() if not one.endswith("<none>")]
    if not tags:
        from deploy.sandbox import fleet, release

        fleet.up()
        release.release("v1", "")
        return "localhost:5050/shop:v1"
    return tags[0]

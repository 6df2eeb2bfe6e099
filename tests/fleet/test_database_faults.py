"""What befalls a database when it is to be migrated: the old version serves on."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from deploy.database.migrations.blockers import LOCK
from tests.fleet.conftest import Loads, no_failure
from tests.fleet.database import DRIZZLE, EXPAND, sql
from tests.fleet.project import WEB, Project, container_ids, on_host

FIND = "docker ps -aq --filter label=com.docker.compose.service=database"
BACKUPS = "/srv/shop/backups"
COLOUR = "select count(*) from pg_attribute where attname = $$colour$$"


def as_root(command: str) -> None:
    """What a disk or a kernel does to the database's host, which its deploy user may not."""
    words = ["docker", "exec", "headway-db-1", "timeout", "120", "sh", "-ec", command]
    subprocess.run(words, check=True)


@contextlib.contextmanager
def holding(statement: str) -> Iterator[Callable[[], object]]:
    """A session of somebody else's that holds a lock, until what is given is called."""
    inside = f"set application_name = $$nightly$$; begin; {statement}; select pg_sleep(120)"
    ours = "from pg_stat_activity where application_name = $$nightly$$"

    def release() -> None:
        sql(f"select pg_terminate_backend(pid) {ours}")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(sql, inside)  # that it is terminated is no failure
        try:
            until(f"select count(*) {ours} and wait_event = $$PgSleep$$")
            yield release
        finally:
            release()


def until(question: str) -> None:
    deadline = time.monotonic() + 120
    while sql(question) == "0":
        assert time.monotonic() < deadline, question
        time.sleep(0.2)


@pytest.fixture
def untouched(shop_with_rows: Project) -> Iterator[None]:
    """No container of the application is another one afterwards, and the column is not there."""
    before = {host: container_ids(host) for host in WEB}
    yield
    assert {host: container_ids(host) for host in WEB} == before
    assert set(shop_with_rows.tags().values()) == {"v1"}
    assert sql(COLOUR) == "0"


def test_a_database_that_does_not_run_is_not_migrated(
    shop_with_rows: Project, image: Callable[..., str]
) -> None:
    shop = shop_with_rows
    tag = image("blind", x1="ALTER TABLE orders DROP COLUMN note;")
    find = "docker ps -aq --filter label=com.docker.compose.service=database"
    on_host("db-1", f"docker stop $({find})")
    try:
        done = shop.deploy(tag)
    finally:
        on_host("db-1", f"docker start $({find})")
        on_host("db-1", f"until docker exec $({find}) pg_isready -q -h 127.0.0.1; do sleep 1; done")
    assert done.exit_code == 3, done.text
    assert "db-1: database does not run" in done.text
    assert "docker start" in done.text
    assert sql("select count(*) from pg_attribute where attname = $$note$$") == "1"


def test_one_that_fails_leaves_the_hosts_as_they_were(
    shop_with_rows: Project, image: Callable[..., str], load: Loads
) -> None:
    """Its rehearsal has found it; where there is none, the database itself does.

    Outside of a transaction a part of it stays, and without downs so does what came before it.
    """
    shop = shop_with_rows
    before = {host: container_ids(host) for host in WEB}
    columns = "user_id, article, quantity, price_cents"
    text = f"{EXPAND}\nINSERT INTO orders ({columns}) VALUES (-1, 'x', 1, 1);"
    tag = image("fails", x1=text)
    rehearsed = shop.deploy(tag)
    assert rehearsed.exit_code == 3, rehearsed.text
    assert "violates foreign key constraint" in rehearsed.text
    shop.change(database={"rehearsal": {"mode": "off"}})
    with load() as traffic:
        done = shop.deploy(tag)
    assert done.exit_code == 4, done.text
    assert "x1.sql failed and was rolled back" in done.text
    no_failure(traffic)
    assert sql(COLOUR) == "0"
    twice = "-- deploy: allow add-unique no article is ordered twice\n"
    twice += "CREATE UNIQUE INDEX CONCURRENTLY once ON orders (article);"
    try:
        with load() as more:
            half = shop.deploy(image("half-way", x1_colour=EXPAND, x2=twice))
        assert sql(COLOUR) == "1"
    finally:
        sql("drop index if exists once")
    assert half.exit_code == 5, half.text
    assert "x2.sql failed at line 2 outside of a transaction: " in half.text
    assert "Applied: x1_colour. Failed: x2.sql." in half.text
    assert "It left an index that is not valid: public.once." in half.text
    assert "Type: DROP INDEX CONCURRENTLY public.once;" in half.text
    (backup, *_) = json.loads(shop.inv("backup", "list", "--json").text)
    assert (backup["tag"], backup["purpose"]) == ("half-way", "deploy")
    assert half.text.endswith(f"inv restore.sandbox {backup['name']}    exit 5"), half.text
    no_failure(more)
    assert {host: container_ids(host) for host in WEB} == before


@pytest.mark.usefixtures("untouched")
def test_a_lock_that_is_not_given_is_waited_for_and_its_holder_named(
    shop_with_rows: Project, image: Callable[..., str], load: Loads
) -> None:
    shop = shop_with_rows
    shop.change(database={"lock_timeout": "500ms"})
    tag = image("waits", x1_colour=EXPAND)
    with load() as traffic, holding("lock table orders in access share mode"):
        done = shop.deploy(tag)
    assert done.exit_code == 4, done.text
    assert "It waited for pid" in done.text
    assert "nightly" in done.text
    assert re.search(r"or type: SELECT pg_terminate_backend\(\d+\);", done.text)
    no_failure(traffic)


@pytest.mark.usefixtures("untouched")
def test_a_database_that_goes_away_in_the_middle(
    shop_with_rows: Project, image: Callable[..., str], load: Loads
) -> None:
    """What needs no database is served on; the file is found not applied once it is back."""
    shop = shop_with_rows
    shop.change(database={"lock_timeout": "60s"})
    waits = "select count(*) from pg_locks where not granted and relation = $$orders$$::regclass"
    killed: list[str] = []

    def kill(line: str) -> bool:
        if "· migrate" in line and not killed:
            killed.append(line)
            until(waits)
            as_root(f'kill -9 "$(docker inspect -f "{{{{.State.Pid}}}}" "$({FIND})")"')
        return False

    tag = image("goes-away", x1_colour=EXPAND)
    with load(get=0) as traffic, holding("lock table orders in access share mode"):
        done = shop.inv("deploy", "--tag", tag, kill_at=kill)
        on_host("db-1", f"until docker exec $({FIND}) pg_isready -q -h 127.0.0.1; do sleep 1; done")
    assert killed, done.text
    assert done.exit_code == 4, done.text
    assert "The schema is as before." in done.text
    no_failure(traffic)


def test_of_two_that_migrate_at_once_one_applies(
    shop_with_rows: Project, image: Callable[..., str], load: Loads
) -> None:
    shop = shop_with_rows
    shop.change(database={"rehearsal": {"mode": "off"}})
    tag = image("twice", x1_colour=EXPAND)
    newest = json.loads((DRIZZLE / "meta" / "_journal.json").read_text())["entries"][-1]["when"]
    waiting = "from pg_locks where locktype = $$advisory$$ and not granted"
    with load() as traffic, holding(f"select pg_advisory_lock({LOCK})") as release:
        first = shop.start("migrate", "--tag", tag)
        try:
            until(f"select count(*) {waiting}")
            second = shop.inv("migrate", "--tag", tag)
        finally:
            release()
            text = first.communicate(timeout=120)[0]
    assert first.returncode == 0, text
    assert second.exit_code == 6, second.text
    assert "(migrate, since " in second.text
    rows = f"select count(*) from drizzle.__drizzle_migrations where created_at > {newest}"  # noqa: S608
    assert sql(rows) == "1"
    assert sql(COLOUR) == "1"
    no_failure(traffic)


CUT = """do $x$ begin
  for i in 1..6000 loop
    perform pg_sleep(0.01), pg_stat_clear_snapshot();
    perform pg_terminate_backend(pid) from pg_stat_activity
      where application_name = $$headway backup$$ and query like $$COPY %$$;
  end loop;
end $x$"""
"""Ends whoever copies a table for a backup, within some hundredths of a second."""


@pytest.mark.usefixtures("untouched")
def test_a_backup_that_is_cut_short_lets_nothing_be_migrated(
    shop_with_rows: Project, image: Callable[..., str], load: Loads
) -> None:
    shop = shop_with_rows
    names = [one["name"] for one in json.loads(shop.inv("backup", "list", "--json").text)]
    tag = image("cut-short", x1_colour=EXPAND)
    with load() as traffic, holding(CUT):
        done = shop.deploy(tag)
    assert done.exit_code == 4, done.text
    # Which of the two it is, depends on what pg_dump was doing.
    assert re.search("terminating connection|server closed the connection", done.text), done.text
    assert "No backup was made." in done.text
    assert names == [one["name"] for one in json.loads(shop.inv("backup", "list", "--json").text)]
    assert on_host("db-1", f"ls {BACKUPS} | grep -c partial || true") == "0"
    no_failure(traffic)


BIT = (
    "byte=$(od -An -tu1 -j 1000 -N 1 $f) && "
    r"printf \\$(printf %03o $((byte ^ 1))) | dd of=$f bs=1 seek=1000 conv=notrunc status=none"
)


@contextlib.contextmanager
def damaging(how: str) -> Iterator[None]:
    """The next backup is another one as soon as it has its name."""
    newest = f"f=$(ls {BACKUPS}/*.dump 2>/dev/null | tail -n 1)"
    wait = f'{newest}; last=$f; until [ "$f" != "$last" ]; do sleep 0.05; {newest}; done'
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(as_root, f"{wait}; {how}")
        yield
        done.result()


@pytest.mark.parametrize(
    "damage",
    [pytest.param("truncate -s -1 $f", marks=pytest.mark.thorough), BIT],
    ids=["cut", "flipped"],
)
@pytest.mark.usefixtures("untouched")
def test_a_backup_that_is_damaged_lets_nothing_be_migrated(
    shop_with_rows: Project, image: Callable[..., str], load: Loads, damage: str
) -> None:
    shop = shop_with_rows
    tag = image("damaged", x1_colour=EXPAND)
    with load() as traffic, damaging(damage):
        done = shop.deploy(tag)
    assert done.exit_code == 4, done.text
    (backup, *_) = json.loads(shop.inv("backup", "list", "--json").text)
    name = backup["name"]
    assert (backup["tag"], backup["purpose"], backup["proof"]) == (tag, "deploy", "damaged")
    assert "the dump is not as it was written: its SHA-256 is " in done.text
    assert f"{name} cannot be relied on." in done.text
    no_failure(traffic)
    verified = shop.inv("backup", "verify", name)
    assert verified.exit_code == 5, verified.text
    assert f"{name} cannot be relied on." in verified.text
    restored = shop.inv("restore", name, "--yes")
    assert restored.exit_code == 3, restored.text
    assert f"{name} is damaged: db-1: the dump is not as it was" in restored.text

"""A database that goes back: by downs that lose nothing, or from its backup."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable

import pytest

from tests.fleet.conftest import Loads, no_failure
from tests.fleet.database import DOWN, EXPAND, ROWS, schema, sql
from tests.fleet.project import EDGE, WEB, Project, container_ids, on_host


def place_order(note: str) -> None:
    """Sign in and order something, as a visitor of the site does."""
    visitor = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    for path, body in (
        ("/api/login", {"email": "demo@shop.example", "password": "demo"}),
        ("/api/orders", {"article": "Blue mug", "quantity": 1, "note": note}),
    ):
        asked = urllib.request.Request(f"{EDGE}{path}", json.dumps(body).encode())  # noqa: S310
        asked.add_header("Content-Type", "application/json")
        with visitor.open(asked, timeout=20) as answer:
            assert answer.status in {200, 201}


def test_a_rollback_with_the_database_gives_the_schema_back(
    shop_with_rows: Project, image: Callable[..., str], load: Loads
) -> None:
    shop = shop_with_rows
    before, rows = schema(), sql("select count(*) from drizzle.__drizzle_migrations")
    done = shop.deploy(image("forth", x1_colour=EXPAND, **DOWN))
    assert done.exit_code == 0, done.text
    assert schema() != before
    # What a down would lose is not taken back: its backup has it.
    sql("update orders set colour = $$red$$ where id = (select min(id) from orders)")
    rolled = {host: container_ids(host) for host in WEB}
    refused = shop.inv("rollback", "--with-database")
    assert refused.exit_code == 3, refused.text
    assert "x1_colour.down.sql  class A: " in refused.text
    newest = on_host("db-1", "cd /srv/shop/backups && ls *.dump | tail -n 1")
    assert f"inv restore.sandbox {newest.removesuffix('.dump')}" in refused.text
    assert {host: container_ids(host) for host in WEB} == rolled
    assert sql("select count(colour) from orders") == "1"
    sql("update orders set colour = null where colour is not null")
    with load() as traffic:
        back = shop.inv("rollback", "--with-database")
    assert back.exit_code == 0, back.text
    no_failure(traffic)
    ended = [line for _, line in back.lines if line.startswith("  ✓")]
    (taken,) = (at for at, line in enumerate(ended) if "take back" in line)
    assert "x1_colour" in ended[taken]
    assert max(at for at, line in enumerate(ended) if " settle " in line) < taken
    assert set(shop.tags().values()) == {"v1"}
    assert schema() == before
    assert sql("select count(*) from drizzle.__drizzle_migrations") == rows
    assert int(sql("select count(*) from orders")) >= ROWS


@pytest.mark.thorough
def test_without_being_asked_nothing_is_taken_back(
    shop_with_rows: Project, image: Callable[..., str]
) -> None:
    shop = shop_with_rows
    done = shop.deploy(image("stays", x1_colour=EXPAND, **DOWN))
    assert done.exit_code == 0, done.text
    sql("update orders set colour = $$red$$ where id = (select min(id) from orders)")
    back = shop.inv("rollback")
    assert back.exit_code == 0, back.text
    assert sql("select count(colour) from orders") == "1"
    # The database can still follow the hosts.
    sql("update orders set colour = null where colour is not null")
    after = shop.inv("rollback", "--to", "v1", "--with-database")
    assert after.exit_code == 0, after.text
    assert sql("select count(*) from pg_attribute where attname = $$colour$$") == "0"


def test_the_database_alone_is_migrated_and_given_back(
    shop_with_rows: Project, image: Callable[..., str]
) -> None:
    """By its URL, as one that is managed, or on a machine of its own."""
    shop = shop_with_rows
    by_url = {key: one for key, one in shop.body["database"].items() if key != "service"}
    by_url["image"] = "localhost:5050/postgres:{major}"
    placed = {**shop.body["services"], "database": {"role": "db", "rolled": False}}
    shop.write({**shop.body, "services": placed, "database": by_url})
    before = {host: container_ids(host) for host in WEB}
    done = shop.inv("migrate", "--tag", image("alone", x1=EXPAND))
    assert done.exit_code == 0, done.text
    assert {host: container_ids(host) for host in WEB} == before
    assert sql("select count(colour) from orders") == "0"
    (backup, *_) = json.loads(shop.inv("backup", "list", "--json").text)
    restored = shop.inv("restore", backup["name"], "--yes")
    assert restored.exit_code == 0, restored.text
    assert sql("select count(*) from pg_attribute where attname = $$colour$$") == "0"
    assert int(sql("select count(*) from orders")) >= ROWS
    note = f"restored from {backup['name']}"
    place_order(note)
    assert sql(f"select count(*) from orders where note = $${note}$$") == "1"  # noqa: S608

"""Migrations that a command of the team's own applies, which is not believed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.fleet.conftest import Loads, no_failure
from tests.fleet.database import EXPAND, schema, sql
from tests.fleet.project import WEB, Project, container_ids, on_host


def by_node(code: str) -> str:
    """A command of the shop's own image, which has Drizzle's migrator and no drizzle-kit."""
    start = "import pg from 'pg'; const pool = new pg.Pool({connectionString: "
    start += "process.env.DATABASE_URL}); "
    return f'node --input-type=module -e "{start}{code} await pool.end();"'


MIGRATOR = by_node(
    "const {drizzle} = await import('drizzle-orm/node-postgres'); "
    "const {migrate} = await import('drizzle-orm/node-postgres/migrator'); "
    "await migrate(drizzle({client: pool}), {migrationsFolder: 'drizzle'});"
)


def applied_by(shop: Project, **apply: str) -> None:
    shop.change(database={"apply": apply})


def test_a_command_in_the_new_image_applies(
    shop_with_rows: Project, image: Callable[..., str], load: Loads
) -> None:
    shop = shop_with_rows
    applied_by(shop, command=MIGRATOR)
    with load() as traffic:
        done = shop.deploy(image("by-command", x1_colour=EXPAND))
    assert done.exit_code == 0, done.text
    no_failure(traffic)
    assert "applying x1_colour by node --input-type=module" in done.text
    assert sql("select count(colour) from orders") == "0"
    assert on_host("web-1", "docker ps -aq --filter name=headway-migrate") == ""
    # And the database alone: the release gets onto the host of the command, and no host is rolled.
    before = {host: container_ids(host) for host in WEB}
    more = "ALTER TABLE orders ADD COLUMN IF NOT EXISTS old text;"
    alone = shop.inv("migrate", "--tag", image("by-command-2", x1_colour=EXPAND, x2_old=more))
    assert alone.exit_code == 0, alone.text
    assert sql("select count(old) from orders") == "0"
    assert {host: container_ids(host) for host in WEB} == before


@pytest.mark.thorough
def test_a_command_is_not_believed(
    shop_with_rows: Project, image: Callable[..., str], load: Loads
) -> None:
    shop = shop_with_rows
    before, schema_before = {host: container_ids(host) for host in WEB}, schema()
    tag = image("not-believed", x1_colour=EXPAND)
    applied_by(shop, command="echo all is well")
    with load() as traffic:
        done = shop.deploy(tag)
    assert done.exit_code == 4, done.text
    assert "ended with exit code 0, and the database says not applied: x1_colour" in done.text
    assert "all is well" in done.text
    assert schema() == schema_before
    applied_by(shop, command=by_node("await pool.query('create table half ()');"))
    try:
        with load() as more:
            half = shop.deploy(tag)
    finally:
        sql("drop table if exists half")
    assert half.exit_code == 5, half.text
    assert "+ table half" in half.text
    (backup, *_) = json.loads(shop.inv("backup", "list", "--json").text)
    assert f"inv restore.sandbox {backup['name']}" in half.text
    no_failure(traffic)
    no_failure(more)
    assert {host: container_ids(host) for host in WEB} == before


@pytest.mark.thorough
def test_a_command_does_not_apply_contract_files_too_early(
    shop_with_rows: Project, image: Callable[..., str]
) -> None:
    shop = shop_with_rows
    sql("alter table orders add column if not exists old text")
    applied_by(shop, command=MIGRATOR)
    contract = "-- deploy: phase=contract\nALTER TABLE orders DROP COLUMN old;"
    mixed = shop.deploy(image("mixed", x1_colour=EXPAND, x2=contract))
    assert mixed.exit_code == 3, mixed.text
    assert "x2.sql  phase=contract, and not alone" in mixed.text
    alone = shop.deploy(image("alone-contract", x1=contract))
    assert alone.exit_code == 0, alone.text
    ended = [line.split()[1] for _, line in alone.lines if line.startswith("  ✓")]
    assert "contract" in ended
    assert "migrate" not in ended
    assert sql("select count(*) from pg_attribute where attname = $$old$$") == "0"


@pytest.mark.thorough
def test_a_push_is_backed_up_and_held_against_the_schema(
    shop_with_rows: Project, image: Callable[..., str]
) -> None:
    """The shop's image has no drizzle-kit: a command that pushes what that would."""
    shop = shop_with_rows
    add = "alter table orders add column if not exists colour text"
    push = by_node(f"await pool.query('{add}');") + " && echo Changes applied"
    applied_by(shop, by="push", command=push)
    done = shop.deploy(image("pushed"))
    assert done.exit_code == 0, done.text
    ended = [line.split()[1:3] for _, line in done.lines if line.startswith("  ✓")]
    steps = [words[0] if words[0] == "push" else words[1] for words in ended]
    assert steps.index("backup") < steps.index("push") < steps.index("stage")
    assert sql("select count(colour) from orders") == "0"
    applied_by(shop, by="push", command="echo Do you want to push?")
    asked = shop.deploy(image("asked"))
    assert asked.exit_code == 4, asked.text
    assert "did not come to its end" in asked.text
    assert "Do you want to push?" in asked.text

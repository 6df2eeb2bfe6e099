"""Deploys that change the database, on the fleet: backed up, judged, applied, and given back."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.fleet.conftest import Loads, no_failure
from tests.fleet.database import DOWN, DRIZZLE, EXPAND, sql
from tests.fleet.project import WEB, Project, container_ids, on_host


def test_an_expand_under_load_is_backed_up_and_rehearsed_first(
    shop_with_rows: Project, image: Callable[..., str], load: Loads
) -> None:
    shop = shop_with_rows
    shop.change(rollout={"strategy": "rolling"})
    tag = image("expand", x1_colour=EXPAND, **DOWN)
    plan = shop.inv("plan", "--tag", tag, "--rehearse")
    assert plan.exit_code == 0, plan.text
    assert "database  1 pending" in plan.text
    assert "x1_colour  expand" in plan.text
    assert "rehearsed: 1 migration in " in plan.text
    assert "AccessExclusiveLock on orders" in plan.text
    states = shop.inv("migrate", "--plan", "--tag", tag)
    assert "x1_colour.sql  pending\n    ALTER TABLE orders ADD COLUMN colour text;" in states.text
    started = {"service": "web", "url": "DATABASE_URL"}
    login = {"kind": "login", "json": {"email": "demo@shop.example", "password": "demo"}}
    shop.change(
        database={"rehearsal": {"application": started}}, smoke={"probes": {"login": login}}
    )
    with load() as traffic:
        done = shop.deploy(tag)
    assert done.exit_code == 0, done.text
    no_failure(traffic)
    ended = [line.split()[1:3] for _, line in done.lines if line.startswith("  ✓")]
    steps = [words[0] if words[0] == "migrate" else words[1] for words in ended]
    order = [steps.index(one) for one in ("backup", "rehearse", "migrate", "stage")]
    assert order == sorted(order)
    assert "the running version's queries all work on the migrated schema" in done.text
    assert "1 of 1 ways back proven; the running version can live with it" in done.text
    assert "started on it, the running version is well" in done.text
    (kept,) = [
        one for one in json.loads(shop.inv("history", "--json").text)["runs"] if one["tag"] == tag
    ]
    assert "AccessExclusiveLock on orders" in kept["rehearsal"]
    journal = on_host("db-1", "grep rehearsed /srv/shop/.headway/journal.jsonl | tail -n 1")
    figures = json.loads(journal)["figures"]
    (file,) = figures["files"]
    assert file["tables"]["orders"]["lock"] == "AccessExclusiveLock"
    assert figures["started"]["answered"] == ["start", "/healthz", "/", "login"]
    assert on_host("db-1", "docker ps -aq --filter label=headway.rehearsal") == ""
    assert sql("select count(colour) from orders") == "0"
    (backup, *_) = json.loads(shop.inv("backup", "list", "--json").text)
    assert (backup["tag"], backup["purpose"], backup["proof"]) == (tag, "deploy", "restored")
    again = shop.inv("plan", "--tag", tag, "--detailed-exit-code")
    assert again.exit_code == 0, again.text


REFUSED = {
    "drop": ("ALTER TABLE orders DROP COLUMN note;", "x1.sql:1", "drop-column"),
    "rename": ("ALTER TABLE orders RENAME COLUMN note TO remark;", "x1.sql:1", "rename-column"),
    "type": ("ALTER TABLE orders ALTER quantity TYPE text;", "x1.sql:1", "change-type"),
    "required": ("ALTER TABLE orders ADD c text NOT NULL;", "x1.sql:1", "add-required-column"),
    "hidden": (
        "SELECT 1;\nDO $$ BEGIN\n  ALTER TABLE orders DROP COLUMN note;\nEND $$;",
        "x1.sql:3",
        "drop-column",
    ),
    "executed": ("DO $$ BEGIN EXECUTE 'DROP TABLE ' || 'jobs'; END $$;", "x1.sql:1", "drop-table"),
    "enum": (
        "ALTER TYPE job_state RENAME VALUE 'done' TO 'ended';",
        "x1.sql:1",
        "rename-enum-value",
    ),
    "truncate": ("TRUNCATE jobs;", "x1.sql:1", "truncate"),
    "no-sql": ("ALTER TABEL orders;", "x1.sql:1", "unreadable"),
}


def test_what_the_running_version_cannot_live_with_is_refused(
    shop_with_rows: Project, image: Callable[..., str]
) -> None:
    shop = shop_with_rows
    before = {host: container_ids(host) for host in WEB}
    for kind, (text, where, rule) in REFUSED.items():
        done = shop.deploy(image(f"bad-{kind}", x1=text))
        assert done.exit_code == 3, done.text
        assert f"{where}  {rule}: " in done.text, done.text
        assert "Nothing has been changed" in done.text
    assert {host: container_ids(host) for host in WEB} == before
    assert set(shop.tags().values()) == {"v1"}


def test_a_folder_that_does_not_fit_is_refused(
    shop_with_rows: Project, image: Callable[..., str]
) -> None:
    shop = shop_with_rows
    newest = (DRIZZLE / "0004_demo_user.sql").read_text()
    edited = shop.deploy(image("edited", **{"0004_demo_user": f"{newest}\nSELECT 1;"}))
    assert edited.exit_code == 3, edited.text
    assert "0004_demo_user.sql  applied, and edited since" in edited.text
    late = shop.deploy(image("late", late_colour=EXPAND))
    assert late.exit_code == 3, late.text
    assert "late_colour.sql  out of order" in late.text
    assert set(shop.tags().values()) == {"v1"}


EXCEPTIONS = (
    ("drop-column", "ALTER TABLE extra DROP COLUMN a;"),
    ("rename-column", "ALTER TABLE extra RENAME COLUMN b TO bb;"),
    ("change-type", "ALTER TABLE extra ALTER n TYPE text;"),
    ("add-required-column", "ALTER TABLE extra ADD c text NOT NULL;"),
    ("set-not-null", "DO $$ BEGIN\n  ALTER TABLE extra ALTER m SET NOT NULL;\nEND $$;"),
    ("drop-column", "DO $$ BEGIN\n  ALTER TABLE extra DROP COLUMN hidden;\nEND $$;"),
    ("drop-table", "DO $$ BEGIN EXECUTE 'DROP TABLE ' || 'spare'; END $$;"),
    ("truncate", "TRUNCATE extra;"),
    ("rename-enum-value", "ALTER TYPE extra_kind RENAME VALUE 'x' TO 'y';"),
)


def test_each_passes_with_its_written_exception(
    shop_with_rows: Project, image: Callable[..., str]
) -> None:
    shop = shop_with_rows
    sql("create type extra_kind as enum ($$x$$); create table spare (id int)")
    sql("create table extra (id int, a text, b text, n int, m int, hidden int, kind extra_kind)")
    files = {
        f"x{at}": f"-- deploy: allow {rule} nobody reads it\n{text}"
        for at, (rule, text) in enumerate(EXCEPTIONS)
    }
    try:
        done = shop.deploy(image("allowed", **files))
        assert done.exit_code == 0, done.text
        assert sql("select count(*) from pg_class where relname = $$spare$$") == "0"
        columns = "attrelid = $$extra$$::regclass and attnum > 0 and not attisdropped"
        assert sql(f"select string_agg(attname, $$ $$) from pg_attribute where {columns}") == (  # noqa: S608
            "id bb n m kind c"
        )
    finally:
        sql("drop table if exists extra, spare; drop type extra_kind")


def test_a_contract_waits_for_every_host_and_bars_the_way_back(
    shop_with_rows: Project, image: Callable[..., str]
) -> None:
    shop = shop_with_rows
    sql("alter table orders add column if not exists old text")
    contract = "-- deploy: phase=contract\nALTER TABLE orders DROP COLUMN old;"
    done = shop.deploy(image("contract", x1=contract))
    assert done.exit_code == 0, done.text
    ended = [line.split()[1:3] for _, line in done.lines if line.startswith("  ✓")]
    last = max(n for n, words in enumerate(ended) if words[1:] == ["settle"])
    assert [n for n, words in enumerate(ended) if words[0] == "contract"] > [last]
    assert sql("select count(*) from pg_attribute where attname = $$old$$") == "0"
    back = shop.inv("rollback", "--to", "v1")
    assert back.exit_code == 3, back.text
    assert "v1 cannot live with what has been applied since: x1" in back.text
    # Nor to an image that has to be pulled, of which no host has a release.
    pulled = shop.inv("rollback", "--to", image("never-deployed"))
    assert pulled.exit_code == 3, pulled.text
    assert "never-deployed cannot live with what has been applied since: x1" in pulled.text

"""Deploys that change the database, on the fleet: backed up, judged, applied, and given back."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.sandbox import images, provide
from deploy.sandbox.home import Home
from tests.fleet.conftest import Loads, no_failure
from tests.fleet.project import ROOT, WEB, Project, container_ids, on_host

DRIZZLE = ROOT / "examples" / "shop" / "drizzle"
PSQL = 'docker exec -i "$(docker ps -q --filter label=com.docker.compose.service=database)" '
PSQL += "psql -U shop -d shop -XAtq -v ON_ERROR_STOP=1 -c "
ROWS = 200_000
FILL = """
insert into orders (user_id, article, quantity, price_cents)
select u.id, $$mug$$, 1 + n % 5, 900
  from (select id from users limit 1) u, generate_series(1, 200000) n
where (select count(*) from orders) < 200000
"""


def sql(text: str) -> str:
    """Ask the database as somebody who sits on its host."""
    return on_host("db-1", f"{PSQL} '{text}'")


@pytest.fixture(scope="module")
def image(fleet: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Build a version of the shop with these migrations after its own, push it, return its tag.

    One of the shop's own names is another text for that; one that begins with `late` comes before
    the shop's newest.
    """
    docker = provide.running()
    assert docker is not None
    password = Home().secret("REGISTRY_PASSWORD")

    def make(tag: str, **more: str) -> str:
        folder = tmp_path_factory.mktemp(tag) / "image"
        shutil.copytree(DRIZZLE, folder / "drizzle")
        journal = folder / "drizzle" / "meta" / "_journal.json"
        body = json.loads(journal.read_text())
        for name, text in more.items():
            file = folder / "drizzle" / f"{name}.sql"
            known = file.exists()
            file.write_text(text)
            if known or name.endswith(".down"):
                continue
            last = body["entries"][-1]
            when = last["when"] + (-1 if name.startswith("late") else 1000)
            entry = {**last, "idx": last["idx"] + 1, "when": when, "tag": name}
            body["entries"].append(entry)
        journal.write_text(json.dumps(body))
        lines = ["FROM localhost:5050/shop:v1", "COPY drizzle ./drizzle", f"ENV SHOP_VERSION={tag}"]
        (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
        name = f"localhost:5050/shop:{tag}"
        docker("build", "--quiet", "--tag", name, str(folder))
        with images.login(docker, password) as pusher:
            pusher("push", "--quiet", name)
        return tag

    return make


@pytest.fixture
def shop_with_rows(settings_of_shop: Project, release: Callable[..., str]) -> Iterator[Project]:
    """The shop on v1, backups required, and a table as large as a small team's.

    All hosts are rolled at once, which is quicker, but where two versions have to meet.
    """
    shop = settings_of_shop
    shop.on(release("v1"))
    sql(FILL)
    database = {**shop.body["database"], "backup": {"required": True, "keep": 3}}
    shop.change(database=database, rollout={"strategy": "blue-green"})
    yield shop
    # What the tests have applied goes, so that the shop's own migrations are the newest again.
    newest = json.loads((DRIZZLE / "meta" / "_journal.json").read_text())["entries"][-1]["when"]
    sql("alter table orders drop column if exists colour, drop column if exists old")
    sql(f"delete from drizzle.__drizzle_migrations where created_at > {newest}")  # noqa: S608


EXPAND = "ALTER TABLE orders ADD COLUMN colour text;"
DOWN = {"x1_colour.down": "ALTER TABLE orders DROP COLUMN colour;"}


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
    (kept,) = [one for one in json.loads(shop.inv("history", "--json").text) if one["tag"] == tag]
    assert "AccessExclusiveLock on orders" in kept["rehearsal"]
    journal = on_host("db-1", "grep rehearsed /srv/shop/.headway/journal.jsonl | tail -n 1")
    (file,) = json.loads(journal)["figures"]["files"]
    assert file["tables"]["orders"]["lock"] == "AccessExclusiveLock"
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


EXCEPTIONS = {
    "drop-column": "ALTER TABLE extra DROP COLUMN a;",
    "rename-column": "ALTER TABLE extra RENAME COLUMN b TO bb;",
    "change-type": "ALTER TABLE extra ALTER n TYPE text;",
    "add-required-column": "ALTER TABLE extra ADD c text NOT NULL;",
    "set-not-null": "DO $$ BEGIN\n  ALTER TABLE extra ALTER m SET NOT NULL;\nEND $$;",
    "drop-table": "DO $$ BEGIN EXECUTE 'DROP TABLE ' || 'spare'; END $$;",
    "truncate": "TRUNCATE extra;",
    "rename-enum-value": "ALTER TYPE extra_kind RENAME VALUE 'x' TO 'y';",
}


def test_each_passes_with_its_written_exception(
    shop_with_rows: Project, image: Callable[..., str]
) -> None:
    shop = shop_with_rows
    sql("create type extra_kind as enum ($$x$$); create table spare (id int)")
    sql("create table extra (id int, a text, b text, n int, m int, kind extra_kind)")
    files = {
        f"x{at}": f"-- deploy: allow {rule} nobody reads it\n{text}"
        for at, (rule, text) in enumerate(EXCEPTIONS.items())
    }
    try:
        done = shop.deploy(image("allowed", **files))
        assert done.exit_code == 0, done.text
        assert sql("select count(*) from pg_class where relname = $$spare$$") == "0"
        assert sql("select count(*) from pg_attribute where attname = $$bb$$") == "1"
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


def schema() -> str:
    """The database's schema, but for the line that pg_dump makes anew each time."""
    find = "docker ps -q --filter label=com.docker.compose.service=database"
    dumped = on_host("db-1", f"docker exec $({find}) pg_dump -s -U shop shop")
    return "\n".join(line for line in dumped.splitlines() if "restrict " not in line)


def test_a_rollback_with_the_database_gives_the_schema_back(
    shop_with_rows: Project, image: Callable[..., str], load: Loads
) -> None:
    shop = shop_with_rows
    before, rows = schema(), sql("select count(*) from drizzle.__drizzle_migrations")
    done = shop.deploy(image("forth", x1_colour=EXPAND, **DOWN))
    assert done.exit_code == 0, done.text
    assert schema() != before
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


def test_what_a_down_would_lose_is_not_taken_back(
    shop_with_rows: Project, image: Callable[..., str]
) -> None:
    shop = shop_with_rows
    done = shop.deploy(image("lossy", x1_colour=EXPAND, **DOWN))
    assert done.exit_code == 0, done.text
    sql("update orders set colour = $$red$$ where id = (select min(id) from orders)")
    before = {host: container_ids(host) for host in WEB}
    refused = shop.inv("rollback", "--with-database")
    assert refused.exit_code == 3, refused.text
    assert "x1_colour.down.sql  class A: " in refused.text
    assert "inv restore.sandbox BACKUP" in refused.text
    assert {host: container_ids(host) for host in WEB} == before
    assert sql("select count(colour) from orders") == "1"
    # Without the flag the hosts go back, and the schema stays; the database can still follow them.
    back = shop.inv("rollback")
    assert back.exit_code == 0, back.text
    assert sql("select count(colour) from orders") == "1"
    sql("update orders set colour = null where colour is not null")
    after = shop.inv("rollback", "--to", "v1", "--with-database")
    assert after.exit_code == 0, after.text
    assert sql("select count(*) from pg_attribute where attname = $$colour$$") == "0"


def test_one_that_fails_leaves_schema_and_hosts_as_they_were(
    shop_with_rows: Project, image: Callable[..., str], load: Loads
) -> None:
    """Its rehearsal has found it; where there is none, the database itself does."""
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
    assert sql("select count(*) from pg_attribute where attname = $$colour$$") == "0"
    assert {host: container_ids(host) for host in WEB} == before


def test_the_database_alone_is_migrated_and_given_back(
    shop_with_rows: Project, image: Callable[..., str], tmp_path: Path
) -> None:
    shop = shop_with_rows
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
    home = subprocess.run(
        ["curl", "-fsS", "http://127.0.0.1:8080/"], capture_output=True, text=True, check=False
    )
    assert home.returncode == 0, home.stderr


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

"""What the tests of migrations on the fleet ask the shop's database, and what they change in it."""

from __future__ import annotations

from tests.fleet.project import ROOT, on_host

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


def schema() -> str:
    """The database's schema, but for the line that pg_dump makes anew each time."""
    find = "docker ps -q --filter label=com.docker.compose.service=database"
    dumped = on_host("db-1", f"docker exec $({find}) pg_dump -s -U shop shop")
    return "\n".join(line for line in dumped.splitlines() if "restrict " not in line)


EXPAND = "ALTER TABLE orders ADD COLUMN colour text;"
DOWN = {"x1_colour.down": "ALTER TABLE orders DROP COLUMN colour;"}

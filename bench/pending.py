"""The migrations that both sides run, and what the running version asks of the database."""

from __future__ import annotations

from pathlib import Path

from deploy.database.contract.snapshot import Field, Snapshot, Table
from deploy.database.migrations.folder import Folder, read_folder

FOLDER = Path(__file__).resolve().parent / "migrations"


def folder() -> Folder:
    """The migrations in `bench/migrations/`: a column, a column that is filled, an index."""
    files = (path for path in FOLDER.rglob("*") if path.is_file())
    return read_folder({path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in files})


def by_hand() -> bytes:
    """What a rehearsal runs, for psql: every file, the ways back, newest first, the files again."""
    found = folder().migrations
    ups = [one.sql for one in found]
    downs = [one.down or "" for one in reversed(found)]
    return "\n".join([*ups, *downs, *ups]).encode()


def running() -> Snapshot:
    """What the running version's queries name: the tables of `bench/database.sql`."""
    whole, money, at = "integer", "numeric(10, 2)", "timestamp with time zone"
    return Snapshot(
        (
            _table("customers", ["id"], id=whole, name="text", email="text", address="jsonb"),
            _table("products", ["id"], id=whole, title="text", description="text", price=money),
            _table("orders", ["id"], id=whole, customer_id=whole, total=money, placed_at=at),
            _table("order_lines", ["order_id", "line"], order_id=whole, line="smallint"),
            _table("events", ["id"], id="bigint", at=at, kind="text", session="uuid"),
        ),
        (),
    )


def _table(name: str, key: list[str], /, **columns: str) -> Table:
    fields = tuple(
        Field(column, type_, not_null=True, optional=False) for column, type_ in columns.items()
    )
    return Table("public", name, fields, (tuple(key),))

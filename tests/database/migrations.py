"""Migrations and folders for tests."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from deploy.database.migrations.folder import Migration
from deploy.database.migrations.recorded import Row

SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop" / "drizzle"


def shop_folder() -> dict[str, bytes]:
    return {
        path.relative_to(SHOP).as_posix(): path.read_bytes()
        for path in SHOP.rglob("*")
        if path.is_file()
    }


def v0(**files: str) -> dict[str, bytes]:
    """A folder with these files, in their order, at 1, 2, 3… milliseconds."""
    entries = [{"tag": tag, "when": when} for when, tag in enumerate(files, start=1)]
    contents = {f"{tag}.sql": text.encode() for tag, text in files.items()}
    return {"meta/_journal.json": json.dumps({"entries": entries}).encode(), **contents}


def v1(**files: str) -> dict[str, bytes]:
    """A folder with these migrations, whose names begin with `_` in place of their time."""
    return {
        f"202601020304{number:02}{name}/migration.sql": text.encode()
        for number, (name, text) in enumerate(files.items())
    }


def migration(name: str, when: int, sql: str) -> Migration:
    """One of v0."""
    return Migration(name, when, hashlib.sha256(sql.encode()).hexdigest(), f"{name}.sql", sql)


def rows(*migrations: Migration, named: bool = False) -> tuple[Row, ...]:
    """What Drizzle writes for them, numbered from 1."""
    return tuple(
        Row(one.hash, one.when, one.name if named else None, number)
        for number, one in enumerate(migrations, start=1)
    )


def hidden(sql: str) -> str:
    """The same where no reader of the text finds it."""
    half = len(sql) // 2
    return (
        f"do $do$ declare a text := $a${sql[:half]}$a$; b text := $b${sql[half:]}$b$; "
        "begin execute a || b; end $do$;"
    )

"""Drizzle's migrations: the folder in an image against the rows in a database. Pure.

The format is drizzle-kit 0.31's (v0): `meta/_journal.json` names the files, in order, each with a
time in milliseconds (`when`). Drizzle itself applies what is newer than the newest row and looks at
nothing else; here every file is compared with every row, and what Drizzle would silently leave out,
run twice or not notice is told apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from deploy.errors import Refused


class State(StrEnum):
    """What a migration is to a database."""

    APPLIED = "applied"
    PENDING = "pending"
    EDITED = "applied, and edited since"
    SKIPPED = "older than what is applied: Drizzle would leave it out for ever"
    AGAIN = "applied, and Drizzle would run it again"


@dataclass(frozen=True)
class Migration:
    """One file. `hash` is the SHA-256 of its bytes in hexadecimal, `when` milliseconds."""

    tag: str
    when: int
    hash: str
    sql: str = field(repr=False)


@dataclass(frozen=True)
class Row:
    """One row of `drizzle.__drizzle_migrations`."""

    hash: str
    when: int


def read_folder(files: Mapping[str, bytes]) -> list[Migration]:
    """Return the migrations of a folder (path within it → content), in the journal's order.

    Raises:
        Refused: there is no journal that this Headway reads, or a file that it names is missing.
    """
    raw = files.get("meta/_journal.json")
    if raw is None:
        if any(path.endswith("/migration.sql") for path in files):
            raise Refused(
                "the image's migrations are in the format of drizzle-kit 1, which is not read yet"
            )
        raise Refused("the image's migrations folder has no meta/_journal.json")
    try:
        journal = json.loads(raw)
        entries = [(str(entry["tag"]), int(entry["when"])) for entry in journal["entries"]]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"meta/_journal.json of the image cannot be read: {error}") from None
    found = []
    for tag, when in entries:
        content = files.get(f"{tag}.sql")
        if content is None:
            raise Refused(f"meta/_journal.json names {tag}, and {tag}.sql is not in the image")
        try:
            sql = content.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused(f"{tag}.sql of the image is not UTF-8") from None
        found.append(Migration(tag, when, hashlib.sha256(content).hexdigest(), sql))
    return found


def states(migrations: Sequence[Migration], rows: Sequence[Row]) -> list[tuple[Migration, State]]:
    """Say what each migration is to a database with these rows."""
    newest = max((row.when for row in rows), default=-1)
    hashes = {row.hash for row in rows}
    times = {row.when for row in rows}
    found = []
    for migration in migrations:
        known = migration.hash in hashes or migration.when in times
        runs = migration.when > newest
        if known and runs:
            state = State.AGAIN
        elif known:
            state = State.APPLIED if migration.hash in hashes else State.EDITED
        else:
            state = State.PENDING if runs else State.SKIPPED
        found.append((migration, state))
    return found


def pending(migrations: Sequence[Migration], rows: Sequence[Row]) -> list[Migration]:
    """Return what is to be applied, in order.

    Raises:
        Refused: a migration is neither applied nor pending.
    """
    judged = states(migrations, rows)
    wrong = [
        f"{migration.tag}.sql is {state}"
        for migration, state in judged
        if state not in {State.APPLIED, State.PENDING}
    ]
    if wrong:
        raise Refused(
            "the image's migrations and the database do not fit together: " + "; ".join(wrong),
            mend="Generate a new migration for the difference instead of changing an old one.",
        )
    return [migration for migration, state in judged if state is State.PENDING]

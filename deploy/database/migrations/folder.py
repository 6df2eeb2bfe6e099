"""Drizzle's migrations folder, in both of its formats, as values. Pure.

v0 (drizzle-kit 0.x): `meta/_journal.json` names the files in their order, each with a time in
milliseconds (`when`): `NNNN_x.sql`, `meta/NNNN_snapshot.json`.
v1 (drizzle-kit 1): `YYYYMMDDHHMMSS_x/migration.sql` with its `snapshot.json`; there is no journal,
and the names are the order.
In both, the way back, which Drizzle itself does not know, stands beside: `NNNN_x.down.sql`,
`down.sql`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from deploy.errors import Refused

JOURNAL = "meta/_journal.json"
_V1 = re.compile(r"([^/]+)/migration\.sql")
_TIMESTAMP = re.compile(r"\d{14}", re.ASCII)


class Format(StrEnum):
    """A format of Drizzle's folder, and of the table that belongs to it."""

    V0 = "v0"
    V1 = "v1"


@dataclass(frozen=True)
class Migration:
    """One migration.

    `name` is what Drizzle calls it: the journal's tag in v0, the folder's name in v1. `when` is in
    milliseconds since 1970, `hash` the SHA-256 of the file's bytes in hexadecimal, `path` where the
    file is within the folder. `down` is the text of its way back, `snapshot` the bytes of its
    snapshot; both may be missing.
    """

    name: str
    when: int
    hash: str
    path: str
    sql: str = field(repr=False)
    down: str | None = field(default=None, repr=False)
    snapshot: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Folder:
    """A folder's migrations, in the order in which Drizzle applies them."""

    format: Format
    migrations: tuple[Migration, ...]


def read_folder(files: Mapping[str, bytes]) -> Folder:
    """Return the migrations of a folder, given as path within it → content.

    Raises:
        Refused: it is in neither format or in both, or a file is missing or cannot be read.
    """
    named = sorted(
        (match[1] for path in files if (match := _V1.fullmatch(path))), key=_as_drizzle_sorts
    )
    if JOURNAL not in files:
        if not named:
            raise Refused(
                f"the image's migrations folder has no {JOURNAL}, and no NAME/migration.sql either"
            )
        return Folder(Format.V1, tuple(_v1(files, name) for name in named))
    both = [name for name in named if _TIMESTAMP.match(name)]
    if both:
        raise Refused(
            f"the image's migrations folder is in two formats: it has {JOURNAL} (drizzle-kit 0.x) "
            f"and {both[0]}/migration.sql (drizzle-kit 1)",
            mend="Convert the folder with `npx drizzle-kit up`, and take out what is left over.",
        )
    return Folder(Format.V0, tuple(_v0(files, *entry) for entry in _journal(files[JOURNAL])))


def _journal(raw: bytes) -> list[tuple[str, int]]:
    try:
        journal = json.loads(raw)
        entries = [(str(entry["tag"]), int(entry["when"])) for entry in journal["entries"]]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"{JOURNAL} of the image cannot be read: {error}") from None
    tags = [tag for tag, _ in entries]
    again = next((tag for tag in tags if tags.count(tag) > 1), None)
    if again:
        raise Refused(f"{JOURNAL} of the image names {again} twice")
    return entries


def _v0(files: Mapping[str, bytes], tag: str, when: int) -> Migration:
    path = f"{tag}.sql"
    if path not in files:
        raise Refused(f"{JOURNAL} names {tag}, and {path} is not in the image")
    # drizzle-kit names a snapshot by the prefix alone: a number, a time, or what the team chose.
    snapshot = f"meta/{tag.partition('_')[0]}_snapshot.json"
    return _migration(files, tag, when, path, f"{tag}.down.sql", snapshot)


def _v1(files: Mapping[str, bytes], name: str) -> Migration:
    path = f"{name}/migration.sql"
    stamp = _TIMESTAMP.match(name)
    when = _milliseconds(stamp[0]) if stamp else None
    if when is None:
        raise Refused(
            f"{path} of the image: the folder's name does not begin with a time",
            mend="Drizzle takes the time of a migration from it: name it YYYYMMDDHHMMSS_NAME.",
        )
    return _migration(files, name, when, path, f"{name}/down.sql", f"{name}/snapshot.json")


def _migration(
    files: Mapping[str, bytes], name: str, when: int, path: str, down: str, snapshot: str
) -> Migration:
    return Migration(
        name=name,
        when=when,
        # Drizzle decodes the file and hashes the text's UTF-8, which for UTF-8 is the file's bytes.
        hash=hashlib.sha256(files[path]).hexdigest(),
        path=path,
        sql=_text(files, path),
        down=_text(files, down) if down in files else None,
        snapshot=files.get(snapshot),
    )


def _text(files: Mapping[str, bytes], path: str) -> str:
    try:
        text = files[path].decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(f"{path} of the image is not UTF-8") from None
    if "\0" in text:
        raise Refused(f"{path} of the image holds a zero byte, which PostgreSQL takes in no text")
    return text


def _milliseconds(stamp: str) -> int | None:
    """What Drizzle's migrator makes of a timestamp: `Date.UTC`, where month 13 is next January.

    None for what is out of a calendar's range.
    """
    year, *rest = (int(stamp[at:end]) for at, end in ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12)))
    month, day, hour, minute = rest
    years, month = divmod(month - 1, 12)
    try:
        first = datetime(year + years, month + 1, 1, tzinfo=UTC)
        time = first + timedelta(
            days=day - 1, hours=hour, minutes=minute, seconds=int(stamp[12:14])
        )
    except (ValueError, OverflowError):
        return None
    return int(time.timestamp()) * 1000


def _as_drizzle_sorts(name: str) -> tuple[list[tuple[int, str]], str]:
    """Order as JavaScript's `localeCompare`, as far as file names go.

    Marks come before digits, digits before letters, and case decides last, small letters first. By
    bytes, `_` would come between the capitals and the small letters, and two migrations of the same
    second could be applied in another order than Drizzle's.
    """
    marks = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
    weights = [
        (0, f"{marks.find(char):03}") if char in marks else (1 + char.isalpha(), char.casefold())
        for char in name
    ]
    return weights, name.swapcase()

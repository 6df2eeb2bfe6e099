"""The missing downs of a checkout's migrations folder: proposed, and written beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.downs.down import missing
from deploy.database.downs.generator import find_kit, generate
from deploy.database.downs.propose import Proposal, propose
from deploy.database.downs.renames import Rename, renames
from deploy.database.lint import checkout
from deploy.database.migrations.folder import Folder, Migration, read_folder
from deploy.database.migrations.sql import Unreadable
from deploy.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Written:
    """What has become of a folder's downs.

    `proposals` are those of the migrations that had none, in their order; a down is in its file
    where it could be proposed whole. `there` counts the migrations that had one, `version` is the
    drizzle-kit's that was asked, "" if none had to be.
    """

    proposals: tuple[Proposal, ...]
    there: int
    version: str = ""

    @property
    def complete(self) -> bool:
        """Whether every migration has a down now."""
        return all(one.down for one in self.proposals)


def write_downs(place: Path) -> Written:
    """Write a down beside each migration that has none, where a whole one can be proposed.

    A file that is there is never written to. No host and no database is asked.

    Args:
        place: the migrations folder.

    Raises:
        UsageError: it is no migrations folder.
        Refused: it can't be read; drizzle-kit or Node is missing, or failed. Nothing is written.
    """
    checkout.read(place)
    folder = _read(place)
    wanted = missing(folder)
    there = len(folder.migrations) - len(wanted)
    asked = {one: _renames(one) for one in wanted if one.snapshot is not None}
    kit = find_kit(place, folder.format) if asked else None
    answers = generate(kit, folder, asked) if kit else {}
    proposals = tuple(propose(one, answers.get(one.name)) for one in wanted)
    for one in proposals:
        if one.down:
            _write(place / one.path, one.down.text)
    return Written(proposals, there, kit.version if kit else "")


def _read(place: Path) -> Folder:
    files = {
        path.relative_to(place).as_posix(): path.read_bytes()
        for pattern in ("*.sql", "*/*.sql", "meta/*.json", "*/snapshot.json")
        for path in place.glob(pattern)
        if path.is_file()
    }
    try:
        return read_folder(files)
    except Refused as error:
        # It speaks of an image, whose folder this will be.
        raise Refused(
            f"{place} is no folder that an image could bring", state=str(error.message)
        ) from None


def _renames(migration: Migration) -> tuple[Rename, ...]:
    try:
        return renames(migration.sql)
    except Unreadable:
        # Nothing is proposed for what cannot be read.
        return ()


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise Refused(
            f"{path} could not be written: {error.strerror}",
            state="Downs before it in the folder's order are written.",
        ) from None

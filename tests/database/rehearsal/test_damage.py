"""A backup that cannot be restored: why, and what its manifest says afterwards."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.database.backup.backups import Backups
from deploy.database.rehearsal.source import Data
from deploy.database.rehearsal.throwaway import throwaway
from deploy.errors import Reverted
from tests.backup.conftest import Heard, asked, folder
from tests.backup.test_backup import cut, damage, flip_a_bit

from .conftest import BOUNDS, servers

if TYPE_CHECKING:
    from deploy.database.backup.manifest import Manifest

pytestmark = pytest.mark.fleet


def failed(backups: Backups, made: Manifest) -> Reverted:
    with pytest.raises(Reverted) as caught, throwaway(backups, Data(made), BOUNDS, say=Heard()):
        pass
    assert servers() == set()
    return caught.value


@pytest.mark.parametrize("how", [flip_a_bit, cut])
def test_it_is_not_as_it_was_written(
    backups: Backups, made: Manifest, how: Callable[[bytearray], bytearray]
) -> None:
    damage(folder(backups) / f"{made.name}.dump", how)
    error = failed(backups, made)
    assert error.message.startswith("db-1: the dump is not as it was written: its SHA-256 is ")
    assert error.state == f"Nothing has been changed.\n{made.name} cannot be relied on."
    found = backups.find(made.name)
    assert found.proof == "damaged"
    assert found.body["restored"]["ok"] is False
    assert found.body["checked"]["why"].startswith("the dump is not as it was written")


@pytest.mark.parametrize(("how", "compression"), [(flip_a_bit, "1"), (cut, "1"), (cut, "zstd:3")])
def test_it_was_damaged_before_it_was_summed_up(
    backups: Backups, made: Manifest, how: Callable[[bytearray], bytearray], compression: str
) -> None:
    dump = folder(backups) / f"{made.name}.dump"
    settings = backups.access.settings
    words = ["docker", "exec", settings["container"], "pg_dump", "-Fc", "-Z", compression]
    with dump.open("wb") as out:
        subprocess.run([*words, "-U", "shop", settings["database"]], stdout=out, check=True)
    damage(dump, how)
    resummed(backups, made, dump)
    error = failed(backups, made)
    assert error.message == "db-1: the dump cannot be decoded to its end"
    assert "pg_restore: error" in error.state
    assert backups.find(made.name).proof == "damaged"


def resummed(backups: Backups, made: Manifest, dump: Path) -> None:
    manifest = folder(backups) / f"{made.name}.json"
    body = {**made.body, "sha256": hashlib.sha256(dump.read_bytes()).hexdigest()}
    manifest.write_text(json.dumps(body) + "\n")


def test_it_is_none(backups: Backups, made: Manifest) -> None:
    dump = folder(backups) / f"{made.name}.dump"
    dump.write_bytes(b"PGDMP no more")
    resummed(backups, made, dump)
    error = failed(backups, made)
    assert error.message == "db-1: the dump cannot be decoded to its end"


def test_it_is_gone(backups: Backups, made: Manifest) -> None:
    (folder(backups) / f"{made.name}.dump").unlink()
    error = failed(backups, made)
    assert error.message == "db-1: the dump cannot be read from the disk"
    assert backups.find(made.name).proof == "damaged"


def test_it_is_whole_and_cannot_be_restored(
    backups: Backups, request: pytest.FixtureRequest
) -> None:
    """A check that held where the rows were written, and does not anywhere else."""
    asked(
        backups.access,
        """create function here() returns timestamptz immutable
             begin atomic select date_trunc('second', pg_postmaster_start_time()); end;
           create table bound (at timestamptz check (at = here()));
           insert into bound select here()""",
    )
    made = request.getfixturevalue("made")
    error = failed(backups, made)
    assert error.message == f"db-1: pg_restore failed; {made.name} was not restored"
    assert 'violates check constraint "bound_at_check"' in error.state
    found = backups.find(made.name)
    assert found.proof == "decoded"
    assert found.body["restored"]["ok"] is False
    assert found.body["restored"]["why"] == "pg_restore failed"


def test_the_manifest_cannot_be_written(
    backups: Backups, made: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(folder(backups) / f"{made.name}.dump", cut)
    heard = Heard()

    def full(*_words: object, **_more: object) -> Manifest:
        raise Reverted("the disk is full")

    monkeypatch.setattr(Backups, "record", full)
    with (
        pytest.raises(Reverted, match="not as it was written"),
        throwaway(backups, Data(made), BOUNDS, say=heard),
    ):
        pass
    said = f"! the manifest of {made.name} does not say so: the disk is full"
    assert heard.lines[-1] == said


def test_it_is_not_of_what_the_manifest_says(backups: Backups, made: Manifest) -> None:
    tables = {**made.facts["tables"], "public.big": 500_000, "public.more": 1}
    error = failed(backups, made.with_(facts={**made.facts, "tables": tables}))
    assert "public.big has about 200000 rows, and had about 500000" in error.message
    assert "public.more is missing" in error.message
    assert backups.find(made.name).body["restored"]["ok"] is False

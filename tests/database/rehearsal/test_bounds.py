"""What a server may use up, and whether the host has it; and what it is filled with."""

from __future__ import annotations

import pytest

from deploy.database.backup.manifest import Manifest
from deploy.database.rehearsal.bounds import EMPTY, Bounds, Room, bounds_of, disk_of, fit
from deploy.database.rehearsal.source import Data, SchemaOnly, Source, choose
from deploy.errors import Refused
from deploy.settings import Rehearsal

GB = 1_000_000_000
ROOM = Room(memory=2 * GB, disk=10 * GB, mount="/var")


def test_the_bounds_of_the_settings() -> None:
    assert bounds_of(Rehearsal()) == Bounds()
    written = Rehearsal.model_validate({"memory": "512MiB", "disk": "5GB", "timeout": "10m"})
    assert bounds_of(written) == Bounds(memory=2**29, disk=5 * GB, seconds=600)


def dump(database: int, method: str = "dump", packed: int = 0) -> Manifest:
    facts = {"database_bytes": database}
    return Manifest("one", {"method": method, "bytes": packed, "facts": facts})


def source(database: int) -> Source:
    return Data(dump(database)) if database else SchemaOnly()


def test_the_disk() -> None:
    assert disk_of(Bounds(disk=GB), source(5 * GB)) == GB
    assert disk_of(Bounds(), source(0)) == EMPTY
    assert disk_of(Bounds(), source(2 * GB)) == EMPTY + 5 * GB
    assert disk_of(Bounds(), Data(dump(2 * GB, packed=GB))) == EMPTY + 6 * GB


def test_the_dump_needs_room_as_well() -> None:
    fit("db-1", Bounds(), Data(dump(6 * GB)), ROOM)
    with pytest.raises(Refused, match=r"may need 9\.2 GB"):
        fit("db-1", Bounds(), Data(dump(6 * GB, packed=GB)), ROOM)


@pytest.mark.parametrize(
    ("bounds", "database"),
    [
        (Bounds(), 0),
        (Bounds(), 6 * GB),
        (Bounds(disk=EMPTY + 2 * GB), GB),
        (Bounds(memory=2 * GB), 0),
    ],
)
def test_there_is_room(bounds: Bounds, database: int) -> None:
    fit("db-1", bounds, source(database), ROOM)  # or it would raise
    with pytest.raises(Refused):
        fit("db-1", bounds, source(database), Room(memory=0, disk=0, mount="/"))


SCHEMA = "or write database.rehearsal.mode: schema, which needs less."
REFUSED = {
    "disk": (
        Bounds(),
        7 * GB,
        "db-1: no room for a rehearsal: it may need 9.5 GB, and /var has 10 GB free, of which "
        f"1.0 GB stay so\nNothing has been changed.\nMake room on db-1, {SCHEMA}",
    ),
    "disk for a schema": (
        Bounds(reserve=10 * GB),
        0,
        "db-1: no room for a rehearsal: it may need 400 MB, and /var has 10 GB free, of which "
        "10 GB stay so\nNothing has been changed.\nMake room on db-1.",
    ),
    "the owner's own bound": (
        Bounds(disk=GB),
        GB,
        "database.rehearsal.disk allows 1.0 GB, and a rehearsal may need 1.7 GB\n"
        f"Nothing has been changed.\nAllow more, {SCHEMA}",
    ),
    "memory": (
        Bounds(memory=3 * GB),
        0,
        "db-1: no memory for a rehearsal: it may use 3.0 GB, and 2.0 GB can be had\n"
        "Nothing has been changed.\n"
        "Allow less under database.rehearsal.memory; it only takes longer.",
    ),
}


@pytest.mark.parametrize(("bounds", "database", "said"), REFUSED.values(), ids=REFUSED)
def test_there_is_none(bounds: Bounds, database: int, said: str) -> None:
    with pytest.raises(Refused) as caught:
        fit("db-1", bounds, source(database), ROOM)
    assert str(caught.value) == said
    assert caught.value.exit_code == 3


def test_what_it_is_filled_with() -> None:
    assert choose("off", dump(1), GB) is None
    assert choose("data", dump(GB), GB) == Data(dump(GB))
    assert Data(dump(GB)).bytes == GB


@pytest.mark.parametrize(
    ("mode", "manifest", "why"),
    [
        ("schema", dump(1), "database.rehearsal.mode is schema"),
        ("data", None, "there is no backup to restore"),
        ("data", dump(1, "command"), "a backup by backup.command has no file to restore"),
        ("data", dump(2 * GB), "the database has 2.0 GB, more than 1.0 GB"),
    ],
)
def test_when_the_schema_has_to_do(mode: str, manifest: Manifest | None, why: str) -> None:
    assert choose(mode, manifest, GB) == SchemaOnly(why)

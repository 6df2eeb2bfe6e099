"""Backups that are taken, kept, looked at, cut short, damaged, and for which there is no room."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.database.backup.backups import Backups, Order
from deploy.errors import NeedsPerson, Reverted, UsageError
from tests.database.conftest import docker
from tests.localhost import LocalHost

from .conftest import BOTH, FEW, ORDER, Heard, Server, asked, create, folder, names

pytestmark = pytest.mark.fleet


@BOTH
def test_one_is_taken_and_all_is_known_of_it(
    server: Server, backups: Backups, database: str
) -> None:
    heard = Heard()
    one = backups.create(ORDER, [], heard)
    dump = folder(backups) / f"{one.name}.dump"
    content = dump.read_bytes()
    assert names(backups) == [f"{one.name}.dump", f"{one.name}.json"]
    assert json.loads((folder(backups) / f"{one.name}.json").read_text()) == one.body
    assert oct(folder(backups).stat().st_mode & 0o777) == "0o700"
    assert {oct(path.stat().st_mode & 0o777) for path in folder(backups).iterdir()} == {"0o600"}
    assert content.startswith(b"PGDMP")
    assert (one.bytes, one.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    body = one.body
    assert (body["release"], body["tag"], body["purpose"]) == ("v2-0a1b2c3d", "v2", "deploy")
    assert (body["by"], body["host"], body["method"]) == ("ada@laptop", "db-1", "dump")
    assert body["decoded"] is True
    assert set(body["seconds"]) == {"dump", "decode"}
    assert body["client"].startswith(f"{server.major}.")
    assert one.facts["database"] == database
    assert one.facts["major"] == server.major
    assert one.facts["database_bytes"] > 40_000_000
    assert one.head
    assert (one.head.count, one.head.hash, one.head.when) == (2, "two", 2)
    assert one.tables == {
        "public.big": 200000,
        "public.small": 5,
        "drizzle.__drizzle_migrations": 2,
    }
    assert one.proof == "decoded"
    assert abs(time.time() - one.at.timestamp()) < 60
    assert len(heard.lines) == 1
    assert heard.lines[0].startswith("dumped in ")


def test_zstd_where_both_know_it(server: Server, backups: Backups) -> None:
    name = create(backups)
    listed = subprocess.run(
        ["docker", "exec", "-i", server.container, "pg_restore", "--list"],
        stdin=(folder(backups) / f"{name}.dump").open("rb"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Compression: zstd" in listed.stdout


@BOTH
def test_by_a_url_it_is_the_same(server: Server, database: str, tmp_path: Path) -> None:
    backups = Backups(server.url(database), str(tmp_path), timeout=120)
    one = backups.create(ORDER, [], Heard())
    assert one.tables["public.big"] == 200000
    assert backups.verify(one.name, Heard()).proof == "decoded"
    assert (
        docker("ps", "-aq", "--filter", "label=headway.client", "--filter", "status=exited") == ""
    )


@FEW
def test_without_drizzle_there_is_no_head(server: Server, backups: Backups, database: str) -> None:
    asked(server.access(database), "drop schema drizzle cascade")
    one = backups.create(ORDER, [], Heard())
    assert one.head is None


@FEW
def test_the_list(backups: Backups) -> None:
    assert backups.shelf().kept == ()
    first, second = create(backups), create(backups)
    shelf = backups.shelf()
    assert [one.name for one in shelf.kept] == [first, second]
    assert all(shelf.whole(one) for one in shelf.kept)
    (folder(backups) / f"{first}.dump").unlink()
    shelf = backups.shelf()
    assert [shelf.whole(one) for one in shelf.kept] == [False, True]


@FEW
def test_what_is_too_much_goes_and_what_is_not_ours_stays(backups: Backups) -> None:
    backups = replace(backups, keep=2)
    folder(backups).mkdir(parents=True)
    foreign = {"theirs.dump": "x", "theirs.json": '{"v": 1}', "notes.txt": "x", "broken.json": "{"}
    for name, content in foreign.items():
        (folder(backups) / name).write_text(content)
    first = create(backups, Order("r1", "v1", "deploy"), ("r1",))
    rest = [create(backups, Order("r1", "v1", "hand"), ("r1",)) for _ in range(3)]
    kept = [one.name for one in backups.shelf().kept]
    assert kept == [first, *rest[1:]]
    assert set(names(backups)) == {
        *foreign,
        *(f"{one}.{suffix}" for one in kept for suffix in ("dump", "json")),
    }


def test_verify_says_yes(backups: Backups) -> None:
    name = create(backups)
    one = backups.verify(name, Heard())
    assert one.body["checked"]["ok"] is True
    assert backups.find(name).body == one.body


@FEW
def test_verify_of_nothing(backups: Backups) -> None:
    name = create(backups)
    with pytest.raises(UsageError) as caught:
        backups.verify("shop-20200101-000000", Heard())
    assert str(caught.value) == (
        "there is no backup 'shop-20200101-000000' on db-1\n"
        f"Nothing has been changed.\nThere is {name}."
    )


def damage(path: Path, how: Callable[[bytearray], bytearray]) -> None:
    path.write_bytes(how(bytearray(path.read_bytes())))


def flip_a_bit(content: bytearray) -> bytearray:
    content[len(content) // 2] ^= 0x10
    return content


def cut(content: bytearray) -> bytearray:
    return content[: len(content) * 6 // 10]


@pytest.mark.parametrize("how", [flip_a_bit, cut])
def test_damage_is_found_by_the_sum(
    backups: Backups, how: Callable[[bytearray], bytearray]
) -> None:
    name = create(backups)
    damage(folder(backups) / f"{name}.dump", how)
    with pytest.raises(NeedsPerson, match="the dump is not as it was written") as caught:
        backups.verify(name, Heard())
    assert f"{name} cannot be relied on." in str(caught.value)
    assert backups.find(name).proof == "damaged"


@pytest.mark.parametrize(("how", "compression"), [(flip_a_bit, "1"), (cut, "1"), (cut, "zstd:3")])
def test_damage_is_found_by_the_decoding_alone(
    backups: Backups, how: Callable[[bytearray], bytearray], compression: str
) -> None:
    """As if it had come before the sum was taken; zstd's frames have no checksum for one bit."""
    name = create(backups)
    dump = folder(backups) / f"{name}.dump"
    settings = backups.access.settings
    words = ["docker", "exec", settings["container"], "pg_dump", "-Fc", "-Z", compression]
    with dump.open("wb") as out:
        subprocess.run([*words, "-U", "shop", settings["database"]], stdout=out, check=True)
    damage(dump, how)
    manifest = folder(backups) / f"{name}.json"
    body = json.loads(manifest.read_text())
    body["sha256"] = hashlib.sha256(dump.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(body) + "\n")
    with pytest.raises(NeedsPerson, match="the dump cannot be decoded to its end") as caught:
        backups.verify(name, Heard())
    assert "pg_restore: error" in str(caught.value)


FLIP = """#!/bin/sh
# A disk that turns one bit of what is written to it.
for file; do
    case $file in
    *.dump.partial) printf '\\001' | dd of="$file" bs=1 seek=900000 conv=notrunc 2>/dev/null ;;
    esac
done
"""


def test_a_disk_that_turns_a_bit_is_found(server: Server, database: str, tmp_path: Path) -> None:
    shim = tmp_path / "shims" / "sync"
    shim.parent.mkdir()
    shim.write_text(FLIP)
    shim.chmod(0o755)
    host = LocalHost("db-1", {"PATH": f"{shim.parent}:{os.environ['PATH']}"})
    backups = Backups(server.access(database, host), str(tmp_path / "srv"))
    with pytest.raises(Reverted) as caught:
        create(backups)
    assert (
        "the disk has not kept what pg_dump wrote" in caught.value.message
        or "cannot be decoded" in caught.value.message
    )
    assert names(backups) == []

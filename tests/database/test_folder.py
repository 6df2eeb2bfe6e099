"""Drizzle's two folder formats, read."""

from __future__ import annotations

import hashlib
import json
import random
import re
import subprocess

import pytest

from deploy.database.migrations.folder import Format, read_folder
from deploy.errors import Refused

from .migrations import SHOP, shop_folder, v0, v1


def test_the_shop() -> None:
    files = shop_folder()
    folder = read_folder(files)
    journal = json.loads(files["meta/_journal.json"])["entries"]
    assert folder.format is Format.V0
    found = folder.migrations
    assert len(found) >= 4
    assert [(one.name, one.when) for one in found] == [(e["tag"], e["when"]) for e in journal]
    for one in found:
        content = (SHOP / one.path).read_bytes()
        assert one.path == f"{one.name}.sql"
        assert one.hash == hashlib.sha256(content).hexdigest()
        assert one.sql.encode() == content
        assert one.down == (SHOP / f"{one.name}.down.sql").read_text()
        number = one.name.partition("_")[0]
        assert one.snapshot == (SHOP / "meta" / f"{number}_snapshot.json").read_bytes()
    # The downs lie beside them, and are none of them.
    assert not [one.name for one in found if "down" in one.name]


def test_version_1() -> None:
    name = "20260102030405_init"
    files = {
        f"{name}/migration.sql": b"create table a ();\r\n",
        f"{name}/down.sql": b"drop table a",
        f"{name}/snapshot.json": b"{}",
        "README.md": b"x",
        "20260102030404_before/migration.sql": b"",
        "deep/20260102030405_no/migration.sql": b"",
    }
    folder = read_folder(files)
    assert folder.format is Format.V1
    before, one = folder.migrations
    assert (before.name, before.sql, before.down, before.snapshot) == (
        "20260102030404_before",
        "",
        None,
        None,
    )
    assert (one.name, one.path) == (name, f"{name}/migration.sql")
    assert one.when == 1767323045000
    assert one.hash == hashlib.sha256(files[one.path]).hexdigest()
    assert (one.sql, one.down, one.snapshot) == ("create table a ();\r\n", "drop table a", b"{}")


def test_the_order_is_the_journals_and_not_the_names() -> None:
    files = v0(zebra="select 1", apple="select 2")
    assert [one.name for one in read_folder(files).migrations] == ["zebra", "apple"]


def test_without_a_prefix() -> None:
    files = {**v0(_init="select 1"), "meta/_snapshot.json": b"{}"}
    (one,) = read_folder(files).migrations
    assert (one.name, one.snapshot) == ("_init", b"{}")


def test_the_hash_is_of_the_bytes() -> None:
    unix, windows = (
        read_folder(v0(a=text)).migrations[0] for text in ("select 1\n", "select 1\r\n")
    )
    assert unix.hash != windows.hash


def test_a_migration_does_not_show_its_text() -> None:
    files = {**v0(a="insert into users values ('ada')"), "a.down.sql": b"ada"}
    (one,) = read_folder(files).migrations
    assert "ada" not in repr(one)


def test_a_folder_of_a_readers_own_beside_a_journal() -> None:
    """What Drizzle 0.x does not look at is nothing, unless it is of the other format."""
    files = {**v0(a="select 1"), "archive/migration.sql": b"select 2"}
    assert [one.name for one in read_folder(files).migrations] == ["a"]


JOURNAL = "meta/_journal.json"
BROKEN = {
    "empty": ({}, "has no meta/_journal.json, and no NAME/migration.sql either"),
    "no journal": ({"0000_a.sql": b""}, "no meta/_journal.json"),
    "both": ({**v0(a=""), **v1(_b="")}, "is in two formats"),
    "no time": ({"init/migration.sql": b""}, "init/migration.sql of the image: the folder's name"),
    "no time in a calendar": (
        {"99991399999999_x/migration.sql": b""},
        "name does not begin with a time",
    ),
    "no JSON": ({JOURNAL: b"{"}, "cannot be read"),
    "a list": ({JOURNAL: b"[]"}, "cannot be read"),
    "no entries": ({JOURNAL: b"{}"}, "cannot be read"),
    "odd entries": ({JOURNAL: b'{"entries":[1]}'}, "cannot be read"),
    "no tag": ({JOURNAL: b'{"entries":[{"when":1}]}'}, "cannot be read"),
    "when is no number": ({JOURNAL: b'{"entries":[{"tag":"a","when":"soon"}]}'}, "cannot be read"),
    "twice": (
        {JOURNAL: b'{"entries":[{"tag":"a","when":1},{"tag":"a","when":2}]}', "a.sql": b""},
        "names a twice",
    ),
    "a file is missing": (
        {JOURNAL: b'{"entries":[{"tag":"0000_a","when":1}]}'},
        "names 0000_a, and 0000_a.sql is not in the image",
    ),
    "no text": (
        {JOURNAL: b'{"entries":[{"tag":"a","when":1}]}', "a.sql": b"\xff\xfe"},
        "a.sql of the image is not UTF-8",
    ),
    "no text for the way back": (
        {**v0(a="select 1"), "a.down.sql": b"\xff\xfe"},
        "a.down.sql of the image is not UTF-8",
    ),
    "a zero byte": (v0(a="select '\0'"), "a.sql of the image holds a zero byte"),
    "no text for a journal": ({JOURNAL: b"\xff\xfe{"}, "cannot be read"),
}


@pytest.mark.parametrize(("files", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_folder_that_cannot_be_read(files: dict[str, bytes], message: str) -> None:
    with pytest.raises(Refused, match=re.escape(message)):
        read_folder(files)


def node(script: str, argument: object) -> object:
    """What a script for Node prints as JSON, given `argument` as its own."""
    done = subprocess.run(
        ["node", "--eval", script, json.dumps(argument)],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def test_names_are_in_javascripts_order() -> None:
    """Drizzle sorts by `localeCompare`; within one second that is not the order of the bytes."""
    chance = random.Random(3)  # noqa: S311 - names for a test
    ends = {"".join(chance.choices("aAbBzZ019_-. ", k=chance.randint(1, 6))) for _ in range(300)}
    names = [f"20260101000000_{end}" for end in sorted(ends)]
    theirs = node(
        "console.log(JSON.stringify(JSON.parse(process.argv[1])"
        ".sort((a, b) => a.localeCompare(b))))",
        names,
    )
    files = {f"{name}/migration.sql": b"" for name in names}
    ours = [one.name for one in read_folder(files).migrations]
    assert ours == theirs
    assert ours != sorted(ours)


def test_a_time_is_javascripts() -> None:
    stamps = ["20260102030405", "20261399256199", "20260230000000", "20260000000000"]
    theirs = node(
        "console.log(JSON.stringify(JSON.parse(process.argv[1]).map((s) => Date.UTC(s.slice(0, 4),"
        " s.slice(4, 6) - 1, s.slice(6, 8), s.slice(8, 10), s.slice(10, 12), s.slice(12, 14)))))",
        stamps,
    )
    files = {f"{stamp}_x/migration.sql": b"" for stamp in stamps}
    ours = {one.name[:14]: one.when for one in read_folder(files).migrations}
    assert [ours[stamp] for stamp in stamps] == theirs

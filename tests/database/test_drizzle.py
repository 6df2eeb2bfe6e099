"""Which migrations are pending: the folder against the rows."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from deploy.database.drizzle import Migration, Row, State, pending, read_folder, states
from deploy.errors import Refused

SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop" / "drizzle"


def shop_folder() -> dict[str, bytes]:
    return {
        path.relative_to(SHOP).as_posix(): path.read_bytes()
        for path in SHOP.rglob("*")
        if path.is_file()
    }


def folder(**files: str) -> dict[str, bytes]:
    """A folder with these files, in their order, at 1, 2, 3… milliseconds."""
    entries = [{"tag": tag, "when": when} for when, tag in enumerate(files, start=1)]
    contents = {f"{tag}.sql": text.encode() for tag, text in files.items()}
    return {"meta/_journal.json": json.dumps({"entries": entries}).encode(), **contents}


def test_the_shop() -> None:
    files = shop_folder()
    found = read_folder(files)
    journal = json.loads(files["meta/_journal.json"])["entries"]
    assert len(found) >= 4
    assert [(one.tag, one.when) for one in found] == [(e["tag"], e["when"]) for e in journal]
    for one in found:
        content = (SHOP / f"{one.tag}.sql").read_bytes()
        assert one.hash == hashlib.sha256(content).hexdigest()
        assert one.sql.encode() == content
    # The downs lie beside them, and are none of them.
    assert not [one.tag for one in found if "down" in one.tag]
    assert pending(found, []) == found
    assert pending(found, rows(*found)) == []
    assert pending(found, rows(*found[:3])) == found[3:]


def rows(*migrations: Migration) -> list[Row]:
    return [Row(one.hash, one.when) for one in migrations]


def test_the_order_is_the_journals_and_not_the_names() -> None:
    files = folder(zebra="select 1", apple="select 2")
    assert [one.tag for one in read_folder(files)] == ["zebra", "apple"]


def test_the_hash_is_of_the_bytes() -> None:
    unix, windows = (read_folder(folder(a=text))[0] for text in ("select 1\n", "select 1\r\n"))
    assert unix.hash != windows.hash


def test_a_migration_does_not_show_its_text() -> None:
    (one,) = read_folder(folder(a="insert into users values ('ada')"))
    assert "ada" not in repr(one)


BROKEN = {
    "empty": ({}, "no meta/_journal.json"),
    "no journal": ({"0000_a.sql": b""}, "no meta/_journal.json"),
    "drizzle-kit 1": (
        {"20260102_a/migration.sql": b"", "20260102_a/snapshot.json": b""},
        "format of drizzle-kit 1",
    ),
    "no JSON": ({"meta/_journal.json": b"{"}, "cannot be read"),
    "a list": ({"meta/_journal.json": b"[]"}, "cannot be read"),
    "no entries": ({"meta/_journal.json": b"{}"}, "cannot be read"),
    "odd entries": ({"meta/_journal.json": b'{"entries":[1]}'}, "cannot be read"),
    "no tag": ({"meta/_journal.json": b'{"entries":[{"when":1}]}'}, "cannot be read"),
    "when is no number": (
        {"meta/_journal.json": b'{"entries":[{"tag":"a","when":"soon"}]}'},
        "cannot be read",
    ),
    "a file is missing": (
        {"meta/_journal.json": b'{"entries":[{"tag":"0000_a","when":1}]}'},
        "names 0000_a, and 0000_a.sql is not in the image",
    ),
    "no text": (
        {"meta/_journal.json": b'{"entries":[{"tag":"a","when":1}]}', "a.sql": b"\xff\xfe"},
        "a.sql of the image is not UTF-8",
    ),
    "no text for a journal": ({"meta/_journal.json": b"\xff\xfe{"}, "cannot be read"),
}


@pytest.mark.parametrize(("files", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_folder_that_cannot_be_read(files: dict[str, bytes], message: str) -> None:
    with pytest.raises(Refused, match=re.escape(message)):
        read_folder(files)


THREE = read_folder(folder(a="select 1", b="select 2", c="select 3"))
A, B, C = THREE
P, D = State.PENDING, State.APPLIED

TABLE = {
    "an empty database": ([], [P, P, P]),
    "one is new": (rows(A, B), [D, D, P]),
    "all are there": (rows(A, B, C), [D, D, D]),
    "rows in another order": (rows(C, A, B), [D, D, D]),
    "twice there": (rows(A, A, B, C), [D, D, D]),
    "the database is ahead": ([*rows(A, B, C), Row("later", 9)], [D, D, D]),
    "edited after it was applied": ([Row("other", 1), *rows(B)], [State.EDITED, D, P]),
    "the newest was edited": ([*rows(A, B), Row("other", 3)], [D, D, State.EDITED]),
    "merged late, and older than the newest": (rows(A, C), [D, State.SKIPPED, D]),
    "a database of something else": ([Row("other", 9)], [State.SKIPPED] * 3),
    "its time was changed": ([*rows(A), Row(B.hash, 1)], [D, State.AGAIN, P]),
    "its time was changed, and others came": (
        [*rows(A), Row(B.hash, 1), *rows(C)],
        [D, D, D],
    ),
}


@pytest.mark.parametrize(("there", "expected"), TABLE.values(), ids=TABLE.keys())
def test_states(there: list[Row], expected: list[State]) -> None:
    assert states(THREE, there) == list(zip(THREE, expected, strict=True))
    bad = [(one, state) for one, state in zip(THREE, expected, strict=True) if state not in (P, D)]
    if bad:
        with pytest.raises(Refused) as caught:
            pending(THREE, there)
        for one, state in bad:
            assert f"{one.tag}.sql is {state}" in caught.value.message
        assert "Generate a new migration" in caught.value.mend
    else:
        todo = [one for one, state in zip(THREE, expected, strict=True) if state is P]
        assert pending(THREE, there) == todo


def test_no_migrations_at_all() -> None:
    assert pending(read_folder(folder()), []) == []

"""Which backups go, how much room one needs, and what is no manifest."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from deploy.database.backup.manifest import Manifest, having, needed, surplus
from deploy.database.backup.restore import differences, lost
from deploy.database.backup.shelf import read_shelf


def made(name: str, minute: int = 0, **more: Any) -> Manifest:
    body = {
        "v": 1,
        "name": name,
        "method": "dump",
        "at": f"2026-01-01T00:{minute:02}:00Z",
        "bytes": 100,
        "facts": {"database_bytes": 1000},
    }
    return Manifest.read(body | more)


def series(*releases: str) -> list[Manifest]:
    """One for each, oldest first; `!` behind a release is one that was taken before migrating."""
    return [
        made(
            f"b{number}",
            number,
            release=release.rstrip("!"),
            purpose="deploy" if release.endswith("!") else "hand",
        )
        for number, release in enumerate(releases)
    ]


GOING = {
    "few": (series("r1", "r2"), 5, [], []),
    "one too many": (series("", "", ""), 3, [], ["b0"]),
    "all but the next": (series("", "", ""), 1, [], ["b2", "b1", "b0"]),
    "of the current release": (series("r1!", "", "", ""), 2, ["r1"], ["b2", "b1"]),
    "of the previous one": (series("r1!", "r2!", "", "", ""), 2, ["r1", "r2"], ["b3", "b2"]),
    "before migrating stays, however many came by hand": (
        series("r1!", "r1", "r1", "r1"),
        2,
        ["r1"],
        ["b2", "b1"],
    ),
    "the last before migrating is the one": (
        series("r1!", "r1!", "r2", "r2"),
        2,
        ["r1"],
        ["b2", "b0"],
    ),
    "a release without a name protects nothing": (series("", "", ""), 2, ["", "r9"], ["b1", "b0"]),
}


@pytest.mark.parametrize(("kept", "keep", "protected", "going"), GOING.values(), ids=GOING)
def test_what_goes(kept: list[Manifest], keep: int, protected: list[str], going: list[str]) -> None:
    assert [one.name for one in surplus(kept, keep, protected)] == going


def test_the_room_follows_the_last_one() -> None:
    assert needed(1000, []) == 750  # 0.6 of it, and a quarter more
    old = made("a", 1, bytes=900)
    new = made("b", 2, bytes=100)
    assert needed(2000, [new, old]) == 250
    by_command = made("c", 3, bytes=0)
    assert needed(2000, [new, by_command]) == 250


NO_MANIFESTS = [
    None,
    [],
    {},
    {"v": 2, "name": "x", "method": "dump", "facts": {}, "at": ""},
    {"v": 1, "name": "x", "method": "magic", "facts": {}, "at": ""},
    {"v": 1, "name": "x", "method": "dump", "at": ""},
]


@pytest.mark.parametrize("body", NO_MANIFESTS, ids=str)
def test_what_is_no_manifest(body: object) -> None:
    with pytest.raises(ValueError, match="no manifest"):
        Manifest.read(body)


def test_foreign_files_are_passed_over() -> None:
    good = made("a").to_json()
    lines = [
        '{"event":"room","free_kb":"10","mount":"/srv"}',
        f'{{"event":"kept","file":"a.json","manifest":{good}}}',
        f'{{"event":"kept","file":"copied.json","manifest":{good}}}',
        '{"event":"kept","file":"b.json","manifest":{"theirs":true}}',
        '{"event":"kept","file":"c.json","manifest":not json}',
        '{"event":"dump","file":"a.dump","bytes":"100"}',
        '{"event":"dump","file":"theirs.dump","bytes":"5"}',
    ]
    shelf = read_shelf(lines)
    assert [one.name for one in shelf.kept] == ["a"]
    assert (shelf.free, shelf.mount) == (10240, "/srv")
    assert shelf.whole(shelf.kept[0])
    assert not shelf.whole(made("a", bytes=99))
    assert not shelf.whole(made("gone"))


def test_unknown_keys_stay() -> None:
    one = made("a", later="x").with_(restored={"ok": True})
    assert '"later": "x"' in one.to_json()
    assert one.proof == "restored"


PROOFS = {
    "taken": {},
    "decoded": {"decoded": True},
    "restored": {"decoded": True, "restored": {"ok": True}},
    "damaged": {"decoded": True, "restored": {"ok": True}, "checked": {"ok": False}},
}


@pytest.mark.parametrize(("proof", "body"), PROOFS.items(), ids=PROOFS)
def test_what_is_known(proof: str, body: dict[str, Any]) -> None:
    assert made("a", **body).proof == proof


HEAD = {"count": 2, "hash": "abc", "name": None, "when": 2, "all": "x"}
FACTS = {"database_bytes": 1, "head": HEAD, "tables": {"public.big": 200000, "public.few": 10}}

RESTORED = {
    "the same": (FACTS, []),
    "statistics lag behind": (FACTS | {"tables": {"public.big": 150000, "public.few": 0}}, []),
    "rows are lacking": (
        FACTS | {"tables": {"public.big": 90000, "public.few": 10}},
        ["public.big has about 90000 rows, and had about 200000"],
    ),
    "a table is missing": (FACTS | {"tables": {"public.big": 200000}}, ["public.few is missing"]),
    "another migration": (
        FACTS | {"head": HEAD | {"all": "y", "count": 3}},
        ["it has 3 migrations, the last abc, and had 2 migrations, the last abc"],
    ),
    "none": (
        FACTS | {"head": None},
        ["it has no migrations, and had 2 migrations, the last abc"],
    ),
}


@pytest.mark.parametrize(("facts", "wrong"), RESTORED.values(), ids=RESTORED)
def test_what_a_restored_database_lacks(facts: dict[str, Any], wrong: list[str]) -> None:
    assert differences(made("a", facts=FACTS), facts) == wrong


def test_what_would_be_lost() -> None:
    then = FACTS | {"wal": "0/FF000000", "commits": 10}
    now = FACTS | {"wal": "1/0", "commits": 30, "head": HEAD | {"count": 3, "all": "y"}}
    at = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
    assert lost(made("a", 1, facts=then), now, at) == [
        "every write since 2026-01-01 00:01:00 UTC, 4 m 0 s ago",
        "since then the server wrote 17 MB of WAL, in 20 transactions",
        "the schema goes back: it has 3 migrations, the last abc, then 2 migrations, the last abc",
    ]
    # A server that was made anew counts from the beginning: nothing is said of it.
    anew = FACTS | {"wal": "0/1", "commits": 1}
    assert len(lost(made("a", 1, facts=then), anew, at)) == 1


def with_head(name: str, minute: int, *hashes: str, **more: Any) -> Manifest:
    summed = hashlib.md5(",".join(hashes).encode(), usedforsecurity=False).hexdigest()
    found = {"count": len(hashes), "hash": hashes[-1], "name": None, "when": 1, "all": summed}
    return made(name, minute, facts={"database_bytes": 1000, "head": found}, **more)


def test_which_backups_have_these_migrations_and_no_other() -> None:
    kept = [
        with_head("newest", 9, "one", "two"),
        with_head("older", 1, "one", "two"),
        with_head("fewer", 2, "one"),
        with_head("more", 3, "one", "two", "three"),
        with_head("others", 4, "one", "2"),
        with_head("damaged", 8, "one", "two", checked={"ok": False}),
        with_head("without a file", 7, "one", "two", method="command"),
        made("of none", 5),
    ]
    assert [one.name for one in having(kept, ["one", "two"])] == ["older", "newest"]
    assert [one.name for one in having(kept, ["one"])] == ["fewer"]
    assert having(kept, []) == []

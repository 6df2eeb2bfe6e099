"""The migrations folder of a checkout, found and read; what is new since a commit."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from deploy.database.lint.checkout import find, new_since, read
from deploy.errors import Refused, UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "acme"
    folder.mkdir()
    git(folder, "init", "--quiet")
    return folder


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=Ana", "-c", "user.email=ana@acme.example")
    subprocess.run(["git", "-C", folder, *who, *words], check=True, capture_output=True)


def commit(folder: Path, tag: str = "") -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message=x")
    if tag:
        git(folder, "tag", tag)


def journal(folder: Path, *tags: str) -> None:
    """A folder of drizzle-kit 0.x with these migrations; a text that is there stays."""
    (folder / "meta").mkdir(parents=True, exist_ok=True)
    entries = [{"idx": at, "tag": tag, "when": at} for at, tag in enumerate(tags)]
    (folder / "meta/_journal.json").write_text(json.dumps({"entries": entries}))
    for tag in tags:
        if not (folder / f"{tag}.sql").exists():
            (folder / f"{tag}.sql").write_text(f"select '{tag}';\n")


def folders(folder: Path, *names: str) -> None:
    """A folder of drizzle-kit 1.x."""
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "migration.sql").write_text(f"select '{name}';\n")


# --- found ---------------------------------------------------------------------------------------


def test_a_journal_is_found(root: Path) -> None:
    journal(root / "packages/db/drizzle", "0000_a")
    journal(root / "node_modules/other/drizzle", "0000_b")
    git(root, "add", "--all", "--force")
    assert find(root) == root / "packages/db/drizzle"


def test_folders_are_found(root: Path) -> None:
    folders(root / "drizzle", "20260101000000_a", "20260102000000_b")
    commit(root)
    assert find(root) == root / "drizzle"


def test_what_git_does_not_track_is_not_found(root: Path) -> None:
    journal(root / "drizzle", "0000_a")
    journal(root / "dist/drizzle", "0000_a")
    git(root, "add", "drizzle")
    assert find(root) == root / "drizzle"


def test_several_are_named(root: Path) -> None:
    journal(root / "b/drizzle", "0000_a")
    folders(root / "a", "20260101000000_a")
    commit(root)
    with pytest.raises(UsageError, match="several folders of migrations: a, b/drizzle") as caught:
        find(root)
    assert "--folder a" in caught.value.mend


def test_none_at_all(root: Path, tmp_path: Path) -> None:
    (root / "migration.sql").write_text("select 1")
    commit(root)
    with pytest.raises(UsageError, match="tracks no migrations below"):
        find(root)
    with pytest.raises(UsageError, match="is no git checkout") as caught:
        find(tmp_path)
    assert "--folder" in caught.value.mend


# --- read ----------------------------------------------------------------------------------------


def test_the_order_is_the_journals(tmp_path: Path) -> None:
    journal(tmp_path, "9_first", "1_second")
    (tmp_path / "9_first.down.sql").write_text("drop table a;")
    (tmp_path / "5_stray.sql").write_text("drop table a;")
    files = read(tmp_path)
    assert [one.path for one in files] == ["9_first.sql", "1_second.sql"]
    assert files[0].text == "select '9_first';\n"


def test_the_order_is_that_of_the_names(tmp_path: Path) -> None:
    folders(tmp_path, "20260102000000_b", "20260101000000_a")
    (tmp_path / "20260101000000_a/down.sql").write_text("drop table a;")
    assert [one.path for one in read(tmp_path)] == [
        "20260101000000_a/migration.sql",
        "20260102000000_b/migration.sql",
    ]


def test_a_journal_without_entries_is_no_migration(tmp_path: Path) -> None:
    journal(tmp_path)
    assert read(tmp_path) == []


def test_folders_that_are_none(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UsageError, match="is no folder of migrations"):
            read(folder)


def test_what_a_journal_names_and_is_not_there(tmp_path: Path) -> None:
    journal(tmp_path, "0000_a", "0001_b")
    (tmp_path / "0001_b.sql").unlink()
    with pytest.raises(Refused, match=r"names 0001_b\.sql, and there is no such file"):
        read(tmp_path)
    (tmp_path / "0001_b.sql").write_bytes(b"select '\xff';")
    with pytest.raises(Refused, match=r"0001_b\.sql is not UTF-8"):
        read(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"entries": [1]}', '{"entries": [{}]}'])
def test_a_journal_that_is_none(tmp_path: Path, text: str) -> None:
    journal(tmp_path, "0000_a")
    (tmp_path / "meta/_journal.json").write_text(text)
    with pytest.raises(Refused, match=r"_journal\.json can't be read"):
        read(tmp_path)


# --- since ---------------------------------------------------------------------------------------


def test_what_is_new_since_a_tag(root: Path) -> None:
    folder = root / "db/drizzle"
    journal(folder, "0000_a", "0001_b")
    commit(root, "v1")
    journal(folder, "0000_a", "0001_b", "0002_c")
    commit(root)
    journal(folder, "0000_a", "0001_b", "0002_c", "0003_d")
    new, old = new_since(folder, read(folder), "v1")
    # One that is committed and one that is not even tracked.
    assert [one.path for one in new] == ["0002_c.sql", "0003_d.sql"]
    assert [one.path for one in old] == ["0000_a.sql", "0001_b.sql"]
    assert new_since(folder, read(folder), "HEAD")[0] == [new[1]]


def test_one_that_was_edited_is_judged_again(root: Path) -> None:
    journal(root, "0000_a", "0001_b")
    commit(root, "v1")
    (root / "0000_a.sql").write_text("drop table a;")
    new, old = new_since(root, read(root), "v1")
    assert ([one.path for one in new], [one.path for one in old]) == (
        ["0000_a.sql"],
        ["0001_b.sql"],
    )


def test_a_commit_from_before_the_folder(root: Path) -> None:
    commit(root, "v0")
    folders(root / "drizzle", "20260101000000_a")
    commit(root)
    new, old = new_since(root / "drizzle", read(root / "drizzle"), "v0")
    assert (len(new), old) == (1, [])


@pytest.mark.parametrize("revision", ["v9", "--output=x", "", "HEAD~7"])
def test_no_such_commit(root: Path, revision: str) -> None:
    journal(root, "0000_a")
    commit(root, "v1")
    with pytest.raises(UsageError, match="git knows no commit") as caught:
        new_since(root, read(root), revision)
    assert "git fetch --tags --unshallow" in caught.value.mend
    assert not (root / "x").exists()

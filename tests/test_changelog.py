"""What came with a release, from a real repository; and what is said where that is not known."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy import git
from deploy.changelog import Change, make, read

NOBODY = git.Commit("", "", "")


@dataclass
class Checkout:
    folder: Path

    def git(self, *words: str, author: str = "Ana", binary: bytes = b"", when: str = "") -> str:
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{
                f"GIT_{who}_{what}": f"{author}"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME",)
            },
            **({"GIT_COMMITTER_DATE": when} if when else {}),
            **{f"GIT_{who}_EMAIL": "a@example.org" for who in ("AUTHOR", "COMMITTER")},
        }
        done = subprocess.run(
            ["git", "-C", str(self.folder), *words],
            env=environ,
            input=binary,
            capture_output=True,
            check=True,
        )
        return done.stdout.decode().strip()

    def commit(self, message: str | bytes, author: str = "Ana") -> git.Commit:
        raw = message if isinstance(message, bytes) else message.encode()
        self.git("commit", "-q", "--allow-empty", "-F", "-", author=author, binary=raw)
        found = git.commit(self.folder)
        assert found
        return found


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    one = Checkout(tmp_path / "shop")
    one.folder.mkdir()
    one.git("init", "-q", "-b", "main")
    return one


def test_from_one_release_to_the_next(checkout: Checkout) -> None:
    old = checkout.commit("First")
    one = checkout.commit("Coupons (#212)\n\nBody\x01 text\n", "Bo")
    two = checkout.commit("Fix a typo")
    found = read(checkout.folder, two, old.sha, first=False)
    assert found.changes == (
        Change(two.sha, "Ana", "Fix a typo"),
        Change(one.sha, "Bo", "Coupons", "212"),
    )
    assert (found.authors, found.lacking, found.taken_back) == (("Ana", "Bo"), "", ())


def test_a_merge_stands_for_its_commits_and_they_for_their_authors(checkout: Checkout) -> None:
    old = checkout.commit("First")
    checkout.git("switch", "-q", "-c", "feature")
    checkout.commit("wip", "Cy")
    checkout.git("switch", "-q", "main")
    message = "Merge pull request #7 from acme/feature\n\nOrders can be exported\n"
    checkout.git("merge", "-q", "--no-ff", "-m", message, "feature")
    new = git.commit(checkout.folder)
    assert new
    found = read(checkout.folder, new, old.sha, first=False)
    assert [(one.subject, one.pull) for one in found.changes] == [("Orders can be exported", "7")]
    assert found.authors == ("Cy",)


def test_back_again(checkout: Checkout) -> None:
    old, new = checkout.commit("First"), checkout.commit("Second")
    found = read(checkout.folder, old, new.sha, first=False)
    assert (found.changes, [one.subject for one in found.taken_back]) == ((), ["Second"])


def test_from_one_branch_to_another(checkout: Checkout) -> None:
    checkout.commit("First")
    checkout.git("switch", "-q", "-c", "other")
    left = checkout.commit("Left")
    checkout.git("switch", "-q", "main")
    right = checkout.commit("Right")
    found = read(checkout.folder, right, left.sha, first=False)
    assert [one.subject for one in found.changes] == ["Right"]
    assert [one.subject for one in found.taken_back] == ["Left"]


def test_subjects_that_are_not_utf8_or_not_one_line(checkout: Checkout) -> None:
    old = checkout.commit("First")
    checkout.git("config", "i18n.commitEncoding", "UTF-8")
    new = checkout.commit(b"caf\xe9 \x1b[31mred", "Bo")
    found = read(checkout.folder, new, old.sha, first=False)
    assert len(found.changes) == 1
    assert "caf" in found.changes[0].subject


def test_a_shallow_checkout(checkout: Checkout, tmp_path: Path) -> None:
    old, new = checkout.commit("First"), checkout.commit("Second", "Bo")
    subprocess.run(
        ["git", "clone", "-q", "--depth", "1", f"file://{checkout.folder}", str(tmp_path / "one")],
        check=True,
    )
    found = read(tmp_path / "one", new, old.sha, first=False)
    assert found.lacking == (
        f"the checkout has not got {old.sha[:7]} and {new.sha[:7]} (a shallow one? fetch-depth: 0)"
    )
    assert [one.subject for one in found.changes] == ["Second"]
    assert found.authors == ("Bo",)


def test_without_a_checkout(tmp_path: Path) -> None:
    found = read(tmp_path, git.Commit("b" * 40, "", ""), "a" * 40, first=False)
    assert found.lacking == "there is no checkout here to read the commits from"
    assert (found.before, found.after, found.changes) == ("a" * 40, "b" * 40, ())


def test_what_is_not_known(tmp_path: Path) -> None:
    assert read(tmp_path, NOBODY, "a" * 40, first=False).lacking == (
        "the image does not say its commit, nor does its tag"
    )
    own = git.Commit("b" * 40, "Bo", "Second (#3)")
    found = read(tmp_path, own, "", first=False)
    assert found.lacking == "the release before does not say its commit"
    assert found.changes == (Change("b" * 40, "Bo", "Second", "3"),)


def test_nothing_is_lacking_at_first_or_where_it_is_the_same(tmp_path: Path) -> None:
    own = git.Commit("b" * 40, "Bo", "Second")
    assert read(tmp_path, own, "", first=True).lacking == ""
    assert read(tmp_path, own, own.sha, first=False).lacking == ""


@pytest.mark.parametrize("evil", ["--output=stolen", "main", "HEAD", "a..b", "a" * 6, "A" * 40])
def test_only_hashes_get_to_git(checkout: Checkout, evil: str) -> None:
    new = checkout.commit("First")
    assert git.between(checkout.folder, evil, new.sha) is None
    assert git.between(checkout.folder, new.sha, evil) is None
    assert git.authors(checkout.folder, evil, new.sha) == []


def test_when_commits_were_made(checkout: Checkout, tmp_path: Path) -> None:
    def at(minute: int, message: str) -> str:
        checkout.git("commit", "-q", "--allow-empty", "-m", message, when=f"@{minute * 60} +0000")
        found = git.commit(checkout.folder)
        assert found
        return found.sha

    old = at(1, "First")
    checkout.git("switch", "-q", "-c", "other")
    at(2, "On a branch")
    checkout.git("switch", "-q", "main")
    at(3, "On main")
    checkout.git("merge", "-q", "--no-ff", "-m", "Merge it", "other", when="@240 +0000")
    new = git.commit(checkout.folder)
    assert new
    assert sorted(git.committed(checkout.folder, old, new.sha)) == [120, 180]
    assert git.committed(checkout.folder, "", old) == [60]
    assert git.committed(checkout.folder, new.sha, old) == []
    assert git.committed(checkout.folder, "a" * 40, old) == []
    assert git.committed(checkout.folder, "", "--all") == []
    assert git.committed(checkout.folder, "--all", old) == []
    assert git.committed(tmp_path, "", old) == []


def test_what_decides_is_pure() -> None:
    commit = git.Commit("b" * 40, "Bo", "Second")
    found = make(
        commit, "a" * 40, first=False, forward=[commit], back=[], authors=["Bo"], checkout=True
    )
    assert (found.changes, found.lacking) == ((Change("b" * 40, "Bo", "Second"),), "")

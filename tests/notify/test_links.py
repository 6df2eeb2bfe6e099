"""Addresses of commits and comparisons, from however a repository's is written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.notify.choose import links
from deploy.notify.links import Links, page_of

from ..views import hostile
from .told import environment

PAGE = "https://github.com/acme/shop"
A, B = "a" * 40, "b" * 7


@pytest.mark.parametrize(
    "remote",
    [
        "git@github.com:acme/shop.git",
        "github.com:acme/shop",
        "ssh://git@github.com:22/acme/shop.git",
        "https://github.com/acme/shop.git",
        "https://github.com/acme/shop/",
        "https://x-access-token:ghs_hunter2@github.com/acme/shop",
        "git://github.com/acme/shop.git\n",
    ],
)
def test_the_page_of_a_repository(remote: str) -> None:
    assert page_of(remote) == PAGE


@pytest.mark.parametrize(
    "remote",
    [
        "",
        "/srv/git/shop.git",
        "../shop",
        "file:///srv/shop",
        "C:\\shop",
        "host:",
        "https://[",
        "a b",
    ],
)
def test_what_has_no_page(remote: str) -> None:
    assert page_of(remote) == ""


@given(remote=st.one_of(hostile.text, hostile.text.map(lambda text: f"https://a.example/{text}")))
def test_a_page_is_an_address_or_nothing(remote: str) -> None:
    found = page_of(remote.replace("\ud800", ""))
    assert found == "" or found.isascii()
    assert not set("<>|\"' \n") & set(found)


def test_links() -> None:
    one = Links(PAGE)
    assert one.commit(A) == f"{PAGE}/commit/{A}"
    assert one.compare(A, B) == f"{PAGE}/compare/{A}...{B}"
    assert one.pull("12") == f"{PAGE}/pull/12"
    assert one.compare(A, A) == one.compare("", A) == one.compare(A, "main") == ""
    assert one.commit("../x") == one.pull("1/x") == ""
    assert Links().commit(A) == Links().compare(A, B) == Links().pull("1") == ""


def test_where_they_come_from(tmp_path: Path) -> None:
    actions = {
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "acme/shop",
        "GITHUB_RUN_ID": "7",
    }
    bare = environment(tmp_path, "rollback: 'https://a.example/rollback'")
    assert links(bare, {}) == Links("", "", "https://a.example/rollback", "")
    assert links(bare, actions).repository == PAGE
    assert links(bare, actions).run == f"{PAGE}/actions/runs/7"
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    add = ["git", "-C", str(tmp_path), "remote", "add", "origin", "git@git.example:team/shop.git"]
    subprocess.run(add, check=True)
    assert links(bare, {}).repository == "https://git.example/team/shop"
    written = environment(tmp_path, "repository: 'https://b.example/x'")
    assert links(written, actions).repository == "https://b.example/x"

"""The shell of backups as it is sent: whole, clean, and far from the limit of one argument."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.database.access import Access, by_url, in_container
from deploy.database.backup.backups import Backups
from deploy.remote.fake import FakeHost, says
from deploy.remote.ssh import MAX_COMMAND
from deploy.settings.secret import Secret

PACKAGE = Path(__file__).resolve().parents[2] / "deploy"
CALLS = [
    "survey",
    "shelf",
    "backup zstd:3",
    "foreign a b",
    "verify",
    "record",
    "encrypted key",
    "sent a b c d",
    "restore 1",
    "swap a b",
    "discard a",
]


def accesses() -> dict[str, Access]:
    host = FakeHost("db-1", lambda _call: says("170012\n"))
    url = Secret("DATABASE_URL", "postgres://a:hunter2@h/x")
    return {
        "container": in_container(host, "c"),
        "url": by_url(host, url),
    }


def whole(access: Access) -> str:
    """The text with all parts, as one call of it is sent."""
    sent: list[Sequence[str]] = []

    class Keeps(FakeHost):
        def exec(self, argv: Sequence[str], **rest: Any) -> Any:
            sent.append(argv)
            return super().exec(argv, **rest)

    scripts = Backups(access, "/srv/shop").scripts(
        "backup/copies", "backup/restore", fresh="f", old="o"
    )
    host = Keeps("db-1", lambda _call: says())
    replace(scripts, host=host).read("shelf", timeout=9)
    return sent[0][2]


@pytest.mark.parametrize("kind", ["container", "url"])
def test_the_whole_fits_into_one_argument_and_holds_no_secret(kind: str) -> None:
    text = whole(accesses()[kind])
    assert len(shlex.quote(text).encode()) < MAX_COMMAND // 2
    assert "hunter2" not in text
    assert text.endswith("\nshelf\n")
    assert ("major=17\n" in text) == (kind == "url")


@pytest.mark.parametrize("kind", ["container", "url"])
def test_shellcheck_finds_nothing_in_the_whole(kind: str, tmp_path: Path) -> None:
    """With every rule: each name is assigned, and each function can be reached."""
    text = whole(accesses()[kind]).removesuffix("shelf\n")
    file = tmp_path / "whole.sh"
    calls = "".join(f"begin\n{call}\nfinish $?\n" for call in CALLS)
    file.write_text(f"#!/bin/sh\n{text}{calls}")
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("shellcheck")), "--norc", "-s", "sh"),
            # lib.sh reads more settings than a backup has, and what follows finish is not reached;
            # the directives of single lines are comments, which are not sent.
            *("-e", "SC2154,SC2034,SC2317,SC2329,SC2016,SC2086", str(file)),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0


NEEDED = ("backups", "name", "facts_sql", "order", "remove", "limit", "lock", "lock_wait", "dir")


@pytest.mark.parametrize("name", NEEDED)
def test_what_the_parts_read_is_set(name: str) -> None:
    text = whole(accesses()["container"])
    head = text.split("set -u\n", 1)[0]
    assert f"{name}=" in head

"""`inv cdn`: by hand, what a deploy does at its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..stand_in import nobody, says, stand_in
from .repository import HOSTS_FILE, Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    one = Repository(tmp_path / "acme")
    one.environ["CDN_TOKEN"] = "correct-horse-battery"
    return one


def with_cdn(repository: Repository, url: str) -> None:
    inner = f"{{zone: a1, token: CDN_TOKEN, purge: {{tags: [html]}}, api: '{url}'}}"
    text = HOSTS_FILE.format(port=9)
    repository.environment("staging", f"{text}cdn: {{cloudflare: {inner}}}\n")


def test_it_purges(repository: Repository) -> None:
    with stand_in(says({"success": True})) as server:
        with_cdn(repository, server.url)
        done = repository.inv("cdn.staging")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "Purged:\n  cloudflare: tag html\n"
    assert [seen.json for seen in server.seen] == [{"tags": ["html"]}]


def test_it_says_what_it_could_not_do(repository: Repository) -> None:
    said = {"success": False, "errors": [{"code": 1, "message": "correct-horse-battery\x1b[2J"}]}
    with stand_in(says(said)) as server:
        with_cdn(repository, server.url)
        done = repository.inv("cdn.staging")
    assert done.returncode == 5
    assert done.stderr == (
        "cloudflare was not purged: ******** (1)\n"
        "The site itself is as it was.\ninv cdn.staging\nexit 5\n"
    )


def test_nobody_there(repository: Repository) -> None:
    with_cdn(repository, nobody())
    done = repository.inv("cdn.staging")
    assert done.returncode == 5
    assert "cannot be reached: ConnectionError (3 times)" in done.stderr


def test_no_cdn_at_all(repository: Repository) -> None:
    repository.environment("staging")
    done = repository.inv("cdn.staging")
    assert done.returncode == 2
    assert "hosts/staging.yaml names no CDN" in done.stderr

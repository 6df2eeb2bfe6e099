"""`inv smoke.ENVIRONMENT` as somebody types it, before a real site."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ..smoke.site import Site, says
from .repository import HOSTS_FILE, Repository

SMOKE = """\
url: http://127.0.0.1:{port}
smoke:
  retries: 0
  probes:
    home: {{kind: home, expect: {{text: Shop}}}}
    login: {{kind: login, json: {{password: "${{SMOKE_PASSWORD}}"}}, expect: {{json: {{user: a}}}}}}
"""
PASSWORD = "correct-horse-battery"


@pytest.fixture
def site() -> Iterator[Site]:
    one = Site({"/": says(200, "<h1>Shop</h1>"), "/api/login": says(200, {"user": "a"})})
    yield one
    one.close()


@pytest.fixture
def repository(tmp_path: Path, site: Site) -> Repository:
    made = Repository(tmp_path / "acme")
    made.environ["SMOKE_PASSWORD"] = PASSWORD
    write(made, site)
    return made


def write(repository: Repository, site: Site, more: str = "", name: str = "staging") -> None:
    # Port 9: no host can be reached, and the site is asked all the same.
    text = HOSTS_FILE.format(port=9) + SMOKE.format(port=site.port) + more
    repository.environment(name, text)


def test_all_well(repository: Repository, site: Site) -> None:
    done = repository.inv("smoke.staging")
    assert done.returncode == 0, done.stderr
    assert "  home: passed in " in done.stdout
    assert "  login: passed in " in done.stdout
    assert done.stdout.endswith("2 passed\n")
    assert json.loads(next(one.body for one in site.asked if one.body)) == {"password": PASSWORD}


def test_a_broken_login(repository: Repository, site: Site) -> None:
    site.routes["/api/login"] = says(500, {"error": f"no {PASSWORD}"})
    done = repository.inv("smoke.staging", "--junit", "report.xml")
    assert done.returncode == 5, done.stdout
    assert "  login: failed, answered 500, expected 2xx; has no user" in done.stdout
    assert done.stdout.endswith("1 passed, 1 failed\n")
    root = ElementTree.parse(repository.folder / "report.xml").getroot()  # noqa: S314 - our own
    assert [root.get("tests"), root.get("failures")] == ["2", "1"]


def test_json_and_no_secret_in_it(repository: Repository, site: Site) -> None:
    site.routes["/api/login"] = says(200, {"user": PASSWORD})
    done = repository.inv("smoke.staging", "--json", "--junit", "report.xml")
    assert done.returncode == 5
    found = json.loads(done.stdout)
    assert [one["outcome"] for one in found["results"]] == ["passed", "failed"]
    assert "expected" in found["results"][1]["reason"]
    assert PASSWORD not in done.stdout + done.stderr
    assert PASSWORD not in (repository.folder / "report.xml").read_text()


@pytest.mark.parametrize(("name", "code"), [("staging", 3), ("production", 5)])
def test_what_could_not_be_tried(repository: Repository, site: Site, name: str, code: int) -> None:
    write(repository, site, "    health: {kind: health}\n", name)
    done = repository.inv(f"smoke.{name}")
    assert done.returncode == code, done.stdout
    assert "  health on web-1: inconclusive, web-1: " in done.stdout
    assert done.stdout.endswith("2 passed, 1 inconclusive\n")


def test_what_makes_no_sense(repository: Repository, site: Site) -> None:
    done = repository.inv("smoke.staging", "--host", "web-9")
    assert done.returncode == 2
    assert "web-9 has no proxy that could be asked" in done.stderr
    assert "web-1" in done.stderr
    done = repository.inv("smoke.staging", "--junit", "no/such/folder.xml")
    assert done.returncode == 2
    assert "can't be written" in done.stderr
    repository.environment("bare")
    done = repository.inv("smoke.bare")
    assert done.returncode == 2
    assert "bare has no smoke tests" in done.stderr
    assert len(site.asked) <= 2

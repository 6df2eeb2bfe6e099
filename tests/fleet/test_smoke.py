"""Smoke tests on the fleet: a broken login is found, and everything goes back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.fleet.conftest import Loads, no_failure
from tests.fleet.project import ROOT, WEB, Project, settled


@pytest.fixture
def tested(settings_of_shop: Project) -> Iterator[Project]:
    """The shop with the smoke tests that it brings."""
    shop = settings_of_shop
    folder = shop.folder / "hosts"
    shutil.copy(ROOT / "hosts" / "smoke.yaml", folder)
    shutil.copytree(ROOT / "journeys", shop.folder / "journeys", dirs_exist_ok=True)
    yield shop
    (folder / "smoke.yaml").unlink()


def test_a_deploy_that_works(tested: Project, release, load: Loads) -> None:
    tested.on(release("v1"))
    tested.change(smoke="smoke.yaml")
    with load() as traffic:
        done = tested.deploy(release("v2"))
    assert done.exit_code == 0, done.text
    smoke = [line for _, line in done.lines if line.startswith("  ✓") and "smoke" in line]
    assert len(smoke) == 2, done.text
    # home, login, health, version and the journey through the first host; then home, login and the
    # journey on the site, and the others on each web host.
    assert "5 passed" in smoke[0]
    assert f"{3 + 2 * len(WEB)} passed" in smoke[1]
    no_failure(traffic)

    asked = tested.inv("smoke", "--json", "--junit", "report.xml")
    assert asked.exit_code == 0, asked.text
    results = json.loads(asked.text)["results"]
    assert {one["host"] for one in results if one["name"] == "version"} == set(WEB)
    assert {one["host"] for one in results if one["name"] == "login"} == {""}
    assert (tested.folder / "report.xml").exists()

    alone = tested.inv("smoke", "--host", "web-2")
    assert alone.exit_code == 0, alone.text
    assert "login on web-2: passed" in alone.text
    assert "order on web-2: passed" in alone.text

    back = tested.inv("rollback")
    assert back.exit_code == 0, back.text
    assert [line for _, line in back.lines if line.startswith("  ✓ smoke")], back.text
    assert set(tested.tags().values()) == {"v1"}


@pytest.mark.thorough  # test_all_on.py asks for this beside all else
def test_a_broken_login_is_found_on_the_first_host(tested: Project, release, load: Loads) -> None:
    bad = release("bad-no-login", "no-login")
    tested.on(release("v1"))
    tested.change(smoke="smoke.yaml")
    with load() as traffic:
        done = tested.deploy(bad)
    assert done.exit_code == 4, done.text
    (failed,) = (line for _, line in done.lines if line.startswith("✗ web-1"))
    assert "login on web-1: failed on try 3, answered 500, expected 2xx" in failed
    assert not [line for _, line in done.lines if line.startswith("✗ web-2")]
    no_failure(traffic)
    assert set(tested.tags().values()) == {"v1"}
    for host in WEB:
        settled(host, "/srv/shop", "web")


@pytest.mark.thorough  # its halves are in tests/smoke/test_smoke.py and in test_reverts.py
def test_a_login_that_is_broken_on_a_later_host_is_not_the_sites(tested: Project, release) -> None:
    """What is asked of every host finds it; the others are put back with it."""
    bad = release("bad-no-login-2", "no-login,bad-on=web-2")
    tested.on(release("v1"))
    probe = {
        "kind": "login",
        "per_host": True,
        "json": {"email": "demo@shop.example", "password": "demo"},
    }
    tested.change(smoke={"probes": {"login": probe}})
    done = tested.deploy(bad)
    assert done.exit_code == 4, done.text
    assert "login on web-2: failed on try 3, answered 500, expected 2xx" in done.text
    assert set(tested.tags().values()) == {"v1"}
    for host in WEB:
        settled(host, "/srv/shop", "web")


HANGS = """\
def journey(page, site):
    page.goto("/slow?ms=25000")
"""


def test_a_page_that_hangs_is_put_back(tested: Project, release, load: Loads) -> None:
    tested.on(release("v1"))
    hangs = {"path": "/slow?ms=25000"}
    tested.change(smoke={"timeout": "2s", "probes": {"reports": hangs}})
    with load() as traffic:
        done = tested.deploy(release("v2"))
    assert done.exit_code == 4, done.text
    (failed,) = (line for _, line in done.lines if line.startswith("✗ web-1"))
    assert "reports on web-1: failed, no whole answer within 2 s" in failed
    assert not [line for _, line in done.lines if line.startswith("✗ web-2")]
    no_failure(traffic)
    assert set(tested.tags().values()) == {"v1"}

    journeys = tested.folder / "hanging"
    journeys.mkdir()
    (journeys / "reports.py").write_text(HANGS)
    home = {"timeout": "10s", "probes": {"home": {"kind": "home"}}}
    tested.change(smoke={**home, "journeys": "../hanging", "journey_timeout": "10s"})
    asked = tested.inv("smoke")
    assert asked.exit_code == 5, asked.text
    assert "reports: failed, " in asked.text
    assert "Timeout 5000ms exceeded" in asked.text

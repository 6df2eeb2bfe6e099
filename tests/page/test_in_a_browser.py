"""The page in a real Chromium: axe finds nothing, nothing is wider than the screen or fetched."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import sync_playwright

from deploy.page import report
from deploy.smoke.browser import system_browser

from ..browser import NEEDED
from .histories import years
from .stories import endings, many, migrated

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = NEEDED

AXE = Path(__file__).parent / "axe"
PAGES = {name: report(endings()[name]) for name in ("success", "reverted", "died")} | {
    "migrated": report(migrated()),
    "history": years(),
    "no history": years(0),
}


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its source as the lock file pins it, from the npm registry or npm's own cache."""
    assert shutil.which("npm"), "these tests need Node with npm"
    place = tmp_path_factory.mktemp("axe")
    flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"]
    for file in AXE.glob("*.json"):
        shutil.copy(file, place)
    done = subprocess.run(
        ["npm", "ci", *flags], cwd=place, capture_output=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return (place / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = system_browser(os.environ)
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Opens a page, which must ask for nothing else."""
    contexts = []

    def open_(text: str, scheme: str, width: int) -> Page:
        file = tmp_path / "page.html"
        file.write_text(text)
        # Scripts are the test's own: the page forbids them.
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]
            bypass_csp=True,
        )
        contexts.append(context)
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.url))
        page.goto(file.as_uri())
        assert [one for one in asked if not one.startswith("data:")] == [file.as_uri()]
        return page

    yield open_
    for context in contexts:
        context.close()


def fits(page: Page, width: int) -> None:
    for state in ("as it opens", "all unfolded"):
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide == width, f"{state}: {wide} px on a screen of {width}"
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")


def pictured(page: Page, width: int, name: str, place: Path) -> None:
    """Leave a picture of the whole page, for who wants to see it; it is as wide as the screen."""
    file = Path(os.environ.get("SCREENSHOTS") or place) / f"{name}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=file, full_page=True)
    assert int.from_bytes(file.read_bytes()[16:20], "big") == width


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_reads_well(
    opened: Callable[..., Page], axe: str, tmp_path: Path, name: str, scheme: str, width: int
) -> None:
    page = opened(PAGES[name], scheme, width)
    pictured(page, width, f"{name.replace(' ', '-')}-{scheme}-{width}", tmp_path)
    fits(page, width)
    assert page.evaluate("[...document.images].filter(one => !one.naturalWidth).length") == 0
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate("axe.run(document)")
    assert [_told(one) for one in found["violations"]] == []
    assert len(found["passes"]) > 10


LABELS = """() => [...document.querySelectorAll('svg svg text')].map(one => {
    const label = one.getBoundingClientRect(), bar = one.parentElement.getBoundingClientRect();
    return [one.textContent, label.width, bar.right - label.left];
}).filter(one => one[1] > 0)"""


@pytest.mark.parametrize("width", [360, 700, 1280])
def test_no_label_is_cut_off(opened: Callable[..., Page], width: int) -> None:
    found = opened(PAGES["reverted"], "light", width).evaluate(LABELS)
    assert found
    assert [one for one in found if one[1] > one[2]] == []


@pytest.mark.parametrize("width", [360, 1280])
def test_forty_hosts_fit(opened: Callable[..., Page], width: int) -> None:
    page = opened(report(many()), "light", width)
    fits(page, width)
    assert page.locator("svg svg").count() == 40 * 8


def _told(violation: dict[str, Any]) -> str:
    where = violation["nodes"][0]
    return f"{violation['id']}: {where['html'][:200]}: {where['failureSummary']}"


def test_what_it_forbids_does_not_run(browser: Browser, tmp_path: Path) -> None:
    """Had anything come through all the same, the browser would not do it."""
    file = tmp_path / "report.html"
    injected = "<script>document.title = 'ran'</script><img src='https://example.org/x.png'>"
    file.write_text(PAGES["success"].replace("<main>", f"<main>{injected}"))
    page = browser.new_page()
    refused: list[str] = []
    page.on("console", lambda one: refused.append(one.text))
    page.goto(file.as_uri())
    assert page.title() != "ran"
    assert len([one for one in refused if "Content Security Policy" in one]) >= 2, refused
    page.close()

"""Journeys in a real Chromium, over real pages: they pass, fail, hang, and leave no process."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy.lease.words import Claim
from deploy.page import report
from deploy.phases import subject_of
from deploy.redaction.redactor import Redactor
from deploy.settings import load
from deploy.smoke import journeys, tree
from deploy.smoke.result import Outcome, Result
from deploy.smoke.smoke import smoke
from deploy.story.codec import packed, unpacked
from deploy.story.recorder import Recorder

from ..browser import NEEDED
from ..remote.sshd import eventually, free_port
from ..story.made import events
from .site import Handler, says
from .world import situation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .conftest import MakeSite

pytestmark = NEEDED

PAGE = """<!doctype html><title>Shop</title><h1>Shop</h1><p id="host"></p>
<form method="post" action="/login"><label>Password <input name="p" type="password"></label>
<button>Sign in</button></form>
<script>document.getElementById("host").textContent = location.host;
console.error("a script is unhappy");</script>"""
SECRET = "hunter2-and-more"
PASSES = """\
def journey(page, site):
    page.goto("/")
    assert page.title() == "Shop"
    assert page.locator("#host").text_content() == site.url.partition("://")[2]
"""
FAILS = """\
from playwright.sync_api import expect

def journey(page, site):
    page.goto("/")
    page.get_by_label("Password").fill(site.secret("SMOKE_PASSWORD"))
    page.get_by_role("button").click()
    print("signed in with", site.secret("SMOKE_PASSWORD"))
    expect(page.get_by_role("heading"), "signed in").to_have_text("Your orders", timeout=1000)
"""


@pytest.fixture
def walk(tmp_path: Path, make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a journey, given as text, on a site whose host is the site as well."""
    monkeypatch.setenv("SMOKE_PASSWORD", SECRET)

    def one(
        text: str,
        routes: dict[str, Callable[[Handler], None]] | None = None,
        *,
        only: str = "",
        url: str = "",
        **settings: Any,
    ) -> Result:
        site = make_site({"/": says(200, PAGE), "/login": says(200, PAGE)} | (routes or {}))
        folder = tmp_path / "journeys"
        folder.mkdir()
        (folder / "order.py").write_text(text)
        body = {"journeys": "../journeys", "secrets": ["SMOKE_PASSWORD"], **settings}
        made = situation(tmp_path, body, site.port, {"web-1": site.port})
        if url:
            file = tmp_path / "hosts" / "staging.yaml"
            file.write_text(file.read_text().replace(f"http://127.0.0.1:{site.port}", url))
            made.environment = load(tmp_path, "staging", os.environ)
        one.site, one.made = site, made  # type: ignore[attr-defined]
        (result,) = smoke(subject_of(made), {}, only).results
        return result

    monkeypatch.setattr("tests.smoke.world.ENVIRON", {"SMOKE_PASSWORD": SECRET})
    return one


def test_a_journey_that_passes(walk: Any, tmp_path: Path) -> None:
    result = walk(PASSES)
    assert str(result).startswith("order: passed in "), result
    assert result.kept == ()
    assert not (tmp_path / ".smoke").exists()
    (request,) = (one for one in walk.site.asked if one.path == "/")
    assert request.headers["X-Smoke-Test"].startswith("d-")


def test_a_host_is_walked_under_the_sites_own_name(walk: Any) -> None:
    result = walk(PASSES, url="http://shop.example", only="web-1")
    assert (result.outcome, result.host) == (Outcome.PASSED, "web-1"), result
    assert walk.site.asked[0].headers["Host"] == "shop.example"


def test_a_site_with_a_bare_address_is_walked_on_a_host_too(walk: Any) -> None:
    result = walk(PASSES, url=f"http://127.0.0.1:{free_port()}", only="web-1")
    assert result.outcome is Outcome.PASSED, result


def test_tls_that_ends_before_the_hosts(walk: Any) -> None:
    """The page has its real address and a secure context, though the host speaks none."""
    text = PASSES + "    assert page.evaluate('isSecureContext')\n"
    result = walk(text, url="https://shop.example", only="web-1")
    assert result.outcome is Outcome.PASSED, result
    (request,) = (one for one in walk.site.asked if one.path == "/")
    assert request.headers["X-Forwarded-Proto"] == "https"
    assert request.headers["Host"] == "shop.example"


def test_a_journey_that_fails_and_what_it_leaves(walk: Any, tmp_path: Path) -> None:
    result = walk(FAILS)
    assert result.outcome is Outcome.FAILED
    assert result.reason.startswith("signed in (order.py:8)"), result
    assert "the page's console: a script is unhappy" in result.reason
    kept = {Path(file).name: tmp_path / file for file in result.kept}
    assert set(kept) == {"screenshot.png", "trace.zip", "console.txt", "output.txt"}
    assert kept["screenshot.png"].read_bytes()[:4] == b"\x89PNG"
    assert kept["console.txt"].read_text().startswith("a script is unhappy")
    assert kept["output.txt"].read_text() == "signed in with ********\n"
    assert (tmp_path / ".smoke" / ".gitignore").read_text() == "*\n"
    with zipfile.ZipFile(kept["trace.zip"]) as trace:
        texts = [trace.read(name) for name in trace.namelist()]
    assert any(b"Sign in" in text for text in texts)
    assert not any(SECRET.encode() in text for text in texts)


def test_its_screenshot_is_on_the_page_of_the_run(walk: Any, tmp_path: Path) -> None:
    """From the browser by the folder, the recorder and what is kept of a run."""
    result = walk(FAILS)
    recorder = Recorder(walk.made, None, Redactor([SECRET]))
    walk.made.tested.append(result)
    for event in events():
        recorder(event)
    kept = packed(recorder.story(Claim(events()[0].id, "ana", "deploy v2")))
    page = report(unpacked(kept))
    (file,) = (tmp_path / one for one in result.kept if one.endswith(".png"))
    picture = base64.b64encode(file.read_bytes()).decode()
    assert len(picture) > 1000
    assert f'<img src="data:image/png;base64,{picture}"' in page
    assert "signed in (order.py:8)" in page
    assert SECRET not in page


@pytest.mark.parametrize(
    ("text", "outcome", "reason"),
    [
        ("def journey(page, site):\n    assert 1 == 2\n", "failed", "an assertion failed (order"),
        ("def journey(page, site):\n    {}['x']\n", "failed", "KeyError: 'x' (order.py:2)"),
        ("import nothing_of_the_kind\n", "inconclusive", "the file can't be loaded: ModuleNot"),
        ("def other(): ...\n", "inconclusive", "the file has no function named journey"),
        ("import os\nos._exit(7)\n", "inconclusive", "the browser's process ended with 7: noth"),
    ],
)
def test_what_else_can_be_wrong(walk: Any, text: str, outcome: str, reason: str) -> None:
    result = walk(text)
    assert (str(result.outcome), result.reason[: len(reason)]) == (outcome, reason), result


def test_a_page_that_hangs_is_a_failure_of_the_page(walk: Any) -> None:
    text = "def journey(page, site):\n    page.goto('/slow', timeout=1500)\n"
    result = walk(text, {"/slow": lambda _handler: time.sleep(20)})
    assert result.outcome is Outcome.FAILED
    assert "Timeout 1500ms exceeded" in result.reason


def test_one_that_hangs_has_failed_before_it_is_ended(walk: Any, tmp_path: Path) -> None:
    """With the time that it has by itself, there is some left to show what there was."""
    text = "def journey(page, site):\n    page.goto('/')\n    page.goto('/slow')\n"
    result = walk(text, {"/slow": lambda _handler: time.sleep(30)}, journey_timeout="16s")
    assert result.outcome is Outcome.FAILED
    assert "Timeout 8000ms exceeded" in result.reason
    kept = {Path(file).name: tmp_path / file for file in result.kept}
    assert set(kept) == {"screenshot.png", "trace.zip", "console.txt"}
    assert kept["screenshot.png"].read_bytes()[:4] == b"\x89PNG"
    assert kept["console.txt"].read_text().startswith("a script is unhappy\n")
    with zipfile.ZipFile(kept["trace.zip"]) as trace:
        assert any(b"/slow" in trace.read(name) for name in trace.namelist())


def test_what_the_page_said_before_it_was_ended_is_kept(walk: Any, tmp_path: Path) -> None:
    result = walk(BUSY, journey_timeout="8s")
    assert result.reason == "it did not end within 8 s, and was ended"
    (kept,) = result.kept
    assert Path(kept).name == "console.txt"
    assert (tmp_path / kept).read_text().startswith("a script is unhappy\n")


@contextlib.contextmanager
def started() -> Iterator[set[int]]:
    """Every process that is begun below this one while the block runs."""
    before, found, over = set(tree.below(os.getpid())), set[int](), threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            found.update(set(tree.below(os.getpid())) - before)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield found
    finally:
        over.set()
        looking.join()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


HANGS = "import time\ndef journey(page, site):\n    page.goto('/')\n    time.sleep(600)\n"
BUSY = "def journey(page, site):\n    page.goto('/')\n    page.evaluate('while (true) {}')\n"


LEAVES = """\
import subprocess, time
def journey(page, site):
    page.goto('/')
    subprocess.run(['sh', '-c', 'setsid sleep 600 &'])
    time.sleep(600)
"""


@pytest.mark.parametrize(
    "text", [HANGS, BUSY, LEAVES], ids=["the journey", "the page", "an orphan that went away"]
)
def test_one_that_does_not_end_is_ended_with_its_browser(walk: Any, text: str) -> None:
    began = time.monotonic()
    with started() as ours:
        result = walk(text, journey_timeout="8s")
    assert time.monotonic() - began < 20
    assert result.outcome is Outcome.FAILED
    assert result.reason == "it did not end within 8 s, and was ended"
    assert walk.site.asked, "the browser had been there"
    assert len(ours) > 5, "this process's Python, Playwright's driver, and Chromium's own"
    assert eventually(lambda: not any(map(alive, ours)))


def test_who_orders_it_is_killed_and_the_browser_ends_as_well(
    tmp_path: Path, make_site: MakeSite
) -> None:
    site = make_site({"/": says(200, PAGE)})
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "order.py").write_text(HANGS)
    situation(tmp_path, {"journeys": "../journeys"}, site.port, {"web-1": site.port})
    code = (
        "import sys; from pathlib import Path; from deploy.settings import load\n"
        "from deploy.redaction.redactor import Redactor\n"
        "from deploy.smoke.journeys import walk; from deploy.smoke.way import Way\n"
        "environment = load(Path(sys.argv[1]), 'staging', {})\n"
        "walk(Path(sys.argv[1], 'journeys/order.py'), Way(environment.url), environment, 'd-1', 60,"
        " Redactor([]))\n"
    )
    environ = os.environ | {"PYTHONPATH": str(Path(tree.__file__).parents[2])}
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=environ)
    try:
        assert eventually(lambda: bool(site.asked), 30), "the browser came"
        ours = tree.below(process.pid)
        assert len(ours) > 3
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert eventually(lambda: not any(map(alive, ours)), 10)


def test_a_browser_is_not_started_for_a_site_that_has_failed(
    tmp_path: Path, make_site: MakeSite
) -> None:
    site = make_site({"/": says(404)})
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "order.py").write_text(PASSES)
    body = {"journeys": "../journeys", "probes": {"home": {"kind": "home"}}}
    made = situation(tmp_path, body, site.port, {"web-1": site.port})
    results = smoke(subject_of(made), {}).results
    assert [str(one) for one in results] == [
        "home: failed, answered 404, expected 2xx",
        "order: inconclusive, not tried, since home failed",
    ]


@pytest.mark.parametrize("missing", ["has_playwright", "own_browser"])
def test_what_is_missing_is_inconclusive_and_said_by_check(
    walk: Any, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(f"deploy.smoke.browser.{missing}", lambda *_: False)
    monkeypatch.setattr("deploy.smoke.browser.system_browser", lambda _: None)
    result = walk(PASSES)
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.reason.startswith("journeys need ")
    assert walk.site.asked == []


def test_what_the_newest_runs_have_left_is_kept(tmp_path: Path) -> None:
    root, left = tmp_path / "shop", tmp_path / "left"
    left.mkdir()
    (left / "console.txt").write_text("a script is unhappy\n")
    own = root / ".smoke" / "mine"
    own.mkdir(parents=True)
    runs = [f"d-202611{day:02}-190400-00ff" for day in range(1, 14)]
    for run in [runs[5], *runs[:5], *runs[6:]]:
        for journey in ("order", "sign_in"):
            kept = journeys._keep(left, root, f"{run}/{journey}", str)
            assert kept == (f".smoke/{run}/{journey}/console.txt",)
    found = {one.name for one in (root / ".smoke").iterdir()}
    assert found == {*runs[-10:], "mine", ".gitignore"}
    assert len(list((root / ".smoke" / runs[-1]).iterdir())) == 2


def test_which_files_are_journeys(tmp_path: Path) -> None:
    for name in ("b.py", "a.py", "_common.py", "notes.txt"):
        (tmp_path / name).write_text("def journey(page, site): ...\n")
    assert [file.name for file in journeys.files(tmp_path)] == ["a.py", "b.py"]
    assert journeys.wrong_with(tmp_path / "a.py") == ""
    (tmp_path / "a.py").write_text("def other(): ...\n")
    assert journeys.wrong_with(tmp_path / "a.py") == "has no function named journey"
    (tmp_path / "a.py").write_text("def (\n")
    assert "can't be read: invalid syntax" in journeys.wrong_with(tmp_path / "a.py")

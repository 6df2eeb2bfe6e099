"""Runs one journey in a browser: `python -m deploy.smoke.browse`, an order on standard input.

It is a process of its own so that it can be ended from outside, whatever the page, the browser or
the journey does. What came of it is in `result.json` in the order's folder. Standard input stays
open as long as somebody wants to know; with its end this ends, and the browser with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.smoke.browser import own_browser, system_browser
from deploy.smoke.result import Outcome
from deploy.smoke.tls import speak_tls
from deploy.smoke.tree import end_below, keep_orphans

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Playwright, Route

_ARGUMENTS = (
    "--disable-background-networking",
    "--disable-dev-shm-usage",  # 64 MB in most containers
    "--disable-gpu",
)
_SLOWEST = 15.0
"""Seconds that one thing on a page may take, if the journey does not say another time.

Half of the journey's own time at most: what hangs has failed while there is time to show it.
"""


@dataclass(frozen=True)
class Order:
    """One journey: `port` is where a tunnel to its one host begins, 0 without; seconds."""

    file: str
    folder: str
    url: str
    name: str
    host: str
    run: str
    port: int
    tls: bool
    seconds: float
    secrets: dict[str, str] = field(repr=False)


@dataclass(frozen=True)
class Site:
    """What a journey is told: the site's address, the one host that is asked, or "", and the run.

    Addresses that begin with / are the site's: `page.goto("/account")`.
    """

    url: str
    host: str
    run: str
    _secrets: dict[str, str] = field(repr=False)

    def secret(self, name: str) -> str:
        """The value of a secret that `smoke.secrets` names.

        Raises:
            KeyError: it names no such one.
        """
        return self._secrets[name]


@dataclass(frozen=True)
class Came:
    """What came of it, for `result.json`."""

    outcome: Outcome
    reason: str = ""


def main() -> None:
    """Do what standard input says."""
    keep_orphans()
    order = Order(**json.loads(sys.stdin.readline()))
    threading.Thread(target=_end_with_our_caller, daemon=True).start()
    came = _came(order)
    result = Path(order.folder) / "result.json"
    result.with_suffix(".new").write_text(json.dumps(asdict(came)))
    result.with_suffix(".new").rename(result)


def _end_with_our_caller() -> None:
    # Not by Python's buffered reader, whose lock would be held while this process ends.
    while os.read(0, 4096):
        pass
    end_below(os.getpid())
    os._exit(1)


def _came(order: Order) -> Came:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        return Came(Outcome.INCONCLUSIVE, f"Playwright is not installed here ({error})")
    sys.path.insert(0, str(Path(order.file).parent))
    try:
        journey = runpy.run_path(order.file)["journey"]
    except KeyError:
        return Came(Outcome.INCONCLUSIVE, "the file has no function named journey")
    except Exception as error:
        return Came(Outcome.INCONCLUSIVE, f"the file can't be loaded: {_first_line(error)}")
    try:
        with sync_playwright() as playwright, _page(order, playwright) as (context, page):
            return _walk(order, journey, context, page)
    except Error as error:
        return Came(Outcome.INCONCLUSIVE, f"the browser does not start: {_first_line(error)}")


@contextlib.contextmanager
def _page(order: Order, playwright: Playwright) -> Iterator[tuple[BrowserContext, Page]]:
    own = own_browser(os.environ)
    arguments = list(_ARGUMENTS)
    if order.port:
        port = order.port
        if order.url.startswith("https:") and not order.tls:
            port = speak_tls(order.name, port)
        arguments.append(f"--host-resolver-rules=MAP {order.name} 127.0.0.1:{port}")
        # A proxy of this machine's environment would be asked for the name instead.
        arguments.append("--no-proxy-server")
    browser = playwright.chromium.launch(
        executable_path=None if own else system_browser(os.environ), args=arguments
    )
    context = browser.new_context(base_url=order.url, ignore_https_errors=bool(order.port))
    headers = {"X-Smoke-Test": order.run}
    if order.port and order.url.startswith("https:") and not order.tls:
        headers["X-Forwarded-Proto"] = "https"

    def marked(route: Route) -> None:
        route.continue_(headers={**route.request.headers, **headers})

    # Not for all requests, as extra headers would be: other sites ask a question first then.
    context.route(f"{order.url}/**", marked)
    context.set_default_timeout(min(_SLOWEST, order.seconds / 2) * 1000)
    context.tracing.start(screenshots=True, snapshots=True)
    try:
        yield context, context.new_page()
    finally:
        browser.close()


def _walk(
    order: Order, journey: Callable[[Page, Site], Any], context: BrowserContext, page: Page
) -> Came:
    folder = Path(order.folder)
    said: list[str] = []

    def note(text: str) -> None:
        said.append(text)
        # At once: a journey that has to be ended can't write it any more.
        with (folder / "console.txt").open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{text}\n")

    context.on("console", lambda one: note(one.text) if one.type == "error" else None)
    context.on("weberror", lambda one: note(str(one.error)))
    context.on("requestfailed", lambda one: note(f"{one.method} {one.url}: {one.failure}"))
    try:
        journey(page, Site(order.url, order.host, order.run, order.secrets))
    except Exception as error:
        with contextlib.suppress(Exception):
            context.tracing.stop(path=folder / "trace.zip")
        with contextlib.suppress(Exception):  # a page that has crashed can't be shown
            # While the next page is awaited, Chromium takes no picture of the one that is there.
            context.new_cdp_session(page).send("Page.stopLoading")
            page.screenshot(path=folder / "screenshot.png", full_page=True, timeout=5000)
        console = f"; the page's console: {said[0].splitlines()[0]}" if said else ""
        return Came(Outcome.FAILED, f"{_first_line(error)}{_line_of(order, error)}{console}")
    return Came(Outcome.PASSED)


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines() or [""]
    name = type(error).__name__
    if isinstance(error, AssertionError):
        return text[0] or "an assertion failed"
    return f"{name}: {text[0]}" if text[0] else name


def _line_of(order: Order, error: Exception) -> str:
    """Where in the journey's own file it was."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == order.file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" ({Path(order.file).name}:{line})" if line else ""


if __name__ == "__main__":
    main()

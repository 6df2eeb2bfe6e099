"""Where a browser for journeys is: Playwright's own, or the system's."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

INSTALL = "pip install 'headway[journeys]'"

_SYSTEM = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
)
"""The names of Debian, of others, and of GitHub's runners, the smallest first."""


def has_playwright() -> bool:
    """Whether the extra is installed; it is not imported."""
    return find_spec("playwright") is not None


def own_browser(environ: Mapping[str, str]) -> bool:
    """Whether `playwright install chromium` was done for this user."""
    folder = environ.get("PLAYWRIGHT_BROWSERS_PATH")
    cache = "Library/Caches" if sys.platform == "darwin" else ".cache"
    root = Path(folder) if folder else Path.home() / cache / "ms-playwright"
    return any(root.glob("chromium*"))


def system_browser(environ: Mapping[str, str]) -> str | None:
    """The path of a Chromium that the system has."""
    path = environ.get("PATH", os.defpath) + ":/usr/bin"
    return next((found for name in _SYSTEM if (found := shutil.which(name, path=path))), None)


def missing(environ: Mapping[str, str]) -> tuple[str, str] | None:
    """What is missing for a journey, and the mend; None: nothing."""
    if not has_playwright():
        return "journeys need Playwright, which is not installed here", INSTALL
    if not own_browser(environ) and not system_browser(environ):
        mend = "apt-get install chromium-headless-shell, or playwright install chromium"
        return "journeys need a Chromium, and there is none here", mend
    return None

"""What tests in a browser need, which not every system has as a package."""

from __future__ import annotations

import os

import pytest

from deploy.smoke.browser import missing

_LACKING = None if os.environ.get("CI") else missing(os.environ)

NEEDED = pytest.mark.skipif(_LACKING is not None, reason=", ".join(_LACKING or ()))
"""Skips tests where a person has no Chromium, as on a new Ubuntu; in CI they fail there."""

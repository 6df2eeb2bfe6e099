"""What a load has seen of the site meanwhile, from the file that it wrote. Pure."""

from __future__ import annotations

import json

from deploy.story.story import Second, Traffic

DAY = 24 * 3600
"""Seconds of a load that are read at most; a picture of more shows nothing."""


def traffic(text: str) -> Traffic:
    """Read a load's report: `started`, in seconds since the epoch, and `timeline`, in seconds.

    Each second of it has `ok` and `failed`, as `inv sandbox.load` writes them; what else there is
    does not matter.

    Raises:
        ValueError: it is none.
    """
    try:
        body = json.loads(text)
        seconds = tuple(Second(int(one["ok"]), int(one["failed"])) for one in body["timeline"])
        began = float(body["started"])
    except (TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ValueError(f"it lacks what a load's report has: {error!r}") from None
    if not 0 < len(seconds) <= DAY or any(min(one.answered, one.failed) < 0 for one in seconds):
        raise ValueError("its timeline is none")
    return Traffic(began, seconds)

"""Durations as people write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.settings import durations


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("1m30s", 90),
        ("1.5m", 90),
        ("2h", 7200),
        ("1h1m1s500ms", 3661.5),
        ("45", 45),
        (45, 45),
        (0, 0),
        (0.25, 0.25),
        ("24h", 86400),
    ],
)
def test_seconds(written: object, seconds: float) -> None:
    assert durations.seconds(written) == seconds


@pytest.mark.parametrize(
    "written",
    ["", " 5s", "5s\n", "5 s", "5sec", "s", "-5s", "+5s", "1d", "nan", "inf", "٣s", "1e3", ".5s",
     -1, -0.5, float("nan"), float("inf"), 86401, "24h1ms", True, False, None, [], {}],
)  # fmt: skip
def test_what_is_no_duration(written: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        durations.seconds(written)


@given(st.text(alphabet="0123456789.hms \n", max_size=12))
def test_the_schema_takes_what_the_code_takes(text: str) -> None:
    try:
        durations.seconds(text)
    except ValueError as error:
        if "from 0 to 24h" in str(error):
            return
        # A regular expression's $ also stands before the last end of line; JSON Schema's does not.
        assert not re.search(durations.PATTERN, text) or text.endswith("\n")
    else:
        assert re.search(durations.PATTERN, text)

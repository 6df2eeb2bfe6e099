"""Sizes as people write them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.settings import sizes


@pytest.mark.parametrize(
    ("written", "count"),
    [
        ("512B", 512),
        ("2kB", 2000),
        ("512MB", 512_000_000),
        ("20 GB", 20_000_000_000),
        ("1.5GB", 1_500_000_000),
        ("1TB", 10**12),
        ("2KiB", 2048),
        ("512MiB", 2**29),
        ("2GiB", 2**31),
        ("45", 45),
        (45, 45),
        (0, 0),
    ],
)
def test_bytes(written: object, count: int) -> None:
    assert sizes.bytes_of(written) == count


@pytest.mark.parametrize(
    "written",
    ["", " 5GB", "5GB\n", "5  GB", "5G", "GB", "-5GB", "5gb", "5KB", "1.5", "nan", "٣GB", ".5GB",
     -1, 1.5, True, False, None, [], {}],
)  # fmt: skip
def test_what_is_no_size(written: object) -> None:
    with pytest.raises(ValueError, match="expected a size such as 512MB, 20GB or 2GiB"):
        sizes.bytes_of(written)


@given(st.text(alphabet="0123456789. kKMGTiB\n", max_size=8))
def test_the_schema_takes_what_the_code_takes(text: str) -> None:
    try:
        sizes.bytes_of(text)
    except ValueError:
        # A regular expression's $ also stands before the last end of line; JSON Schema's does not.
        assert not re.search(sizes.PATTERN, text) or text.endswith("\n")
    else:
        assert re.search(sizes.PATTERN, text)

"""What a runner of Actions is told to mask."""

from __future__ import annotations

import base64
import subprocess
import sys
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from deploy.redaction.masks import masks

from ..views.runner import commands

if TYPE_CHECKING:
    from pathlib import Path

KEY = "-----BEGIN KEY-----\nbase64line0=\n-----END KEY-----"


def masked(values: dict[str, str | None]) -> set[str]:
    found = commands("\n".join(masks(values)))
    assert {one.name for one in found} <= {"add-mask"}
    return {one.data for one in found}


def test_each_value_and_each_of_its_lines() -> None:
    found = masked({"A": "s3cret-value", "B": KEY, "C": "postgres://u:pa%25ss-word@db/shop"})
    assert {"s3cret-value", "base64line0=", "pa%25ss-word", "pa%ss-word"} <= found
    assert base64.b64encode(b"s3cret-value").decode() in found
    assert not any("\n" in one for one in found)


def test_what_is_short_or_empty_masks_nothing() -> None:
    """A runner that masks `x` makes `e***it` of every `exit`."""
    assert masks({"A": "x", "B": "", "C": None}) == []


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_a_mask_is_one_line(value: str) -> None:
    for line in masks({"A": value}):
        assert line.splitlines() == [line]


def test_as_it_is_run(tmp_path: Path) -> None:
    file = tmp_path / "dotenv"
    file.write_text("A='s3cret-value'\nB=plain-$A\n")
    done = subprocess.run(
        [sys.executable, "-m", "deploy.redaction.masks", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "::add-mask::s3cret-value\n" in done.stdout
    assert "::add-mask::plain-$A\n" in done.stdout

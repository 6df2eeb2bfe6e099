"""Each view against the texts in `cases/`; `python -m tests.views.render` writes them anew."""

from __future__ import annotations

import pytest

from .render import GOLDEN, golden

TEXTS = golden()


def test_no_golden_text_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(TEXTS)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_golden(name: str) -> None:
    assert TEXTS[name] == (GOLDEN / name).read_text("utf-8")


@pytest.mark.parametrize("name", sorted(name for name in TEXTS if "-40" in name))
def test_a_narrow_screen_is_never_overrun(name: str) -> None:
    assert max(len(line) for line in TEXTS[name].splitlines()) <= 40

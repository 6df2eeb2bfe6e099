from __future__ import annotations

import re

import pytest
from hypothesis import given

from deploy.events import Outcome, RunEnded, RunStarted, StepFailed, StepSaid
from deploy.views.text import (
    LINE_LIMIT,
    clean,
    duration,
    elapsed,
    fit,
    middle_out,
    one_line,
    pad,
    size,
    tidy,
)

from . import hostile

FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.parametrize(
    ("foreign", "kept"),
    [
        ("plain\ttext\nsecond", "plain\ttext\nsecond"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b[?25lhidden\x1b[?25h", "hidden"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9d0;title\x9cafter", "after"),
        ("\x1bPq#0\x1b\\after", "after"),
        ("\x1b]0;never ended\nafter", "\nafter".strip("\n")),
        ("\x1b(Bcharset\x1b7\x1b8", "charset"),
        ("one\rtwo\r\nthree\x0bfour\x85five\u2028six", "one\ntwo\nthree\nfour\nfive\nsix"),
        ("a\x00b\x07c\x08d\x7fe", "abcde"),
        ("\u202egnp.exe\u2069", "gnp.exe"),
        ("\ud83d", "\ufffd"),
        ("trailing  \n\n\nlast \n\n", "trailing\n\n\nlast"),
        ("\x1b", ""),
    ],
)
def test_clean(foreign: str, kept: str) -> None:
    assert clean(foreign) == kept


@given(hostile.text)
def test_clean_text_moves_nothing(text: str) -> None:
    cleaned = clean(text)
    assert not FORBIDDEN.search(cleaned)
    assert clean(cleaned) == cleaned
    cleaned.encode()


@given(hostile.text)
def test_one_line_is_one(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


def test_one_line_ends_somewhere() -> None:
    assert one_line("x" * 5000) == "x" * (LINE_LIMIT - 1) + "…"


def test_tidy_keeps_lines_only_where_they_are_meant() -> None:
    failed = StepFailed(step="a\nb", host="c\x1b[m", reason="d\ne", detail="f\x07\ng")
    assert tidy(failed) == StepFailed(
        at=failed.at, step="a b", host="c", reason="d e", detail="f\ng"
    )
    ended = RunEnded(
        outcome=Outcome.NOTHING, exit_code=0, seconds=1.0, message="a\nb\x1b[m", next="c\nd"
    )
    tidied = tidy(ended)
    assert (tidied.message, tidied.next) == ("a\nb", "c d")
    assert tidied.outcome is Outcome.NOTHING
    assert tidy(StepSaid(step="", text="a\rb")).text == "a b"


def test_tidy_cleans_the_hosts() -> None:
    run = RunStarted(
        id="1", verb="deploy", app="a", environment="e", before="", after="v1", hosts=("a\x1b[m\n",)
    )
    assert tidy(run).hosts == ("a",)


def test_fit_says_our_signs_in_ascii() -> None:
    assert fit("✓ a → b … 漢", "ascii") == "+ a -> b ... ?"
    assert fit("✓ 漢", "utf-8") == "✓ 漢"
    assert fit("✓ 漢", None) == "✓ 漢"


def test_pad_counts_columns() -> None:
    assert pad("ab", 4) == "ab  "
    assert pad("漢", 4) == "漢  "
    assert pad("abcdef", 4) == "abcdef"


def test_middle_out() -> None:
    lines = [str(number) for number in range(10)]
    assert middle_out(lines, head=2, tail=3) == ["0", "1", "… 5 lines left out …", "7", "8", "9"]
    assert middle_out(lines, head=4, tail=5) == lines
    assert middle_out(lines, head=2, tail=0) == ["0", "1", "… 8 lines left out …"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0.0 s"),
        (0, "0.0 s"),
        (0.01, "0.01 s"),
        (0.0949, "0.09 s"),
        (0.0951, "0.1 s"),
        (14.1, "14.1 s"),
        (59.94, "59.9 s"),
        (59.96, "1 m 0 s"),
        (72.4, "1 m 12 s"),
        (3599.6, "1 h 0 m"),
        (7500, "2 h 5 m"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(-3, "0 s"), (2.9, "2 s"), (59.99, "59 s"), (60, "1 m 0 s")]
)
def test_elapsed(seconds: float, words: str) -> None:
    assert elapsed(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (999.7, "1.0 kB"),
        (9_960, "10 kB"),
        (38_200_000, "38 MB"),
        (1_100_000_000, "1.1 GB"),
        (5e15, "5000 TB"),
    ],
)
def test_size(count: float, words: str) -> None:
    assert size(count) == words

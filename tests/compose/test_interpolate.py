"""Variables in text, by a table; `test_real.py` holds the same table against Compose itself."""

from __future__ import annotations

import pytest

from deploy.compose.interpolate import (
    interpolate,
    missing,
    split,
    unreadable,
    variables,
    whole_variable,
)

from .texts import BAD, ENVIRONMENTS, TEXTS

VALUES = {"A": "1", "EMPTY": "", "B": "two"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$A ${A} $A.b x$A$B", "1 1 1.b x1two"),
        ("$$A $${A} $$$A", "$A ${A} $1"),
        ("a $ b $1 $", "a $ b $1 $"),
        ("$NONE${NONE}.", "."),
        ("${NONE:-d} ${NONE-d} ${EMPTY:-d} ${EMPTY-d} ${A:-d}", "d d d  1"),
        ("${NONE:+o}${EMPTY:+o}${A:+o} ${NONE+o}${EMPTY+o}${A+o}", "o oo"),
        ("${A:?m}${A?m}", "11"),
        ("${NONE:-${EMPTY:-$B}}", "two"),
        ("${NONE:-$$x}", "$x"),
        ("${NONE:-:?x}", ":?x"),
        ('${NONE:-{"a": 1}}', '{"a": 1}'),
        ('${A:-{"a": 1}}', "1"),
        ("${NONE:-}}", "}"),
        ("${_a1:-x}", "x"),
    ],
)
def test_interpolate(text: str, expected: str) -> None:
    assert interpolate(text, VALUES) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain $$A", []),
        ("$A ${B} $A", ["A", "B", "A"]),
        ("${A:-${B:+$C}}", ["A", "B", "C"]),
        ("${A:?$B}", ["A", "B"]),
        ("${A.B}", []),
    ],
)
def test_variables(text: str, expected: list[str]) -> None:
    assert variables(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A ${A:?} ${EMPTY} ${EMPTY?}", []),
        ("$NONE ${NO}", ["NONE", "NO"]),
        ("${EMPTY:?} ${NONE?m}", ["EMPTY", "NONE"]),
        ("${NONE:-d} ${NONE-} ${NONE:+$NO} ${NONE+o}", []),
        ("${A:-$NO}", []),
        ("${NONE:-$NO}", ["NO"]),
        ("${A:+$NO}", ["NO"]),
        # Compose fills the word in even where it is of no use, and stops there.
        ("${A:-${NO:?}} ${NONE:+${NO?}}", ["NO", "NO"]),
        ("${A:-${B:-$NO}}", []),
        ("${A:-${B:-${NO:?}}}", ["NO"]),
        ("${A:?${NO:?}} ${NONE:?$NO}", ["NO", "NONE"]),
    ],
)
def test_missing(text: str, expected: list[str]) -> None:
    assert missing(text, VALUES) == expected


@pytest.mark.parametrize("text", TEXTS)
def test_compose_reads_these(text: str) -> None:
    assert unreadable(text) is None


@pytest.mark.parametrize(("text", "piece"), BAD)
def test_compose_does_not_read_these(text: str, piece: str) -> None:
    assert unreadable(text) == piece


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("values", ENVIRONMENTS)
def test_nothing_is_missing_that_no_variable_names(text: str, values: dict[str, str]) -> None:
    assert set(missing(text, values)) <= set(variables(text)) - {
        name for name, value in values.items() if value
    }


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("${SHOP_IMAGE:?}", "SHOP_IMAGE"),
        ("$A", "A"),
        ("${A:-shop:dev}", "A"),
        ("shop:${TAG}", None),
        ("${A}${B}", None),
        ("$$A", None),
        ("shop", None),
        ("", None),
    ],
)
def test_whole_variable(text: str, name: str | None) -> None:
    assert whole_variable(text) == name


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("./a:/b:ro", ["./a", "/b", "ro"]),
        ("${A:-./a}:/b", ["${A:-./a}", "/b"]),
        ("x${A:-${B:?}}y:$C", ["x${A:-${B:?}}y", "$C"]),
        ("a$$b:c", ["a$$b", "c"]),
        ("a", ["a"]),
        ("", [""]),
        (":", ["", ""]),
    ],
)
def test_split(text: str, pieces: list[str]) -> None:
    assert split(text, ":") == pieces
    assert ":".join(pieces) == text

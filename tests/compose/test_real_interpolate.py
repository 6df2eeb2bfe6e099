"""Variables as Compose itself fills them in: our reading of a text must be its reading."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.compose.interpolate import interpolate, missing, unreadable

from .real import config, plain
from .texts import BAD, ENVIRONMENTS, TEXTS

pytestmark = pytest.mark.fleet

names = st.sampled_from(["A", "B", "C", "_x1"])
operators = st.sampled_from(["", ":-", "-", ":+", "+", ":?", "?"])
letters = st.text(st.sampled_from("ab1 .,:-?+/@é\"'#\\"), max_size=4)


def use(words: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def written(name: str, operator: str, word: str) -> str:
        return f"${{{name}{operator}{word if operator else ''}}}"

    return st.builds(written, names, operators, words)


pieces = st.recursive(
    letters | names.map("${}".format) | st.just("$$"),
    lambda words: st.lists(use(words) | letters, max_size=3).map("".join),
    max_leaves=8,
)
texts = st.lists(pieces | use(pieces), min_size=1, max_size=4).map("".join)
environments = st.dictionaries(names, st.sampled_from(["", "1", "$A", "two words", "}"]))


def asked(folder: Path, some: Sequence[str], values: Mapping[str, str]) -> list[str] | None:
    """What Compose makes of texts, all in one file; None where it refuses them."""
    labels = {f"t{index}": text for index, text in enumerate(some)}
    body = json.dumps({"name": "p", "services": {"x": {"image": "i", "labels": labels}}})
    answer = config(folder, "-f", "-", environ=values, stdin=body)
    if answer.model is None:
        assert "interpolat" in answer.said, answer.said
        return None
    found = answer.services["x"]["labels"]
    return [plain(found[f"t{index}"]) for index in range(len(some))]


@pytest.mark.parametrize("values", ENVIRONMENTS, ids=str)
def test_the_table(tmp_path: Path, values: dict[str, str]) -> None:
    required = [text for text in TEXTS if "?" in text and set(missing(text, values))]
    refusing = [text for text in required if asked(tmp_path, [text], values) is None]
    # All that a text with "?" lacks in the table is what it requires.
    assert refusing == required
    rest = [text for text in TEXTS if text not in required]
    assert asked(tmp_path, rest, values) == [interpolate(text, values) for text in rest]


@pytest.mark.parametrize("text", [text for text, _ in BAD])
def test_what_is_no_variable(tmp_path: Path, text: str) -> None:
    assert asked(tmp_path, [text], {"A": "1", "B": "2"}) is None


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(some=st.lists(texts, min_size=1, max_size=12), values=environments)
def test_any_text(tmp_path: Path, some: list[str], values: dict[str, str]) -> None:
    complete = [text for text in some if not missing(text, values) and unreadable(text) is None]
    if complete:
        assert asked(tmp_path, complete, values) == [interpolate(text, values) for text in complete]
    for text in some:
        if text in complete:
            continue
        answer = asked(tmp_path, [text], values)
        if unreadable(text) is not None:
            assert answer is None, text
        elif answer is not None:  # Compose has put nothing in the place of what is missing
            assert answer == [interpolate(text, values)]
        break  # one in each example is enough: each is a process

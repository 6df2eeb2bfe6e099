"""The page of all runs: what is in it, and that nothing in it is taken for markup."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.views import hostile

from .histories import entry, paged, years
from .test_report import MARKUP, Read


def test_it_has_the_figures_the_weeks_and_every_run() -> None:
    page = Read(years())
    for words in (
        "shop · production",
        "Not asked, as they do not answer: web-2, web-3",
        "deploys 17, 4.0 a week 49, 3.8 a week",
        "lead time 3 h 0 m, of 17 commits",
        "failed 6 of 23, 26% 20 of 69, 29%",
        "recovery 40.0 s, of 3 failures",
        "50 stayed and 20 did not, in 13 weeks",
        "2026-06-28 23:59:20 UTC deploy v1 0000000 ✓ done ada@laptop d-001",
        "↩ reverted: web answers 500",
        "✗ unfinished",
        "Told by Headway",
    ):
        assert words in page.text, words
    assert page.text.count("ada@laptop") == 200
    assert page.leads == ["report-production-d-001.html"]


def test_the_chart_and_its_table_say_the_same() -> None:
    page = years()
    table = page[page.index("Seven days from") : page.index("<h2>Runs")]
    rows = re.findall(r'number">(\d+)</td><td class="number">(\d+)</td>', table)
    assert len(rows) == 13
    bars = re.findall(r'<rect [^>]*class="(done|failed)"', page)
    assert bars.count("done") == sum(well != "0" for well, _ in rows)
    assert bars.count("failed") == sum(bad != "0" for _, bad in rows)


def test_nothing_yet() -> None:
    page = Read(years(0)).text
    assert "Nothing has been deployed yet." in page
    assert "deploys none none" in page
    assert "failed none tried none tried" in page


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(word=st.one_of(hostile.text, st.sampled_from(MARKUP)))
def test_foreign_text_stays_text(word: str) -> None:
    def page(word: str) -> Read:
        return Read(paged([entry(1, "failed", word)], {word: "report.html"}, word))

    assert page(f"{word}x").tags == page("x").tags

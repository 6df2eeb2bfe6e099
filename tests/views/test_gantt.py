"""The chart of the summary: what is in it, and that nothing of it is taken for something else."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from deploy.views.gantt import Span, gantt

from . import hostile

# What Mermaid's own parser took for a chart when it was asked (11.17).
LINE = re.compile(
    r"gantt|    (dateFormat x|axisFormat %s s|section [\w .-]+"
    r"|[✓✗↩] [\w .-]* :(done|crit|active), \d+, \d+)"
)


def test_each_host_has_its_section_and_each_step_its_seconds() -> None:
    chart = gantt(
        [
            Span("checks", "", 100.0, 103.1, "✓"),
            Span("stage", "web-1", 103.1, 105.0, "✓"),
            Span("switch", "web-1", 105.0, 105.0, "✗"),
            Span("switch", "web-1", 105.0, 105.5, "↩"),
        ]
    )
    assert chart == (
        "gantt\n    dateFormat x\n    axisFormat %s s\n"
        "    section all hosts\n    ✓ checks :done, 0, 3100\n"
        "    section web-1\n    ✓ stage :done, 3100, 5000\n    ✗ switch :crit, 5000, 5001\n"
        "    ↩ switch :active, 5000, 5500"
    )


def test_one_step_is_no_chart() -> None:
    assert gantt([]) == gantt([Span("checks", "", 0, 1, "✓")]) == ""


def test_forty_hosts_stay_below_what_mermaid_takes() -> None:
    spans = [
        Span(f"a step with a name {at}", f"host-{at}.a-long-domain.example", at, at + 1.5, "✓")
        for at in range(1000)
    ]
    chart = gantt(spans)
    assert len(chart) < 50_000
    assert chart.endswith("section and 700 more steps")


@given(
    st.lists(
        st.builds(
            Span,
            hostile.text,
            hostile.text,
            st.floats(0, 1e6),
            st.floats(0, 1e6),
            st.sampled_from("✓✗↩"),
        ),
        min_size=2,
        max_size=6,
    )
)
def test_whatever_a_step_is_called(spans: list[Span]) -> None:
    assert all(LINE.fullmatch(line) for line in gantt(spans).split("\n"))

"""The report for people: a dozen calm lines."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from deploy.sandbox.load.options import Kind

if TYPE_CHECKING:
    from deploy.sandbox.load.report import LoadReport

SHOWN = 5
"""Examples of failures on the screen; the JSON has the first 20."""

WORDS = {
    Kind.GET: "GET, kept alive",
    Kind.POST: "POST, kept alive",
    Kind.FRESH: "fresh connections",
    Kind.SLOW: "POST of 2 s",
    Kind.OPEN: "websockets opened",
    Kind.MESSAGE: "websocket messages",
}


def describe(report: LoadReport) -> str:
    """The report as text, without colour and without a newline at its end."""
    lines = [f"load · {report.url} · {report.rate:g} requests/s for {report.seconds:.1f} s", ""]
    for kind, words in WORDS.items():
        row = report.kinds[kind]
        if row.sent:
            times = f"   p50 {_ms(row.p50)}  p99 {_ms(row.p99)}  max {_ms(row.max)}"
            lines.append(
                f"  {words:<19}{row.sent:>8,} sent{row.failed:>7,} failed{times if row.ok else ''}"
            )
    lines.append("")
    for name, version in report.versions.items():
        lines.append(
            f"  {name:<19}{version.answers:>8,} answers, "
            f"from {version.first:.1f} s to {version.last:.1f} s"
        )
    lines += [f"  {line}" for line in _remarks(report)]
    for example in report.examples[:SHOWN]:
        lines.append(
            f"  ✗ {example.at:6.1f} s  {WORDS[Kind(example.kind)]}  {example.reason}  "
            f"{example.detail}"
        )
    return "\n".join([*lines, "", _verdict(report)])


def _remarks(report: LoadReport) -> list[str]:
    """What is no failure, but should be known."""
    remarks = []
    if report.closed:
        codes = Counter(
            f"{closed.code}, no close frame" if closed.abnormal else str(closed.code)
            for closed in report.closed
        )
        counts = "; ".join(f"{count} with {code}" for code, count in sorted(codes.items()))
        remarks.append(
            f"websockets ended by the server: {counts}; "
            f"messages then in flight: {report.unanswered}"
        )
    if report.retried:
        remarks.append(f"GETs sent again on a new connection, as browsers do: {report.retried:,}")
    if report.late:
        remarks.append(
            f"started late by this machine: {report.late:,}, at worst by {_ms(report.latest)}"
        )
    return remarks


def _verdict(report: LoadReport) -> str:
    if not report.failed:
        return f"{report.sent:,} sent, none failed."
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in report.reasons.items())
    return f"{report.sent:,} sent, {report.failed:,} failed: {reasons}."


def _ms(value: float) -> str:
    return f"{value:,.1f} ms" if value < 10 else f"{value:,.0f} ms"

"""The report of a load: what it counts, as JSON and for people."""

import json
from dataclasses import replace

from deploy.sandbox.load import Kind, LoadReport, Options, describe
from deploy.sandbox.load.report import Closed, Second, Version
from deploy.sandbox.load.tally import Tally


def some_report() -> LoadReport:
    tally = Tally()
    for number in range(100):
        tally.sent(Kind.GET, number / 100)
        tally.ok(Kind.GET, number / 100, number / 100 + (number + 1) / 1000)
        tally.version("v1" if number < 50 else "v2", number / 100)
    tally.sent(Kind.POST, 1.5, 0.08)
    tally.failed(Kind.POST, 1.5, "reset", "Server disconnected")
    tally.retried()
    tally.closed(Closed(at=1.2, age=1.1, code=1006, unanswered=1))
    return tally.report(
        Options("http://127.0.0.1:8080", rate=100), started=1.0, seconds=2.0, cpu=0.1
    )


def test_a_report_is_the_same_after_json():
    report = some_report()
    assert LoadReport.from_json(report.to_json()) == report
    assert json.loads(report.to_json())["requests"] == 101


def test_a_report_has_nearest_rank_latencies_and_one_row_a_second():
    report = some_report()
    get = report.kinds["get"]
    assert (get.p50, get.p99, get.max) == (50, 99, 100)
    assert report.timeline == (Second(100, 100, 0), Second(1, 0, 1))
    assert report.versions["v2"] == Version(50, 0.5, 0.99)
    assert (report.late, report.latest) == (1, 80)


def test_the_table_names_what_failed_and_what_only_should_be_known():
    assert describe(some_report()) == "\n".join(
        [
            "load · http://127.0.0.1:8080 · 100 requests/s for 2.0 s",
            "",
            "  GET, kept alive         100 sent      0 failed   p50 50 ms  p99 99 ms  max 100 ms",
            "  POST, kept alive          1 sent      1 failed",
            "",
            "  v1                       50 answers, from 0.0 s to 0.5 s",
            "  v2                       50 answers, from 0.5 s to 1.0 s",
            "  websockets ended by the server: 1 with 1006, no close frame; "
            "messages then in flight: 1",
            "  GETs sent again on a new connection, as browsers do: 1",
            "  started late by this machine: 1, at worst by 80 ms",
            "  ✗    1.5 s  POST, kept alive  reset  Server disconnected",
            "",
            "101 sent, 1 failed: reset 1.",
        ]
    )


def test_the_table_of_a_good_load_ends_by_saying_so():
    report = some_report()
    kinds = {kind: replace(row, failed=0) for kind, row in report.kinds.items()}
    assert describe(replace(report, kinds=kinds)).endswith("\n\n101 sent, none failed.")

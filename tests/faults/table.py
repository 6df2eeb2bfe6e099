"""What the suite has seen, as rows of a table: see `script/faults`.

A test's row is made by `questions.ask`, and travels with the test's report, which reaches the
process that writes the table from whichever process ran the test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from deploy.sandbox.load import LoadReport
    from tests.fleet.project import Done

KEY = "fault"
HEAD = """\
# What befalls a deploy, and how it ends

Written by `script/faults` from the results of the fault suite (`tests/faults`), each case of which
befalls a real fleet of containers with requests on its way; not to be edited. After each, every
host serves one version alone, the one that the exit code stands for. Where requests failed, a host
was gone itself: what it had in its hands, and what the load balancer sent there until it saw that,
nobody else can answer.

| case | what was seen | requests sent | failed | seconds |
| --- | --- | --- | --- | --- |
"""

_asked: list[pytest.Item] = []

Found = tuple[str, dict[str, Any], float]
"""A test's id, its row as plain values, and the seconds that it took."""


@dataclass(frozen=True)
class Row:
    """One case; `seen` is how the run ended in whose middle it befell, and the command after it."""

    seen: str
    sent: int
    failed: int


def saw(report: LoadReport, *runs: Done | None) -> None:
    """Put a row into the report of the test that runs."""
    seen = ", then ".join(ending(done.exit_code, done.text) for done in runs if done)
    row = Row(seen, report.sent, report.failed)
    _asked[-1].user_properties.append((KEY, asdict(row)))


def ending(exit_code: int, text: str) -> str:
    """How a command ended: its exit code, and what it says last, without what to type next."""
    said = text.strip().split("\n\n")[-1].splitlines()
    if exit_code < 0:
        # Where, says what has killed it, as far as it knows.
        return said[-1] if said and said[-1].startswith("killed ") else "killed"
    if len(said) > 1 and said[-1].endswith(f"exit {exit_code}"):
        said.pop()
    return f"exit {exit_code}: {' '.join(' '.join(said[:2]).split())}"


def markdown(rows: Sequence[Found]) -> str:
    """The whole page."""
    lines = [
        f"| {_cell(case_of(test))} | {_cell(row['seen'])} | {row['sent']} | {row['failed']} "
        f"| {seconds:.0f} |\n"
        for test, row, seconds in rows
    ]
    minutes = sum(seconds for *_, seconds in rows) / 60
    failed = sum(row["failed"] for _, row, _ in rows)
    sent = sum(row["sent"] for _, row, _ in rows)
    total = f"\n{len(rows)} cases in {minutes:.0f} minutes; of {sent} requests, {failed} failed.\n"
    return HEAD + "".join(lines) + total


def case_of(test: str) -> str:
    """A test's id as words: its name, and its parameters."""
    match = re.fullmatch(r".*::test_(\w+)(?:\[(.*)\])?", test)
    assert match, test
    name, parameters = match[1].replace("_", " "), match[2]
    return f"{name}: {parameters}" if parameters else name


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


class Table:
    """A plugin that gathers the rows, and writes them when all is over.

    Nothing is written when a test failed: a table of what holds has no place for what does not.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.rows: list[Found] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call":
            return
        for key, value in report.user_properties:
            if key == KEY:
                assert isinstance(value, dict)
                self.rows.append((report.nodeid, value, report.duration))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus == 0 and self.rows:
            rows = sorted(self.rows, key=lambda row: row[0])
            Path(self.path).write_text(markdown(rows), encoding="utf-8")


@pytest.fixture(autouse=True)
def row_of_the_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Where `saw` puts its row."""
    _asked.append(request.node)
    yield
    _asked.pop()

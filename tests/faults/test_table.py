"""The table of the fault suite, from what a test's report carries."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.table import KEY, Table, case_of, ending

DONE = "  ✓ verify   0.3 s\n\nhttp://x serves v2 on 4 hosts\nback: inv rollback.x    exit 0"
REFUSED = "\nthe hosts are not ready for it\n  web-2  /srv: 3 MB free\nNothing …\nexit 3"


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (0, DONE, "exit 0: http://x serves v2 on 4 hosts"),
        (3, REFUSED, "exit 3: the hosts are not ready for it web-2 /srv: 3 MB free"),
        (
            0,
            "sandbox: nothing was left in its middle.",
            "exit 0: sandbox: nothing was left in its middle.",
        ),
        (-9, "  · web-1     stage", "killed"),
        (-9, "  · web-1     stage\nkilled after stage web-1", "killed after stage web-1"),
    ],
)
def test_how_a_command_ended(code: int, text: str, expected: str) -> None:
    assert ending(code, text) == expected


def test_a_case_is_called_as_its_test_is() -> None:
    assert case_of("tests/faults/test_x.py::test_a_b_c") == "a b c"
    assert case_of("tests/faults/test_x.py::test_a_b[docker-stage]") == "a b: docker-stage"


def report(name: str, when: str = "call", **row: Any) -> Any:
    properties = [(KEY, {"seen": "exit 0: <b> | c", "sent": 10, "failed": 0} | row)]
    return SimpleNamespace(
        nodeid=f"t.py::test_{name}", when=when, duration=61.4, user_properties=properties
    )


@pytest.mark.parametrize("status", [0, 1])
def test_it_is_written_when_all_have_passed(tmp_path: Path, status: int) -> None:
    table = Table(str(tmp_path / "faults.md"))
    for one in (
        report("z", failed=2),
        report("z", "setup"),
        report("a_case"),
        report("z", "teardown"),
    ):
        table.pytest_runtest_logreport(one)
    table.pytest_sessionfinish(None, status)  # type: ignore[arg-type]
    if status:
        assert not (tmp_path / "faults.md").exists()
        return
    lines = (tmp_path / "faults.md").read_text().splitlines()
    at = lines.index("| --- | --- | --- | --- | --- |")
    assert lines[at + 1 :] == [
        r"| a case | exit 0: &lt;b> \| c | 10 | 0 | 61 |",
        r"| z | exit 0: &lt;b> \| c | 10 | 2 | 61 |",
        "",
        "2 cases in 2 minutes; of 20 requests, 2 failed.",
    ]

"""The bench's own arithmetic and its table; what it measures, `script/bench` alone measures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # bench/ is part of the repository and not of what is installed

from bench import figures, rounds, table  # noqa: E402
from bench.figures import Figures, Pair, Roll, Round, Usage  # noqa: E402
from bench.fleet import unpack  # noqa: E402
from deploy.bundle import pack  # noqa: E402

LOG = """\
Server listening on 0.0.0.0 port 22.
Accepted publickey for deploy from 10.231.0.1 port 39818 ssh2: ED25519 SHA256:x
Starting session: command for deploy from 10.231.0.1 port 39818 id 0
Close session: user deploy from 10.231.0.1 port 39818 id 0
Starting session: subsystem 'sftp' for deploy from 10.231.0.1 port 39818 id 1
Starting session: shell on pts/0 for deploy from 10.231.0.1 port 39818 id 0
User said: Starting session: command
"""


def roll(seconds: float, peak: int = 70_000_000, **execs: int) -> Roll:
    return Roll(Usage(seconds, 2.5, peak), {name.replace("_", "-"): n for name, n in execs.items()})


def some(rolls: list[Round] | None = None, **changes: Any) -> Figures:
    rolls = rolls or [
        Round(roll(33, web_0=26, web_1=7, db_1=5), roll(30, web_0=4, web_1=4, db_1=4)),
        Round(roll(36, web_1=6, db_1=5), roll(30, web_1=4, db_1=4)),
        Round(roll(31.5, 80_400_000, web_1=6, db_1=6), roll(30, web_1=3, db_1=4)),
    ]
    values: dict[str, Any] = {
        "rounds": rolls,
        "ordered": 16,
        "listing": Pair((0.15, 0.3, 0.12), (0.1, 0.1, 0.1)),
        "facts": Pair((1.0, 1.0), (0.1, 0.1)),
        "keeper": "web-0",
        "hosts": 5,
        "cores": 2,
    }
    return Figures(**(values | changes))


def cells(block: str, start: str) -> list[str]:
    row = next(line for line in block.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in row.strip("|").split("|")]


# --- figures -------------------------------------------------------------------------------------


def test_every_kind_of_session_counts_and_nothing_else() -> None:
    assert figures.sessions(LOG) == 3
    assert figures.sessions("") == 0


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    assert some().ratio == pytest.approx(1.1)  # of 1.1, 1.2 and 1.05; that of the medians as well
    uneven = [
        Round(roll(10), roll(10)),
        Round(roll(40), roll(20)),
        Round(roll(33), roll(30)),
    ]
    assert some(uneven).ratio == pytest.approx(1.1)  # the medians' would be 1.65


def test_ordered_waits_are_taken_from_both() -> None:
    assert some().ratio_of_work == pytest.approx(17 / 14)


def test_a_pair_compares_turn_by_turn() -> None:
    assert Pair((1, 4, 9), (1, 2, 3)).ratio == 2
    with pytest.raises(ValueError, match="zip"):
        _ = Pair((1, 2), (1,)).ratio


def test_facts_are_held_against_connects_shared_out_to_the_cores() -> None:
    assert some().facts_ratio == pytest.approx(10 * 2 / 5)


def test_execs_are_the_most_that_a_host_saw() -> None:
    headway = [one.headway for one in some().rounds]
    assert figures.execs(headway) == {"web-0": 26, "web-1": 7, "db-1": 6}
    assert figures.execs([roll(1, web_1=1), roll(1, web_2=2)]) == {"web-1": 1, "web-2": 2}


# --- the table -----------------------------------------------------------------------------------


def test_the_table_stands_beside_the_budgets() -> None:
    block = table.rendered(some(), ["One machine.", "One version."])
    assert block.startswith("Medians of 3 rounds")
    assert cells(block, "wall time of a roll") == [
        "wall time of a roll, Headway over the floor",
        "1.10× (1.05 to 1.20)",
        "≤ 1.15×",
        "yes",
    ]
    assert cells(block, "wall time, Headway / floor")[1] == "33.0 s / 30.0 s"
    assert cells(block, "the same ratio without the 16 s")[1] == "1.21×"
    assert cells(block, "SSH execs per host and deploy")[1:] == ["7 / 4", "≤ 7", "yes"]
    assert cells(block, "the same on web-0, which keeps the lease")[1:] == ["26 / 4", "", ""]
    assert cells(block, "peak memory")[1:] == ["80 MB", "≤ 120 MB", "yes"]
    assert cells(block, "CPU time")[1] == "2.50 s"
    assert cells(block, "`inv --list`")[1:] == ["1.50× (150 ms / 100 ms)", "≤ 1.5×", "yes"]
    assert cells(block, "facts from 5 hosts")[1] == "10.00× (1000 ms / 100 ms)"
    assert cells(block, "the same for each host and core (5 hosts, 2 cores)")[1] == "4.00×"
    assert cells(block, "2 ") == ["2", "36.00 s", "30.00 s", "1.20×"]
    assert cells(block, "SSH execs |") == ["SSH execs", "web-0", "web-1", "db-1"]
    assert cells(block, "Headway |") == ["Headway", "26", "7", "6"]
    assert cells(block, "floor |") == ["floor", "4", "4", "4"]
    assert block.endswith("- One machine.\n- One version.")


@pytest.mark.parametrize(
    ("row", "figures_over"),
    [
        ("wall time of a roll", some([Round(roll(11.6, web_1=1), roll(10, web_1=1))], ordered=0)),
        ("SSH execs per host", some([Round(roll(1, web_1=8), roll(9, web_1=1))], ordered=0)),
        (
            "peak memory",
            some([Round(roll(1, 120_000_001, web_1=1), roll(9, web_1=1))], ordered=0),
        ),
        ("`inv --list`", some(listing=Pair((0.151,), (0.1,)))),
        ("the same for each host", some(facts=Pair((0.51,), (0.1,)))),
    ],
)
def test_a_budget_that_is_not_held_says_so(row: str, figures_over: Figures) -> None:
    assert cells(table.rendered(figures_over, []), row)[-1] == "**no**"


def test_a_markdown_table_is_rectangular() -> None:
    block = table.rendered(some(), [])
    for part in block.split("\n\n"):
        if part.startswith("|"):
            assert len({line.count("|") for line in part.splitlines()}) == 1


def test_the_block_replaces_what_stood_between_the_markers() -> None:
    document = f"# Title\n\n{table.BEGIN}\nold\n{table.END}\n\nend\n"
    placed = table.placed(document, "new")
    assert placed == f"# Title\n\n{table.BEGIN}\n\nnew\n\n{table.END}\n\nend\n"
    assert table.placed(placed, "new") == placed


@pytest.mark.parametrize(
    "document",
    [
        "",
        table.BEGIN,
        table.END,
        f"{table.END} {table.BEGIN}",
        f"{table.BEGIN} {table.END} {table.END}",
        f"{table.BEGIN} {table.END} {table.BEGIN} {table.END}",
        f"{table.END} {table.BEGIN} {table.END}",
    ],
)
def test_a_document_without_its_markers_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        table.placed(document, "new")


def test_the_document_has_its_markers() -> None:
    assert "new" in table.placed((ROOT / "docs" / "performance.md").read_text(), "new")


# --- the rounds ----------------------------------------------------------------------------------


def test_every_roll_has_a_version_of_its_own() -> None:
    start, pairs = rounds.versions(5)
    names = [start, *(version for pair in pairs for version in pair)]
    assert len(pairs) == 5
    assert len(set(names)) == 11


def an_environment(bake: float) -> Any:
    rollout = SimpleNamespace(min_healthy_time=1.0, bake=bake, healthy_deadline=30, keep_releases=5)
    return SimpleNamespace(rollout=rollout, services={"web": SimpleNamespace(drain=5.0)})


def test_the_floor_gets_the_settings_knobs() -> None:
    assert rounds.knobs(an_environment(3.0)) == {
        "MIN_HEALTHY": "1",
        "BAKE": "3",
        "DEADLINE": "30",
        "DRAIN": "5",
        "KEEP": "5",
    }


def test_the_floor_cannot_count_parts_of_a_second() -> None:
    with pytest.raises(ValueError, match="BAKE"):
        rounds.knobs(an_environment(2.5))


def test_the_floor_gets_the_files_of_a_release_as_headway_sends_them(tmp_path: Path) -> None:
    packed = pack(
        {
            ".env": (b"SECRET=1\n", 0o600),
            "compose.yaml": (b"services: {}\n", 0o644),
            "beside/bin/run": (b"#!/bin/sh\n", 0o755),
            "proxy/web.caddy": (b"the host's", 0o644),
        }
    )
    unpack(packed, tmp_path / "v1" / "web-1")
    found = {
        path.relative_to(tmp_path).as_posix(): (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert found == {
        "v1/web-1/.env": (b"SECRET=1\n", 0o600),
        "v1/web-1/compose.yaml": (b"services: {}\n", 0o644),
        "v1/web-1/beside/bin/run": (b"#!/bin/sh\n", 0o755),
    }


# --- what a process used -------------------------------------------------------------------------


def used(tmp_path: Path, code: str) -> tuple[int, dict[str, float]]:
    result = tmp_path / "usage.json"
    usage = [sys.executable, "-I", "-S", str(ROOT / "bench" / "usage.py"), str(result)]
    argv = [*usage, sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(argv, check=False, timeout=60)
    return done.returncode, json.loads(result.read_text())


def test_usage_is_that_of_the_command_alone(tmp_path: Path) -> None:
    ballast = b"x" * 200_000_000  # of the process that starts it all
    code, found = used(tmp_path, "pass")
    assert code == 0
    assert set(found) == {"seconds", "cpu", "peak"}
    assert 1_000_000 < found["peak"] < len(ballast) / 2


def test_usage_sees_the_peak_and_not_the_end(tmp_path: Path) -> None:
    _, found = used(tmp_path, "x = b'x' * 200_000_000; del x")
    assert found["peak"] > 200_000_000


def test_usage_passes_the_exit_code_on(tmp_path: Path) -> None:
    assert used(tmp_path, "raise SystemExit(4)")[0] == 4
    assert used(tmp_path, "import os; os.kill(os.getpid(), 9)")[0] == 137

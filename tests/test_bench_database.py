"""The bench of the database: its table, and that it works. It is not run here to measure."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.database.conftest import docker, have

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # bench/ is part of the repository and not of what is installed

from bench import bare, database, database_table, pending, postgres, table  # noqa: E402
from bench.database_table import AROUND, COMMANDS, Bare, Figures, Own, Round  # noqa: E402
from deploy.errors import NeedsPerson, UsageError  # noqa: E402
from deploy.sandbox.docker import Docker  # noqa: E402


def own(seconds: float, peak: int = 80_000_000) -> Own:
    parts = dict.fromkeys([*COMMANDS, *AROUND], seconds / 7)
    return Own(parts, seconds, seconds / 2, peak, 1_010_000_000, 240_000_000)


def bare_of(seconds: float) -> Bare:
    return Bare(dict.fromkeys(COMMANDS, seconds / 4), seconds / 4)


def some(*rounds: Round, small: int = 79_000_000) -> Figures:
    rounds = rounds or (
        Round(own(33), bare_of(30)),
        Round(own(72), bare_of(60)),
        Round(own(31.5, 81_000_000), bare_of(30)),
    )
    return Figures(rounds, Own({}, 9, 2, small, 108_000_000, 22_000_000), (1.25, 3.5))


def cells(block: str, start: str) -> list[str]:
    row = next(line for line in block.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in row.strip("|").split("|")]


# --- the table -----------------------------------------------------------------------------------


def test_the_table_stands_beside_the_budgets() -> None:
    block = database_table.rendered(some(), ["One machine."])
    assert block.startswith("Medians of 3 rounds")
    # The median of the ratios; that of the medians would be the same here, and of the means 1.14.
    assert cells(block, "wall time of a backup")[1:] == ["1.10× (1.05 to 1.20)", "≤ 1.15×", "yes"]
    assert cells(block, "CPU time")[1] == "2.20× (16.5 s / 7.5 s)"
    # Of each round 6/7 of the one over 3/4 of the other.
    assert cells(block, "the same without the migrations")[1] == "1.26×"
    assert cells(block, "peak memory") == [
        "peak memory of our process, 1010 MB / 108 MB of database",
        "81 MB / 79 MB",
        "≤ 120 MB",
        "yes",
    ]
    assert cells(block, "dump of the one")[1] == "240 MB / 22 MB"
    assert cells(block, "`pg_dump`")[1:] == ["4.71", "7.50"]
    assert cells(block, "around the backup")[1:] == ["4.71", ""]
    assert cells(block, "2 ") == ["2", "72.00 s", "60.00 s", "1.20×"]
    assert "- One machine.\n- Load of the machine" in block
    assert block.endswith("1.2 to 3.5.")
    for part in block.split("\n\n"):
        if part.startswith("|"):
            assert len({line.count("|") for line in part.splitlines()}) == 1


@pytest.mark.parametrize(
    ("row", "over"),
    [
        ("wall time", some(Round(own(11.6), bare_of(10)))),
        ("peak memory", some(Round(own(1, 120_000_001), bare_of(9)))),
        ("peak memory", some(small=120_000_001)),
    ],
)
def test_a_budget_that_is_not_held_says_so(row: str, over: Figures) -> None:
    assert cells(database_table.rendered(over, []), row)[-1] == "**no**"


def test_the_document_has_room_for_both_blocks() -> None:
    document = (ROOT / "docs" / "performance.md").read_text()
    both = table.placed(document, "of rolls")
    both = table.placed(both, "of the database", database_table.BEGIN, database_table.END)
    assert both.index("of rolls\n\n<!--") < both.index("of the database\n\n<!--")


# --- both sides do the same ----------------------------------------------------------------------


def test_by_hand_the_files_go_up_back_and_up_again() -> None:
    text = pending.by_hand().decode()
    assert text.count('ADD COLUMN "loyalty"') == 2
    assert text.count('DROP COLUMN "loyalty"') == 1
    second = text.rindex('ADD COLUMN "loyalty"')
    assert text.index('DROP INDEX CONCURRENTLY "orders_status"') < text.index("DROP COLUMN")
    assert text.index('DROP COLUMN "loyalty"') < second < text.rindex("CREATE INDEX")


@pytest.mark.parametrize("said", ["usage_usec 2500000\nuser_usec 1\n", "2500000000\n"])
def test_the_cpu_of_a_container_in_both_versions_of_cgroups(said: str) -> None:
    assert postgres.cpu_of(said) == 2.5


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would be done, in its order; nothing is."""
    order: list[str] = []

    def headway(*_: object) -> tuple[Own, Mapping[str, str]]:
        order.append("headway")
        return own(1), {"fsync": "off"}

    def by_hand(*_: object) -> tuple[Bare, Mapping[str, str]]:
        order.append("bare")
        return bare_of(1), {"fsync": "off"}

    monkeypatch.setattr(database, "headway", headway)
    monkeypatch.setattr(database, "CALM", 0)
    monkeypatch.setattr(bare, "run", by_hand)
    return order


def one_round(first: bool) -> Any:
    return database._round(Docker(), "container", "image", Path("work"), first=first)


def test_who_goes_first_changes(told: list[str]) -> None:
    assert one_round(first=True).ratio == one_round(first=False).ratio == pytest.approx(1)
    assert told == ["headway", "bare", "bare", "headway"]


@pytest.mark.usefixtures("told")
def test_servers_of_other_settings_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bare, "run", lambda *_: (bare_of(1), {"fsync": "on"}))
    with pytest.raises(NeedsPerson, match="not the same settings"):
        one_round(first=True)


# --- on real servers -----------------------------------------------------------------------------


@pytest.fixture
def nothing_stays() -> Iterator[None]:
    """No container of the bench is left."""

    def there() -> set[str]:
        names = docker("ps", "-a", "--format", "{{.Names}}").split()
        return {one for one in names if one.startswith("headway-bench-")}

    before = there()
    yield
    assert there() <= before


@pytest.mark.fleet
@pytest.mark.usefixtures("nothing_stays")
def test_it_measures(capsys: pytest.CaptureFixture[str]) -> None:
    image = have(postgres.IMAGE)
    found = database.measure(Docker(), image, rounds=1, megabytes=4, small=1)
    (one,) = found.rounds
    assert set(one.own.seconds) == {*COMMANDS, *AROUND}
    assert set(one.bare.seconds) == set(COMMANDS)
    assert min(one.bare.seconds.values()) > 0
    assert 0 < one.bare.cpu < one.own.cpu < 2 * one.own.whole + 5
    assert min(one.own.seconds.values()) >= 0
    assert sum(one.own.seconds.values()) == pytest.approx(one.own.whole)
    assert found.small.database < one.own.database < 30_000_000
    assert 0 < found.small.dump < one.own.dump < one.own.database
    assert 20_000_000 < found.peak < table.MAX_PEAK
    assert f"ratio {one.ratio:.2f}" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.fleet
@pytest.mark.usefixtures("nothing_stays")
def test_a_missing_row_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, engine = have(postgres.IMAGE), Docker()
    monkeypatch.setattr(bare, "by_hand", lambda: b"delete from order_lines where order_id = 1;")
    with (
        postgres.filled(engine, image, 1) as container,
        pytest.raises(NeedsPerson, match="every row"),
    ):
        bare.run(engine, container, image, tmp_path)


@pytest.mark.fleet
def test_an_image_that_is_not_here_is_named() -> None:
    with pytest.raises(UsageError, match="headway-nothing:17 is not here"):
        database.measure(Docker(), "headway-nothing:17", 1, 1, 1)

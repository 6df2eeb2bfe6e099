"""An owner whose lease was taken over changes nothing in the database any more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploy.database.downs.run import run_downs
from deploy.database.migrations.apply import Applier
from deploy.database.migrations.folder import Format
from deploy.database.migrations.script import Limits
from deploy.remote.arrows import Fenced

from .applying import T, holding
from .conftest import asked
from .migrations import migration

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.database.access import Access

    from .shells import Near

pytestmark = pytest.mark.fleet

LIMITS = Limits(1, 60, turn=20, attempts=3)
THERE = "select to_regclass('t') is not null"
NOTE = replace(
    migration("0001_note", 2, "alter table t add note text"), down="alter table t drop note;"
)


def under(postgres: Near, folder: Path, fence: int) -> Access:
    """The same database for the owner of the lease of that number."""
    way = postgres.far
    return replace(way, settings={**way.settings, "dir": str(folder), "fence": str(fence)})


def seen(folder: Path, fence: int | None = None) -> str:
    """The highest number that came to the host; or have it see one."""
    file = folder / ".headway" / "fence"
    if fence is not None:
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{fence}\n")
    return file.read_text().strip()


def test_migrations_come_under_the_number_of_their_lease(postgres: Near, tmp_path: Path) -> None:
    applier = Applier(under(postgres, tmp_path, 3), LIMITS)
    applier.apply([T], form=Format.V0)
    assert asked(postgres, THERE) == ["t"]
    assert seen(tmp_path) == "3", "who has an older one is refused from now on"


def test_migrations_of_an_older_lease_are_not_applied(postgres: Near, tmp_path: Path) -> None:
    seen(tmp_path, 4)
    with pytest.raises(Fenced, match="db-1: somebody has taken the lease over") as refused:
        Applier(under(postgres, tmp_path, 3), LIMITS).apply([T], form=Format.V0)
    assert refused.value.exit_code == 6
    assert asked(postgres, THERE) == ["f"]


def test_who_wakes_up_between_two_attempts_makes_no_second_one(
    postgres: Near, tmp_path: Path
) -> None:
    """A lock was waited for in vain; the machine slept before the next attempt."""
    Applier(under(postgres, tmp_path, 3), LIMITS).apply([T], form=Format.V0)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        seen(tmp_path, 4)

    applier = Applier(under(postgres, tmp_path, 3), LIMITS, sleep=sleep)
    with holding(postgres, "lock table t"), pytest.raises(Fenced):
        applier.apply([NOTE], form=Format.V0)
    assert len(slept) == 1
    assert asked(postgres, "select count(*) from drizzle.__drizzle_migrations") == ["1"]


def test_downs_of_an_older_lease_are_not_run(postgres: Near, tmp_path: Path) -> None:
    way = under(postgres, tmp_path, 3)
    Applier(way, LIMITS).apply([T, NOTE], form=Format.V0)
    seen(tmp_path, 4)
    with pytest.raises(Fenced) as refused:
        run_downs(way, [NOTE], form=Format.V0, limits=LIMITS, restore="inv restore x")
    assert refused.value.exit_code == 6
    assert asked(postgres, "select note from t") == ["", ""]
    assert asked(postgres, "select count(*) from drizzle.__drizzle_migrations") == ["2"]


def test_reading_takes_no_lease(postgres: Near, tmp_path: Path) -> None:
    seen(tmp_path, 4)
    way = under(postgres, tmp_path, 3)
    assert way.psql("select 7", timeout=20, doing="it was not read").strip() == "7"

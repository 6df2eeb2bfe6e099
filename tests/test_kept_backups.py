"""The backups of which releases stay when a run makes one more: from the journals to the step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from deploy import intent as module
from deploy.database.migrations.folder import Format
from deploy.intent import Intent, intend_deploy, intend_rollback
from deploy.migrating import after_hosts, before_hosts
from deploy.pending import TakenBack
from deploy.settings import load
from deploy.situation import Situation
from deploy.steps.backup import BackUp
from tests.faults.faulty import Course
from tests.faults.fleet import Fleet
from tests.test_pending import migration

ANA = {"GITHUB_ACTOR": "ana"}
DATABASE = {
    "kind": "postgres",
    "service": "database",
    "host": "db-1",
    "migrations": "drizzle",
    "backup": {"required": True},
    "rehearsal": {"mode": "off"},
}


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """On v4, after v1, v2 and v3, with a database that something is pending in, or taken back."""
    found = Fleet.new(tmp_path, {"bake": "0s", "min_healthy_time": "0s"})
    for number in (1, 2, 3, 4):
        ran = found.run(f"v{number}", Course())
        assert ran.ended is not None
        assert ran.ended.exit_code == 0
    file = tmp_path / "hosts/staging.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "database": DATABASE}))
    found.environment = load(tmp_path, "staging", {})
    monkeypatch.setattr(module, "folder_of", lambda *_: None)
    monkeypatch.setattr(module, "to_take_back", lambda *_: TakenBack((migration(4),), Format.V0))
    return found


def intended(fleet: Fleet, tag: str | None, **how: Any) -> tuple[Situation, Intent]:
    with fleet._in_memory():
        situation = Situation.of(fleet.environment)
        if how:
            return situation, intend_rollback(situation, tag, ANA, **how)
        return situation, intend_deploy(situation, tag, ANA)


def staying(step: object) -> set[str]:
    """The tags of the releases whose backups stay."""
    assert isinstance(step, BackUp)
    return {one.partition("-")[0] for one in step.protected}


def test_a_deploy_keeps_those_of_what_runs_and_of_what_ran_before(fleet: Fleet) -> None:
    situation, intent = intended(fleet, "v5")
    pending: Any = SimpleNamespace(pending=(1,), now=(), tables={}, push=False, fresh=False)
    (backup,), *_ = before_hosts(situation, replace(intent.order, outlook=pending))
    assert staying(backup) == {"v3", "v4", "v5"}


@pytest.mark.parametrize(
    ("to", "kept"),
    [
        (None, {"v2", "v3", "v4"}),
        ("v1", {"v1", "v3", "v4"}),
        ("v2", {"v1", "v2", "v3", "v4"}),
    ],
)
def test_a_rollback_with_the_database_keeps_also_those_that_it_comes_to(
    fleet: Fleet, to: str | None, kept: set[str]
) -> None:
    situation, intent = intended(fleet, to, with_database=True)
    (backup,), (taken_back,) = after_hosts(situation, intent.order)
    assert taken_back.name == "take back"
    assert staying(backup) == kept


def test_a_rollback_takes_nothing_back_unless_it_is_asked_to(fleet: Fleet) -> None:
    situation, intent = intended(fleet, None, with_database=False)
    assert after_hosts(situation, intent.order) == []

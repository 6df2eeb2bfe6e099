"""The plan against golden cases, each a file in `cases/`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from deploy.tasks.plan import rendered

from .world import world

if TYPE_CHECKING:
    from deploy.plan import Plan

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
NOTHING: dict[str, Any] = {
    "before": "",
    "waves": [],
    "canaries": [],
    "why": {},
    "notes": {},
    "migrations": False,
}


def in_short(plan: Plan) -> dict[str, Any]:
    return {
        "before": plan.before,
        "waves": [list(wave) for wave in plan.waves],
        "canaries": [host.host for host in plan.hosts if host.canary],
        "why": {host.host: list(host.why) for host in plan.hosts if host.why},
        "notes": {host.host: list(host.notes) for host in plan.hosts if host.notes},
        "migrations": plan.migrations,
    }


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path, tmp_path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    expected = case["expected"]
    assert expected.keys() <= NOTHING.keys() | {"rendered", "dict"}
    plan = world(case, tmp_path).plan()
    short = {key: expected.get(key, default) for key, default in NOTHING.items()}
    assert in_short(plan) == short
    assert plan.empty == (short["waves"] == [])
    assert plan.rolling == tuple(host for wave in short["waves"] for host in wave)
    if "rendered" in expected:
        assert rendered(plan) + "\n" == expected["rendered"]
    if "dict" in expected:
        # Through JSON, since that is what it is for.
        assert json.loads(json.dumps(plan.to_dict())) == expected["dict"]


def test_every_part_is_shown_by_some_case() -> None:
    texts = [path.read_text() for path in CASES]
    for part in ("canaries:", "notes:", "migrations: true", "rendered:", "dict:", "verb: rollback"):
        assert any(part in text for text in texts), part

"""What `abandon` does with a roll that another deploy has left half-way, by the script itself.

Nothing is rolled here, so that no Docker is needed: the rolls of real containers are in
`tests/arrows`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from deploy.remote.script import Report, script

from .test_script import SETTINGS

V1, V2 = "v1-11111111", "v2-22222222"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A host on v1, which has v2's files as well, and a `docker` that knows of no container."""
    for release in (V1, V2):
        files = tmp_path / ".headway" / "releases" / release
        files.mkdir(parents=True)
        for name, text in {
            ".env": f"HEADWAY_RELEASE={release}\n",
            "compose.yaml": f"# {release}\n",
            "host.yaml": f"# {release}\n",
            "roll": "",
        }.items():
            (files / name).write_text(text)
    (tmp_path / ".env").write_text(f"HEADWAY_RELEASE={V1}\n")
    (tmp_path / ".headway" / "journal.jsonl").write_text("")
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\n")
    docker.chmod(0o755)
    return tmp_path


def abandon(folder: Path, phase: str, *, of: str) -> tuple[Report, int]:
    """Let `phase` be where the deploy `of` was cut off on its way to v2; then d-2 abandons."""
    unfinished = f"release {V2}\ndeploy {of}\nverb deploy\nphase {phase}\n"
    (folder / ".headway" / "next").write_text(unfinished)
    settings = SETTINGS | {"dir": str(folder), "deploy": "d-2", "token": "d-2.deploy.abandon"}
    text = script(settings, "caddy", "abandon")
    environ = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["/bin/sh", "-c", text],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    report = Report()
    for line in done.stdout.splitlines():
        report.add(line)
    return report, done.returncode


def journal(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / ".headway" / "journal.jsonl").read_text().splitlines()
    return [(line["deploy"], line["what"]) for line in map(json.loads, lines)]


@pytest.mark.parametrize(
    ("phase", "on", "what"),
    [
        ("staging", V1, "reverted"),
        ("staged", V1, "reverted"),
        ("switched", V1, "reverted"),
        ("settling", V2, "settled"),
    ],
)
def test_what_another_deploy_left_is_brought_to_its_end(
    folder: Path, phase: str, on: str, what: str
) -> None:
    report, code = abandon(folder, phase, of="d-1")
    assert (code, report.last("failed")) == (0, None)
    assert report.last("abandoned")
    assert not (folder / ".headway" / "next").exists()
    assert (folder / ".env").read_text() == f"HEADWAY_RELEASE={on}\n"
    assert journal(folder) == [("d-1", what)]


def test_what_this_deploy_has_begun_to_settle_is_not_abandoned(folder: Path) -> None:
    report, code = abandon(folder, "settling", of="d-2")
    assert code == 1
    assert (report.last("failed") or {})["reason"].endswith("the way on is to settle")
    assert journal(folder) == []


def test_what_this_deploy_has_begun_is_taken_back(folder: Path) -> None:
    _, code = abandon(folder, "staged", of="d-2")
    assert code == 0
    assert journal(folder) == [("d-2", "reverted")]

"""What a host's journal says, and how much of it is read: the shell with a stand-in for Docker."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.facts import read
from deploy.history import entries
from deploy.remote.script import script
from tests.remote.test_script import SETTINGS


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """The application's folder, on a host where no container runs."""
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\n[ $1 = ps ] || echo 29.0.0\n")
    docker.chmod(0o755)
    plugins = tmp_path / ".docker" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").symlink_to(docker)
    (tmp_path / ".headway" / "releases").mkdir(parents=True)
    return tmp_path


def run(host: Path, arrow: str, **settings: str) -> list[str]:
    given = SETTINGS | {"dir": str(host)} | settings
    done = subprocess.run(
        ["/bin/sh", "-c", script(given, "caddy", arrow, locked=arrow != "facts")],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={"HOME": str(host), "PATH": f"{host / 'bin'}:{os.environ['PATH']}"},
    )
    return done.stdout.splitlines()


def wrote(host: Path, lines: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    (host / ".headway" / "journal.jsonl").write_text(text)


def line(number: int, month: int) -> dict[str, Any]:
    return {"v": 1, "at": f"2026-{month:02}-03T04:05:06Z", "deploy": f"d-{number}"}


def test_how_far_back_a_journal_is_read(host: Path) -> None:
    wrote(host, [line(number, 1 + number // 100) for number in range(500)])

    def oldest(since: str) -> str:
        journal = read(run(host, "facts", journal_since=since)).journal
        assert journal[-1]["deploy"] == "d-499"
        return str(journal[0]["deploy"])

    assert oldest("") == "d-300"
    assert oldest("2026-02-01T00:00:00Z") == "d-100"
    assert oldest("2026-02-03T04:05:06Z") == "d-100"
    assert oldest("2026-02-03T04:05:07Z") == "d-200"
    assert oldest("2027-01-01T00:00:00Z") == "d-300", "the last 200 in any case"


@pytest.mark.parametrize("commit", ["c" * 40, 'a "quoted" one', ""])
def test_the_end_of_a_deploy_names_its_commit(host: Path, commit: str) -> None:
    said = read(run(host, "conclude", commit=commit))
    assert [one["what"] for one in said.journal] == ["done"]
    assert [one.commit for one in entries({"web-1": said})] == [commit]

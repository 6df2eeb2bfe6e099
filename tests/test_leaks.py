"""script/leaks finds a secret that git tracks, and looks at nothing else."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(
    shutil.which("gitleaks") is None and not os.environ.get("CI"),
    reason="this system has no package gitleaks",
)

# Put together here, so that the run over this repository has nothing to find in it.
TOKEN = "ghp_" + "x7Qm2ZtR9vKc4NfLw8PbYd3HsJg6TaEu5VoB"
KEY = "\n".join(
    [
        f"-----BEGIN OPENSSH {'PRIVATE'} KEY-----",
        base64.b64encode(bytes(range(48))).decode(),
        f"-----END OPENSSH {'PRIVATE'} KEY-----",
        "",
    ]
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    subprocess.run(["git", "-C", folder, "init", "--quiet"], check=True)
    (folder / "README.md").write_text("# A shop\n")
    track(folder)
    return folder


def track(clone: Path) -> None:
    subprocess.run(["git", "-C", clone, "add", "--all"], check=True)


def leaks(clone: Path) -> subprocess.CompletedProcess[str]:
    argv = [ROOT / "script" / "leaks", clone]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


def test_nothing_planted_nothing_found(clone: Path) -> None:
    assert leaks(clone).returncode == 0


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("notes.md", f"the registry's: {TOKEN}\n", "github-pat"),
        ("deploy key", KEY, "private-key"),
        ("-x.yaml", f'registry_token: "{TOKEN}"\n', "github-pat"),
    ],
)
def test_a_planted_secret_is_found_and_not_shown(
    clone: Path, name: str, text: str, rule: str
) -> None:
    (clone / name).write_text(text)
    track(clone)
    found = leaks(clone)
    said = found.stdout + found.stderr
    assert found.returncode == 1, said
    assert rule in said
    assert name in said
    assert TOKEN not in said


def test_what_is_not_tracked_is_left_alone(clone: Path) -> None:
    (clone / ".gitignore").write_text(".env.production\n")
    track(clone)
    (clone / ".env.production").write_text(f"REGISTRY_TOKEN={TOKEN}\n")
    assert leaks(clone).returncode == 0


def test_a_clone_without_a_file_is_no_success(tmp_path: Path) -> None:
    subprocess.run(["git", "-C", tmp_path, "init", "--quiet"], check=True)
    found = leaks(tmp_path)
    assert found.returncode == 2
    assert "git tracks nothing" in found.stderr


def test_the_exceptions_of_this_repository_stop_at_what_they_name(clone: Path) -> None:
    shutil.copy(ROOT / ".gitleaks.toml", clone)
    made_up = "0123456789abcdef" * 2
    (clone / "fixture.env").write_text(f"SESSION_KEY={made_up}\n")
    track(clone)
    assert leaks(clone).returncode == 0
    (clone / "fixture.env").write_text(f"SESSION_KEY={made_up[::-1]}\n")
    assert leaks(clone).returncode == 1

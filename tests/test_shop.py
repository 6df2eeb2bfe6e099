"""The example application by its own tests, as somebody who works on it runs them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SHOP = Path(__file__).parents[1] / "examples" / "shop"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with what its lock file names, from the npm registry or npm's own cache."""
    assert shutil.which("npm"), "these tests need Node with npm"
    folder = tmp_path_factory.mktemp("shop") / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("node_modules", "dist", ".env"))
    npm(folder, "ci", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error")
    return folder


def npm(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["npm", *words], cwd=folder, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_types_are_right(shop: Path) -> None:
    npm(shop, "run", "typecheck")


def test_its_own_tests_pass(shop: Path) -> None:
    said = npm(shop, "test")
    files = len(list((SHOP / "test").glob("*.test.ts")))
    assert files
    passed = [line for line in said.splitlines() if line.startswith(("# pass ", "ℹ pass "))]
    assert passed, said
    assert int(passed[0].split()[-1]) >= files, said

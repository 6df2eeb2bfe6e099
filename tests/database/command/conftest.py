"""drizzle-kit as an application has it, in an image that reaches the tests' database."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.database.conftest import have

from .project import Project

if TYPE_CHECKING:
    from tests.database.shells import Near

WANTED = ("drizzle-kit@0.31.11", "drizzle-orm@0.45.4", "pg@8.23.1")
CONFIG = """\
export default {
  dialect: 'postgresql', schema: './schema.js', out: './drizzle',
  dbCredentials: {url: process.env.DATABASE_URL},
};
"""
URL = "postgresql://shop:x@127.0.0.1/shop"


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with drizzle-kit, from the npm registry or npm's own cache."""
    assert shutil.which("npm"), "these tests need Node with npm"
    place = tmp_path_factory.mktemp("kit")
    (place / "package.json").write_text('{"private": true, "type": "module"}')
    flags = ["--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(
        ["npm", "install", "--prefer-offline", *flags, *WANTED],
        cwd=place,
        capture_output=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return place


Application = Callable[..., Project]


@pytest.fixture
def application(kit: Path, tmp_path: Path, postgres: Near, server: str) -> Iterator[Application]:
    """Makes an application: its `drizzle/`, its `schema.js`, and a release on this machine."""
    made: list[Project] = []

    def make(files: dict[str, bytes] | None = None, schema: str = "") -> Project:
        app = tmp_path / "app"
        shutil.rmtree(app, ignore_errors=True)
        app.mkdir()
        (app / "package.json").write_text('{"private": true, "type": "module"}')
        (app / "drizzle.config.js").write_text(CONFIG)
        (app / "schema.js").write_text(schema)
        for path, content in (files or {}).items():
            place = app / "drizzle" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        volumes = json.dumps([f"{app}:/app", f"{kit}/node_modules:/app/node_modules:ro"])
        folder = tmp_path / f"project-{len(made)}"
        one = Project(folder, have("localhost:5050/node:20"), f"container:{server}", volumes)
        one.url(URL)
        made.append(one)
        return one

    yield make
    for one in made:
        one.remove()

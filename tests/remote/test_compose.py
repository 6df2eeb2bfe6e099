"""Which program is Compose on a host: the one that the docker CLI would take."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from deploy.remote.script import assemble


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the plugin in it, and a docker on the PATH; each says who was called, and how."""
    home = tmp_path / "a home"
    for file in (tmp_path / "bin" / "docker", home / ".docker" / "cli-plugins" / "docker-compose"):
        file.parent.mkdir(parents=True)
        file.write_text('#!/bin/sh\necho "${0##*/}" "$@"\n')
        file.chmod(0o755)
    return home


def called(home: Path) -> str:
    text = assemble({}, [("deploy.remote", "compose")], "compose config 'a b'")
    done = subprocess.run(
        ["/bin/sh", "-euc", text],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(home), "PATH": f"{home.parent / 'bin'}:/usr/bin:/bin"},
    )
    return done.stdout.strip()


def test_the_plugin_is_called_by_its_own_name(home: Path) -> None:
    assert called(home) == "docker-compose config a b"


def test_where_other_folders_are_configured_the_cli_is_asked(home: Path) -> None:
    settings = {"cliPluginsExtraDirs": ["/opt/docker"]}
    (home / ".docker" / "config.json").write_text(json.dumps(settings))
    assert called(home) == "docker compose config a b"

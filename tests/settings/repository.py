"""A repository with hosts files, as small as it can be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.errors import SettingsError
from deploy.settings import Environment, load

GOOD = """\
app: shop
image: ghcr.io/acme/shop
hosts:
  web-1: {address: 203.0.113.11, roles: [web]}
  web-2: {address: 203.0.113.12, roles: [web]}
services:
  web: {role: web, port: 3000}
"""
"""A hosts file that is right; it ends on line 7."""


def write(root: Path, text: str, name: str = "production") -> Path:
    file = root / "hosts" / f"{name}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def loaded(root: Path, text: str, environ: Mapping[str, str] | None = None) -> Environment:
    write(root, text)
    return load(root, "production", environ or {})


def refused(root: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Load a file that is wrong, and return the lines that people see."""
    write(root, text)
    with pytest.raises(SettingsError) as caught:
        load(root, "production", environ or {})
    assert caught.value.exit_code == 2
    lines = str(caught.value).splitlines()
    assert lines[-1] == "Nothing has been changed."
    return lines[:-1]

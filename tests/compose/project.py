"""A team's repository in a temporary folder: a compose file and a hosts file, both small."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from deploy.compose.file import ComposeFile, read
from deploy.settings import Environment, load

HOSTS = """\
app: shop
image: ghcr.io/acme/shop
hosts:
  web-1: {address: 203.0.113.11, roles: [web]}
services:
  web: {role: web, port: 3000}
"""
"""One host with one service."""

FLEET = """\
app: shop
image: ghcr.io/acme/shop
hosts:
  web-1: {address: 203.0.113.11, roles: [web]}
  worker-1: {address: 203.0.113.21, roles: [worker]}
  db-1: {address: 203.0.113.31, roles: [db]}
services:
  web: {role: web, port: 3000}
  worker: {role: worker}
"""
"""Three hosts with two services."""

PUBLISHED = 'services: {web: {image: acme/shop, ports: ["80:3000"]}}\n'


def compose_of(root: Path, text: str) -> ComposeFile:
    (root / "compose.yaml").write_text(text, encoding="utf-8")
    return read(root / "compose.yaml", root)


def environment_of(
    root: Path, hosts: str = HOSTS, environ: Mapping[str, str] | None = None
) -> Environment:
    (root / "hosts").mkdir(exist_ok=True)
    (root / "hosts/production.yaml").write_text(hosts, encoding="utf-8")
    return load(root, "production", environ or {})

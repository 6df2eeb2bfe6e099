"""An environment whose site and whose hosts are web servers of this machine."""

from __future__ import annotations

from pathlib import Path

import yaml

from deploy.remote.fake import FakeHost, says
from deploy.settings import load
from deploy.situation import Situation

COMPOSE = """\
services:
  web: {image: 'ghcr.io/acme/shop:x', ports: ['${WEB_PORT}:3000']}
  worker: {image: 'ghcr.io/acme/shop:x'}
"""
ENVIRON: dict[str, str] = {}
"""Where secrets have their values from."""


def situation(
    root: Path,
    smoke: dict[str, object] | None,
    site: int,
    hosts: dict[str, int],
    name: str = "staging",
) -> Situation:
    """`site` is the port of the site, `hosts` are those of each web host's proxy."""
    (root / "hosts").mkdir(exist_ok=True)
    (root / "compose.yaml").write_text(COMPOSE)
    body = {
        "app": "shop",
        "image": "ghcr.io/acme/shop",
        "url": f"http://127.0.0.1:{site}",
        "hosts": {
            one: {"address": f"{one}.example", "roles": ["web"], "env": {"WEB_PORT": str(port)}}
            for one, port in hosts.items()
        }
        | {"worker-1": {"address": "worker-1.example", "roles": ["worker"]}},
        "services": {
            "web": {
                "role": "web",
                "port": 3000,
                "health": "/healthz",
                "version": {"path": "/healthz", "json": "version"},
            },
            "worker": {"role": "worker"},
        },
    }
    if smoke is not None:
        body["smoke"] = smoke
    (root / "hosts" / f"{name}.yaml").write_text(yaml.safe_dump(body, sort_keys=False))
    made = Situation.of(load(root, name, ENVIRON))
    made.hosts = {one: FakeHost(one, lambda _: says()) for one in made.placements}
    return made

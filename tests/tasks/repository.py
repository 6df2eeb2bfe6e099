"""A repository with a tasks.py, in which `inv` is typed as anybody types it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INV = Path(sys.executable).with_name("inv")

HOSTS_FILE = """\
app: shop
image: localhost:{port}/shop
registry: {{server: "localhost:{port}", username: acme, password: REGISTRY_TOKEN}}
secrets: [SESSION_KEY]
ssh: {{known_hosts: known_hosts, connect_timeout: 2s}}
hosts:
  web-1: {{address: 127.0.0.1, port: {port}, roles: [web]}}
services:
  web: {{role: web, port: 3000}}
"""
COMPOSE = """\
services:
  web:
    image: ${SHOP_IMAGE:?}
    environment: {SESSION_KEY: "${SESSION_KEY:?}"}
    ports: ["80:3000"]
"""
SECRETS = {"REGISTRY_TOKEN": "token-0", "SESSION_KEY": "key-0"}


@dataclass
class Repository:
    """A folder; `environ` is all of the environment that differs from a bare one."""

    folder: Path
    environ: dict[str, str] = field(default_factory=lambda: dict(SECRETS))

    def __post_init__(self) -> None:
        (self.folder / "hosts").mkdir(parents=True)
        self.write("tasks.py", "from deploy import namespace\n\nns = namespace()\n")
        self.write("compose.yaml", COMPOSE)

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text, encoding="utf-8")

    def environment(self, name: str, text: str | None = None, port: int = 9) -> None:
        self.write(f"hosts/{name}.yaml", HOSTS_FILE.format(port=port) if text is None else text)

    def command(self, *words: str) -> tuple[list[str], dict[str, str]]:
        bare = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "PYTHONPATH": str(ROOT)}
        return [str(INV), *words], bare | self.environ

    def inv(self, *words: str) -> subprocess.CompletedProcess[str]:
        argv, environ = self.command(*words)
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        return done

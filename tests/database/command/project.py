"""A release on this machine, and commands in one-off containers of it."""

from __future__ import annotations

import secrets
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.database.command.oneoff import OneOff
from deploy.database.migrations.script import Limits
from deploy.remote.arrows import Arrows
from deploy.settings.secret import Secret
from tests.database.conftest import docker
from tests.localhost import LocalHost

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPOSE = """\
services:
  web:
    image: {image}
    command: ["false"]
    restart: unless-stopped
    stdin_open: true
    tty: true
    depends_on: [absent]
    ports: ["1:1"]
    network_mode: {network}
    volumes: {volumes}
    environment: {{DATABASE_URL: "${{DATABASE_URL:?}}"}}
  absent:
    image: localhost:5050/none:none
"""
SECRET = "postgres://shop:hunter2@nowhere/shop"


class Project:
    """An application's folder on a host that is this machine, with the files of one release."""

    def __init__(
        self, folder: Path, image: str, network: str = "none", volumes: str = "[]"
    ) -> None:
        self.dir = folder / "host"
        self.name = f"hw-once-{secrets.token_hex(4)}"
        self.box = f"{self.name}-headway-migrate"
        self.release = self.dir / ".headway" / "releases" / "v2-0a1b2c3d"
        self.release.mkdir(parents=True)
        text = COMPOSE.format(image=image, network=network, volumes=volumes)
        (self.release / "compose.yaml").write_text(text)
        (self.release / "host.yaml").write_text("services: {}\n")
        self.url(SECRET)
        self.host = LocalHost("web-1")

    def url(self, value: str) -> None:
        (self.release / ".env").write_text(f"DATABASE_URL={value}\n")

    def command(self, text: str, timeout: float = 30, host: LocalHost | None = None) -> OneOff:
        settings = {"dir": str(self.dir), "project": self.name, "by": "test", "deploy": "d-1"}
        arrows = Arrows(host or self.host, settings, "", ask_again_for=5)
        hidden = [Secret("DATABASE_URL", SECRET)]
        release = self.release.name
        return OneOff(arrows, release, "web", text, timeout, Limits(5, 60), hidden)

    def boxes(self) -> list[str]:
        """The containers of the project, whatever state they are in."""
        label = f"label=com.docker.compose.project={self.name}"
        return docker("ps", "-a", "--filter", label, "--format", "{{.Names}}").split()

    def inspect(self, form: str) -> str:
        return docker("inspect", "-f", form, self.box)

    def remove(self) -> None:
        found = self.boxes()
        if found:
            docker("rm", "--force", "--volumes", *found)
        label = f"label=com.docker.compose.project={self.name}"
        for network in docker("network", "ls", "-q", "--filter", label).split():
            docker("network", "rm", network)


def processes() -> str:
    """Every process of this machine with its arguments, as its users see them."""
    words = ["ps", "axww", "-o", "args"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


class Heard(list[tuple[str, bool]]):
    """What was said; called as a step's `say`."""

    def __call__(self, text: str, warned: bool) -> None:
        self.append((text, warned))

    def __bool__(self) -> bool:
        return True


def values(text: str) -> Mapping[str, str]:
    """NAME=value lines as a mapping."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

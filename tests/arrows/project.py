"""An application on this machine's own engine, for as long as a test runs."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import secrets
import shutil
import socket
import subprocess
import textwrap
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.bundle import beside, given_values, image_values
from deploy.order import Order
from deploy.phases import _delivery
from deploy.release import Bundle, Release, release_id
from deploy.remote.arrows import ArrowFailed, Arrows
from deploy.settings import load
from deploy.situation import Files, Situation
from tests.localhost import LocalHost

if TYPE_CHECKING:
    from deploy.facts import HostFacts
    from deploy.remote.host import Result
    from deploy.remote.script import Report

HERE = Path(__file__).parent
APP = "hw-test/app"
"""The image of `app/`; its tags v1 to v3 are versions of it."""
CHANGING = ("docker", "mv", "rm", "cp", "touch")
"""Through which commands the scripts change something; see shim.sh."""

CHECK = """
healthcheck:
  test: ["CMD", "bash", "/app/check"]
  interval: 5s
  timeout: 4s
  retries: 2
  start_period: 10s
  start_interval: 500ms
stop_grace_period: 2s
restart: unless-stopped
"""


def docker(*argv: str, check: bool = True, stdin: str = "") -> str:
    done = subprocess.run(
        ["docker", *argv], check=False, capture_output=True, text=True, input=stdin
    )
    assert not check or done.returncode == 0, f"docker {' '.join(argv)}: {done.stderr}"
    return done.stdout.strip()


@cache
def compose_program() -> str:
    """Where the CLI finds Compose."""
    chosen = '{{range .ClientInfo.Plugins}}{{if eq .Name "compose"}}{{.Path}}{{end}}{{end}}'
    return docker("info", "--format", chosen)


_given_ports: set[int] = set()
_giving = threading.Lock()


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on and that no other project was given.

    Below those that the kernel gives to connections that go out: one of them could take it.
    """
    with _giving, socket.socket() as probe:
        while True:
            port = random.randint(25000, 32000)  # noqa: S311 - no secret
            if port not in _given_ports:
                with contextlib.suppress(OSError):
                    probe.bind(("127.0.0.1", port))
                    _given_ports.add(port)
                    return port


def service(**keys: str) -> str:
    """A service of the application, as the indented lines under its name."""
    text = 'image: ${APP_IMAGE:?}\nenvironment: {BEHAVIOUR: "${BEHAVIOUR:-}"}\n'
    text += "".join(f"{key}: {value}\n" for key, value in keys.items()) + CHECK.strip()
    return textwrap.indent(text, "    ")


@dataclass(frozen=True)
class Given:
    """A release, and what its one host gets of it."""

    release: Release
    bundle: Bundle
    files: Files

    @property
    def id(self) -> str:
        return self.release.id


@dataclass(frozen=True, order=True)
class Box:
    """A container as Docker has it: of which service, in which slot, and what it is."""

    service: str
    slot: str
    status: str
    version: str
    hash: str
    id: str = field(compare=False)


class TimedHost(LocalHost):
    """Ends a command at its deadline as a host does that is reached by SSH: SIGTERM first."""

    def exec(self, argv: Sequence[str], *, timeout: float, **rest: Any) -> Result:
        words = ["timeout", "-k", "5", f"{timeout}s", *argv]
        return super().exec(words, timeout=timeout + 10, **rest)


class Died(Exception):
    """The script was killed, as the test wanted."""


class Project:
    """A repository with a hosts file and a compose file, and the one host that is this machine."""

    def __init__(
        self, root: Path, compose: str, services: str, more: str = "", image: str = APP
    ) -> None:
        self.name = f"hw-{secrets.token_hex(4)}"
        self.port = free_port()
        self.repository = root / "repository"
        self.dir = root / "host"
        self.shims = root / "shims"
        self.calls = root / "calls"
        (self.repository / "hosts").mkdir(parents=True)
        self.dir.mkdir()
        self.shims.mkdir()
        for name in CHANGING:
            shutil.copy(HERE / "shim.sh", self.shims / name)
            (self.shims / name).chmod(0o755)
        plugins = self.shims / ".docker" / "cli-plugins"
        plugins.mkdir(parents=True)
        shutil.copy(self.shims / "docker", plugins / "docker-compose")
        self.write_compose(compose)
        (self.repository / "hosts" / "test.yaml").write_text(
            f"app: {self.name}\npath: {self.dir}\nimage: {image}\n"
            "hosts: {here: {address: 127.0.0.1, roles: [web]}}\n"
            "rollout: {min_healthy_time: 0s, healthy_deadline: 60s, probe_deadline: 1s, bake: 0s,"
            " keep_releases: 50}\n"
            f"services:\n{textwrap.indent(textwrap.dedent(services).strip(), '  ')}\n{more}\n"
        )
        self.host = LocalHost("here")
        self._deploys = 0

    def write_compose(self, text: str) -> None:
        """The team's compose file; `PORT` in it is a free one."""
        text = text.replace("PORT", str(self.port))
        (self.repository / "compose.yaml").write_text(text)
        self.__dict__.pop("situation", None)

    @cached_property
    def situation(self) -> Situation:
        made = Situation.of(load(self.repository, "test", {}))
        made.hosts = {"here": self.host}
        made.gather()
        return made

    # What is given to the host

    def release(self, tag: str, image: str = "", **env: str) -> Given:
        """A release of the application's version `tag`; `env` are more lines of its .env."""
        situation = self.situation
        environment, compose = situation.environment, situation.compose
        rolled = situation.placements["here"].rolled
        images = {
            one.name: image or f"{environment.image_of(one.name) or APP}:{tag}" for one in rolled
        }
        given = given_values(environment) | env
        values = given | image_values(compose, images, tag, given)
        carried = beside(environment, compose)
        id_ = release_id(tag, images, compose.text, values, carried.files)
        release = Release(id_, tag, images, "2026-01-01T00:00:00Z")
        bundle = Bundle(release, compose.text, values, carried.files)
        return Given(release, bundle, situation.files("here", release, values, carried))

    def arrows(self, release: Given, verb: str, **overrides: str) -> Arrows:
        settings = {"deploy": f"d{self._deploys}", "by": "test", "verb": verb}
        return self.situation.arrows("here", settings | {"release": release.id} | overrides)

    def deliver(self, release: Given, **how: Any) -> Report:
        order = Order("d0", "test", None, release.release, release.bundle, {"here": release.files})  # type: ignore[arg-type]
        arrow, stdin = _delivery(self.situation, order, "here", "")
        self._deploys += 1
        return self.send(arrow, release, stdin=stdin, **how)

    def send(
        self,
        arrow: str,
        release: Given,
        *,
        verb: str = "deploy",
        token: str = "",
        timeout: float = 90,
        stdin: bytes = b"",
        dies_at: int = 0,
        before: str = "",
        **overrides: str,
    ) -> Report:
        """Do one arrow.

        Args:
            arrow: its name.
            release: what it is done with.
            verb: of the deploy that it belongs to.
            token: its own, else a new one.
            timeout: seconds.
            stdin: what it reads.
            dies_at: at which changing call everything of it is killed; 0: at none.
            before: shell that runs before every command of `CHANGING`.
            overrides: further settings.
        """
        host = TimedHost("here")
        if dies_at or before:
            hook = self.calls.with_name("before.sh")
            hook.write_text(before)
            self.calls.write_text("")
            host.environ = {
                "PATH": f"{self.shims}:{os.environ['PATH']}",
                "SHIM_PATH": os.environ["PATH"],
                "HOME": str(self.shims),
                "SHIM_COMPOSE": compose_program(),
                "SHIM_CALLS": str(self.calls),
                "SHIM_DIES_AT": str(dies_at),
                "SHIM_BEFORE": str(hook) if before else "",
            }
        arrows = self.arrows(release, verb, **overrides)
        arrows = Arrows(host, arrows.settings, arrows.proxy)
        try:
            return arrows.send(
                arrow, token=token or secrets.token_hex(4), timeout=timeout, stdin=stdin
            )
        except ArrowFailed as error:
            if dies_at and error.reason == f"the script ended with exit code {128 + 9}":
                raise Died(arrow) from None
            error.add_note(error.detail)
            raise

    def roll(self, release: Given, **how: Any) -> None:
        """All of it, from wherever the host is."""
        self.deliver(release)
        for arrow in ("stage", "switch", "settle"):
            self.send(arrow, release, **how)

    # What a person does there

    def compose(self, *argv: str, check: bool = True) -> str:
        """`docker compose …` typed in the application's folder."""
        done = subprocess.run(
            ["docker", "compose", *argv],
            check=False,
            capture_output=True,
            text=True,
            cwd=self.dir,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    # What is there

    def facts(self) -> HostFacts:
        situation = Situation.of(load(self.repository, "test", {}))
        situation.hosts = {"here": self.host}
        return situation.gather()["here"]

    def boxes(self, of: str = "web") -> list[Box]:
        ids = docker(
            "ps", "-aq", "--filter", f"label=com.docker.compose.project={self.name}"
        ).split()
        found = []
        for one in json.loads(docker("inspect", *ids)) if ids else []:
            labels, config = one["Config"]["Labels"], one["Config"]
            if of and labels["com.docker.compose.service"] != of:
                continue
            name = labels["com.docker.compose.service"]
            network = one["NetworkSettings"]["Networks"].get(f"{self.name}-slots") or {}
            slots = [
                alias.removeprefix(f"{name}-")
                for alias in network.get("Aliases") or []
                if alias in (f"{name}-blue", f"{name}-green")
            ]
            version = next((e[8:] for e in config["Env"] if e.startswith("VERSION=")), "")
            found.append(
                Box(
                    name,
                    "+".join(slots),
                    one["State"]["Status"],
                    version,
                    labels["com.docker.compose.config-hash"],
                    one["Id"],
                )
            )
        return sorted(found)

    def volumes(self) -> set[str]:
        """The anonymous volumes that containers of the project have."""
        listed = '{{range .Mounts}}{{if eq .Destination "/cache"}}{{.Name}} {{end}}{{end}}'
        return set(docker("inspect", "-f", listed, *self.ids()).split())

    def ids(self) -> set[str]:
        return {box.id for box in self.boxes("")}

    def live(self, name: str = "web") -> str:
        return "green" if (self.dir / "slots" / f"{name}.green").exists() else "blue"

    def next(self) -> str:
        """The phase of the roll that is under way, "" without one."""
        file = self.dir / ".headway" / "next"
        found = re.search(r"^phase (.*)$", file.read_text(), re.M) if file.exists() else None
        return found.group(1) if found else ""

    def journal(self) -> list[tuple[str, str, str]]:
        """(release, verb, what) of every line."""
        file = self.dir / ".headway" / "journal.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        return [(one["release"], one["verb"], one["what"]) for one in map(json.loads, lines)]

    def wanted_hashes(self) -> dict[str, str]:
        """Service → the hash that plain `docker compose` in the folder would give it."""
        text = self.compose("config")
        done = subprocess.run(
            ["docker", "compose", "-p", self.name, "-f", "-", "config", "--hash", "*"],
            check=True,
            capture_output=True,
            text=True,
            input=text,
            cwd=self.dir,
        )
        return dict(line.split() for line in done.stdout.splitlines())

    def assert_settled(self, given: Given, *, of: str = "web", replicas: int = 1) -> None:
        """The host is on a release and on nothing else."""
        assert self.next() == ""
        folder = self.dir / ".headway" / "releases" / given.id
        assert (self.dir / "compose.yaml").read_text() == given.bundle.compose
        assert (self.dir / ".headway" / "host.yaml").read_text() == given.files.override
        assert (self.dir / ".env").read_text() == given.files.env
        assert f"HEADWAY_RELEASE={given.id}\n" in given.files.env
        assert (folder / "release.json").exists()
        rolled = {one.name: one for one in self.situation.placements["here"].rolled}
        slot = self.live(of) if rolled[of].order == "start-first" else ""
        expected = self.wanted_hashes()[of]
        boxes = self.boxes(of)
        assert [(box.slot, box.status, box.version, box.hash) for box in boxes] == [
            (slot, "running", given.release.tag, expected)
        ] * replicas

    def remove(self) -> None:
        ids = docker(
            "ps", "-aq", "--filter", f"label=com.docker.compose.project={self.name}"
        ).split()
        if ids:
            docker("rm", "-f", "-v", *ids)
        for kind in ("network", "volume"):
            listed = docker(
                kind, "ls", "-q", "--filter", f"label=com.docker.compose.project={self.name}"
            ).split()
            if listed:
                docker(kind, "rm", *listed, check=False)
        docker("network", "rm", f"{self.name}-slots", check=False)

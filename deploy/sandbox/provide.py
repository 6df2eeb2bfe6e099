"""Docker, made usable: looks at the machine, and does what `engine.decide` says."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.errors import NeedsPerson
from deploy.sandbox import engine
from deploy.sandbox.apt import as_root, install, may_be_root
from deploy.sandbox.docker import Docker

SOCKET = "/var/run/docker.sock"
LOG = Path("/var/log/headway-dockerd.log")
START_SECONDS = 60.0
"""For a daemon to answer; after a crash it first puts its containers in order."""

Say = Callable[[str], None]


def ready(say: Say) -> Docker:
    """The Docker command of a usable engine, installed and started where that is possible.

    Raises:
        UsageError: there is none, and none can be had; with what to install.
        NeedsPerson: its installation or its start failed.
    """
    docker, found = look()
    usable = found.answers and found.client_complete
    recipe = engine.decide(found, system(ask=not (usable or found.forbidden)))
    if recipe.packages:
        install(recipe.packages, trixie=recipe.trixie, say=say)
    if recipe.start:
        start(say)
    if recipe != engine.Recipe():
        docker, found = look()
        engine.decide(found, system())
    return docker


def running() -> Docker | None:
    """The Docker command of the engine that runs, or None; nothing is started."""
    docker, found = look()
    return docker if found.answers else None


def look() -> tuple[Docker, engine.Found]:
    """The best of the `docker` commands on this machine, and what it finds."""
    dockerd = any(shutil.which("dockerd", path=path) for path in (None, "/usr/sbin:/usr/bin"))
    best, most = Docker(), engine.Found(forbidden=forbidden(), dockerd=dockerd)
    for docker in commands():
        if not docker.works("version", "--format", "{{.Server.Version}}"):
            if most.answers or not docker.works("--version"):
                continue
            answers = False
        else:
            answers = True
        found = engine.Found(
            answers=answers,
            forbidden=forbidden() and not answers,
            dockerd=dockerd,
            compose=compose_version(docker),
            buildx=docker.works("buildx", "version"),
        )
        if (found.answers, found.client_complete) > (most.answers, most.client_complete):
            best, most = docker, found
        if found.answers and found.client_complete:
            break
    return best, most


def commands() -> Iterator[Docker]:
    """Every `docker` on the path, an old client in /usr/local/bin among them, then with sudo."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin"]
    found = dict.fromkeys(
        path for folder in folders if folder and os.access(path := f"{folder}/docker", os.X_OK)
    )
    yield from (Docker((path,)) for path in found)
    if os.geteuid() != 0 and found and may_be_root():
        yield from (Docker(("sudo", "-n", path)) for path in found)


def compose_version(docker: Docker) -> tuple[int, int] | None:
    """Compose's version, if that command has a Compose."""
    if not docker.works("compose", "version"):
        return None
    return engine.number(docker("compose", "version", "--short"))


def forbidden() -> bool:
    """Whether an engine's socket is there that this user may not use."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(SOCKET)
        except PermissionError:
            return True
        except OSError:
            return False
    return False


def system(*, ask: bool = False) -> engine.System:
    """This machine; with `ask`, sudo may ask for a password."""
    release = Path("/etc/os-release")
    has_apt = shutil.which("apt-get") is not None
    return engine.System(
        release=engine.parse_release(release.read_text()) if has_apt and release.is_file() else {},
        root=may_be_root(ask=ask),
        foreign=Path("/var/lib/dpkg/info/docker-ce.list").is_file(),
        elsewhere=os.environ.get("DOCKER_HOST", ""),
    )


def start(say: Say) -> None:
    """Start the daemon and wait until it answers.

    Raises:
        NeedsPerson: it does not, with the end of its log.
    """
    if Path("/run/systemd/system").is_dir():
        say("starting the Docker Engine with systemd")
        as_root("systemctl", "start", "docker")
    else:
        say(f"starting the Docker Engine itself, as there is no systemd; its log is {LOG}")
        as_root("sh", str(Path(__file__).with_name("start-engine.sh")), str(LOG))
    deadline = time.monotonic() + START_SECONDS
    while not (running() or forbidden()):
        if time.monotonic() > deadline:
            log = LOG.read_text(errors="replace") if LOG.is_file() else ""
            tail = "\n".join(log.splitlines()[-20:])
            raise NeedsPerson(
                f"The Docker Engine does not answer after {START_SECONDS:.0f} s.\n{tail}",
                state="Nothing of the sandbox has been made.",
                mend=f"Its log: {LOG}, or `journalctl -u docker`.",
            )
        time.sleep(0.5)

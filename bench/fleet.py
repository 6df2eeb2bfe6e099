"""What the bench asks of the sandbox, beside what it measures."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tarfile import open as open_tar
from typing import TYPE_CHECKING

from bench.figures import sessions
from deploy.api import intend_deploy
from deploy.errors import NeedsPerson, UsageError
from deploy.phases import phases
from deploy.sandbox import elsewhere, images, provide
from deploy.sandbox.home import Home
from deploy.sandbox.machines import REGISTRY
from deploy.settings import load
from deploy.situation import Situation
from deploy.steps.hosts import Prepare

if TYPE_CHECKING:
    from deploy.sandbox.docker import Docker
    from deploy.settings import Environment

ENVIRONMENT = "sandbox"
FLUSHED = 0.5
"""Seconds until what an sshd wrote is sure to be in its container's log."""


class Fleet:
    """The sandbox's hosts, from outside (Docker) and as Headway sees them.

    What it deploys with is a project of its own in `folder`, whose settings are the sandbox's
    without what the floor does not do either: smoke tests, and telling anybody.
    """

    def __init__(self, folder: Path) -> None:
        docker = provide.running()
        if docker is None:
            raise UsageError("Docker does not run.", mend="inv sandbox.up")
        self.docker: Docker = docker
        self.home = Home()
        self.folder = folder
        elsewhere.write(folder, ENVIRONMENT, elsewhere.settings())

    @property
    def environment(self) -> Environment:
        """The settings, read anew."""
        return load(self.folder, ENVIRONMENT, os.environ)

    @contextmanager
    def situation(self) -> Iterator[Situation]:
        """The sandbox as Headway sees it, nothing connected yet."""
        found = Situation.of(self.environment)
        try:
            yield found
        finally:
            found.close()

    def sessions(self, since: float) -> dict[str, int]:
        """Host → the SSH executions that its sshd wrote down since a time (seconds, Unix)."""
        time.sleep(FLUSHED)
        counts = {}
        for host in self.home.host_names():
            argv = [*self.docker.command, "logs", "--since", f"{since:.6f}", f"headway-{host}"]
            done = subprocess.run(
                argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
            )
            counts[host] = sessions(done.stdout.decode("utf-8", "replace"))
        return counts

    def forget(self, tag: str) -> None:
        """Make sure that no host has the image of `tag`, so that whoever deploys it must pull it.

        Raises:
            NeedsPerson: the registry does not have it, or a host cannot let go of it.
        """
        digest = images.digest_in_registry("shop", tag, self.home.secret("REGISTRY_PASSWORD"))
        if digest is None:
            raise NeedsPerson(f"the registry has no shop:{tag}")
        image = f"{REGISTRY}/shop@{digest}"
        for host in self.home.host_names():
            inside = ["exec", f"headway-{host}", "docker", "image"]
            self.docker.works(*inside, "rm", "--force", image)
            if self.docker.works(*inside, "inspect", image):
                raise NeedsPerson(f"{host}: {image} is in use and cannot be removed")

    def files_of(self, tag: str, folder: Path) -> None:
        """Write what Headway would send of the release of `tag` to `folder`/HOST/.

        The proxy's routes are left out: they are the host's, and are there already.
        """
        with self.situation() as situation:
            intent = intend_deploy(situation, tag, os.environ)
            first = phases(situation, intent.order, intent.again)[0]
        for step in first:
            if not isinstance(step, Prepare):
                raise TypeError(f"a deploy no longer begins with {Prepare.__name__}")
            unpack(step.stdin.partition(b"\n")[2], folder / step.host)


def unpack(archive: bytes, folder: Path) -> None:
    """Write the files of a packed release below a new folder, with their modes."""
    folder.mkdir(parents=True)
    with open_tar(fileobj=BytesIO(archive)) as members:
        for member in members:
            content = members.extractfile(member)
            if content is None or member.name.startswith("proxy/"):
                continue
            path = folder / member.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(content.read())
            path.chmod(member.mode)


@contextmanager
def workplace(home: Home) -> Iterator[Path]:
    """A folder below `.sandbox/`, which nobody else can read: releases hold secrets."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=home.path) as folder:
        yield Path(folder)

"""The sandbox's containers, one at a time: listed, made, filled, and waited for."""

from __future__ import annotations

import io
import socket
import tarfile
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from deploy.errors import NeedsPerson
from deploy.sandbox.converge import Container
from deploy.sandbox.machines import (
    CONFIG_LABEL,
    LABEL,
    NETWORK,
    OWNER_LABEL,
    SUBNET,
    File,
    Machine,
    create_argv,
)

if TYPE_CHECKING:
    from deploy.sandbox.docker import Docker

NO_REQUEST = b"?\r\n\r\n"
"""What an HTTP server answers by itself, with 400. A request would go through the edge to hosts,
and where nothing is deployed yet their proxies wait for it."""

READY_SECONDS = 90.0
"""For sshd and an engine to answer: 3 s on an idle machine, more on a busy one."""


def present(docker: Docker) -> list[Container]:
    """The sandbox's containers, running or not."""
    form = '{{.Names}}\t{{.State}}\t{{.Label "' + CONFIG_LABEL + '"}}'
    listed = docker.lines("ps", "--all", "--filter", f"label={LABEL}=1", "--format", form)
    return [Container(*line.split("\t")) for line in listed]


def create(
    docker: Docker, machine: Machine, image: str, config: str, files: Mapping[str, File]
) -> None:
    """Make the container and what it stands on, with its files in it, not yet started."""
    for volume, _ in machine.volumes:
        docker("volume", "create", "--label", f"{LABEL}=1", volume)
    docker(*create_argv(machine, image, config))
    if files:
        copy(docker, machine.container, files)


def copy(docker: Docker, container: str, files: Mapping[str, File]) -> None:
    """Put files into a container, running or not."""
    docker("cp", "-", f"{container}:/", stdin=archive(files))


def archive(files: Mapping[str, File]) -> bytes:
    """The files as an uncompressed tar archive, with their owners and modes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, file in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(file.content), file.mode, int(time.time())
            entry.uid = entry.gid = file.uid
            tar.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()


def owner(docker: Docker) -> str | None:
    """The name of the keys that the sandbox was made with; None where there is no network of it."""
    form = '{{.Name}} {{.Label "' + OWNER_LABEL + '"}}'
    listed = docker.lines("network", "ls", "--filter", f"name=^{NETWORK}$", "--format", form)
    return listed[0].partition(" ")[2] if listed else None


def network(docker: Docker, owner: str) -> None:
    """Have the network, which says whose keys the machines on it were made with."""
    if docker.lines("network", "ls", "--quiet", "--filter", f"name=^{NETWORK}$"):
        return
    labels = ("--label", f"{LABEL}=1", "--label", f"{OWNER_LABEL}={owner}")
    docker("network", "create", *labels, "--subnet", SUBNET, NETWORK)


def wait_ready(docker: Docker, machine: Machine) -> None:
    """Wait until the machine does its work: a VPS answers SSH, and its engine answers too.

    Raises:
        NeedsPerson: it does not; with the last lines of its log.
    """
    if not ready_within(docker, machine, READY_SECONDS):
        log = docker("logs", "--tail", "20", machine.container)
        raise NeedsPerson(
            f"{machine.name} did not become ready within {READY_SECONDS:.0f} s.\n{log}",
            state="The other machines are as they were made.",
            mend=f"docker logs {machine.container}; `inv sandbox.up` tries again.",
        )


def ready_within(docker: Docker, machine: Machine, seconds: float) -> bool:
    """Wait that long at most for the machine to do its work, and say whether it does."""
    deadline = time.monotonic() + seconds
    while not answers(docker, machine):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def answers(docker: Docker, machine: Machine) -> bool:
    """Whether the machine's ports answer, and on a VPS its engine.

    The engine comes first: who connects to sshd again and again and never logs in is shut out by it
    for a while (PerSourcePenalties, sshd_config(5)).
    """
    if machine.kind == "vps":
        ping = ("curl", "-fsS", "--unix-socket", "/run/docker.sock", "http://docker/_ping")
        if not docker.works("exec", machine.container, *ping):
            return False
    for port, inside in machine.ports:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                # Docker's own forwarder takes connections before anybody listens behind it; only
                # sshd speaks first, the others are asked.
                if inside != 22:
                    connection.sendall(NO_REQUEST)
                if not connection.recv(16):
                    return False
        except OSError:
            return False
    return True

"""What the sandbox consists of: names, addresses, ports, and the `docker create` of each container.

Pure: nothing here looks at the machine. The addresses are fixed, so that the same machine has the
same address after `down` and `up`, and known_hosts stays true.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

NETWORK = "headway-sandbox"
SUBNET = "10.231.0.0/16"
LABEL = "headway.sandbox"
CONFIG_LABEL = "headway.sandbox.config"
OWNER_LABEL = "headway.sandbox.owner"
REGISTRY = "localhost:5050"
REGISTRY_USER = "sandbox"
MAX_HOSTS = 40
"""Web hosts: measured, 40 of them with nothing deployed take 3 GB and start in half a minute."""

THIRD_OCTET = {"web": 1, "worker": 2, "db": 3}
"""Of a VPS's address, by its role."""

OUTSIDE_PORT = 5051
"""Of 127.0.0.1: where the sandbox's Slack, Cloudflare and webhook answer."""

OUTSIDE_SERVER = "opt/outside/server.mjs"
OUTSIDE_SECRETS = "etc/outside.json"

Kind = Literal["vps", "edge", "registry", "outside"]


@dataclass(frozen=True)
class File:
    """A file that is copied into a container before it starts."""

    content: bytes
    mode: int = 0o644
    uid: int = 0


@dataclass(frozen=True)
class Machine:
    """One container of the sandbox.

    `ports` are (port on the laptop's 127.0.0.1, port in the container); `volumes` are (name, path
    in the container); `roles` are those of the hosts file, empty for what is no host; `command` is
    what runs in it, if not what its image says.
    """

    name: str
    kind: Kind
    address: str
    ports: tuple[tuple[int, int], ...]
    volumes: tuple[tuple[str, str], ...] = ()
    roles: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()

    @property
    def container(self) -> str:
        """The container's name."""
        return f"headway-{self.name}"

    @property
    def ssh_port(self) -> int:
        """The port of its sshd on the laptop's 127.0.0.1."""
        return next(outside for outside, inside in self.ports if inside == 22)


def fleet(hosts: int, port: int) -> list[Machine]:
    """All machines of a sandbox with that many web hosts, and the edge on that port."""
    return [
        Machine(
            "registry",
            "registry",
            "10.231.5.1",
            ports=((5050, 5050),),
            volumes=(("headway-registry", "/var/lib/docker-registry"),),
        ),
        *(vps("web", number, 22000 + number) for number in range(1, hosts + 1)),
        vps("worker", 1, 22101),
        vps("db", 1, 22201),
        Machine("edge", "edge", "10.231.4.1", ports=((port, 80),)),
        outside(),
    ]


def vps(role: str, number: int, ssh_port: int) -> Machine:
    """One host: its engine's storage and /srv are volumes, so that both outlive its container."""
    name = f"{role}-{number}"
    return Machine(
        name,
        "vps",
        f"10.231.{THIRD_OCTET[role]}.{number}",
        ports=((ssh_port, 22),),
        volumes=(
            (f"headway-{name}-docker", "/var/lib/docker"),
            (f"headway-{name}-srv", "/srv"),
        ),
        roles=(role,),
        env={"REGISTRY": "10.231.5.1:5050"},
    )


def outside() -> Machine:
    """What stands for Slack, Cloudflare and a webhook; faults are read from /run/outside."""
    listen = ("0.0.0.0", str(OUTSIDE_PORT))  # noqa: S104 - in the container; published on loopback
    return Machine(
        "outside",
        "outside",
        "10.231.6.1",
        ports=((OUTSIDE_PORT, OUTSIDE_PORT),),
        command=("node", f"/{OUTSIDE_SERVER}", *listen, f"/{OUTSIDE_SECRETS}", "/run/outside"),
    )


def create_argv(machine: Machine, image: str, config: str) -> list[str]:
    """The words after `docker` that make the machine's container, `config` being its hash."""
    argv = ["create", "--name", machine.container, "--hostname", machine.name]
    argv += ["--label", f"{LABEL}=1", "--label", f"{CONFIG_LABEL}={config}"]
    argv += ["--network", NETWORK, "--ip", machine.address]
    # Back after the outer engine was started anew, but not after a person stopped or killed it.
    argv += ["--restart", "unless-stopped", "--log-opt", "max-size=10m"]
    for outside, inside in machine.ports:
        argv += ["--publish", f"127.0.0.1:{outside}:{inside}"]
    for volume, path in machine.volumes:
        argv += ["--volume", f"{volume}:{path}"]
    for name, value in machine.env.items():
        argv += ["--env", f"{name}={value}"]
    if machine.kind == "vps":
        # 30 s: an engine gives its containers 10 s each to stop, several at a time.
        argv += ["--privileged", "--cgroupns", "private", "--stop-timeout", "30"]
        argv += ["--tmpfs", "/run:exec,mode=755"]
    return [*argv, image, *machine.command]


def config_hash(machine: Machine, image: str, files: Mapping[str, File]) -> str:
    """A short name for everything that a container is made of; another name means: make it anew."""
    digest = hashlib.sha256(repr(create_argv(machine, image, "")).encode())
    for path, file in sorted(files.items()):
        digest.update(repr((path, file.mode, file.uid, file.content)).encode())
    return digest.hexdigest()[:16]

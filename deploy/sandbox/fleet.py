"""The sandbox comes up and goes down: `up` converges whatever it finds, `down` leaves nothing."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import UsageError
from deploy.sandbox import base, edge, images, provide
from deploy.sandbox.apt import as_root
from deploy.sandbox.containers import (
    copy,
    create,
    network,
    owner,
    present,
    ready_within,
    wait_ready,
)
from deploy.sandbox.converge import Changes, changes
from deploy.sandbox.home import Home, public_key
from deploy.sandbox.machines import (
    LABEL,
    MAX_HOSTS,
    OUTSIDE_SECRETS,
    OUTSIDE_SERVER,
    REGISTRY_USER,
    File,
    Kind,
    Machine,
    config_hash,
    fleet,
)
from deploy.sandbox.teardown import remove, remove_images

if TYPE_CHECKING:
    from deploy.sandbox.docker import Docker

Say = Callable[[str], None]

AT_ONCE = 4
"""Containers that start, and images that build, at a time: two for each of two cores."""

SETTLED_SECONDS = 10.0
"""For a machine that is up already to answer, on a busy laptop."""

EDGE = "headway-edge"
EDGE_CONFIG = "usr/local/etc/haproxy/haproxy.cfg"


def up(hosts: int = 3, port: int = 8080, *, home: Home | None = None, say: Say = print) -> None:
    """Bring the sandbox to `hosts` web hosts and an edge on 127.0.0.1:`port`, whatever is there.

    Raises:
        UsageError: a number out of range, a port that is taken, or no Docker and no way to get it.
        DockerFailed: Docker refused something; `up` again goes on from there.
        NeedsPerson: a VPS did not become ready.
    """
    if not 1 <= hosts <= MAX_HOSTS:
        raise UsageError(f"--hosts {hosts}: the sandbox has 1 to {MAX_HOSTS} web hosts.")
    if not 1 <= port <= 65535:
        raise UsageError(f"--port {port}: a port is a number from 1 to 65535.")
    started = time.monotonic()

    def line(text: str) -> None:
        say(f"[{time.monotonic() - started:5.1f} s] {text}")

    home = home or Home()
    docker = provide.ready(line)
    with home.locked():
        mine = home.complete and owner(docker) in {None, home.name}
        if not mine and present(docker):
            line("the sandbox that is there was made with other keys: starting over")
            remove(docker, present(docker), keep_registry=False)
        home.prepare()
        machines = fleet(hosts, port)
        converge(docker, home, machines, line)
    beside = "a registry, an edge, a Slack and a Cloudflare"
    line(f"up: {hosts} web hosts, a worker host, a database host, {beside}")
    say(f"The edge answers on {home.address()} as soon as something is deployed. Next:")
    say("    inv sandbox.release v1")
    say("    inv deploy.sandbox --tag v1")
    say("    inv sandbox.told    # what Slack and Cloudflare were sent")


def down(*, keep_images: bool = False, home: Home | None = None, say: Say = print) -> None:
    """Remove containers, volumes, the network, the images and `.sandbox/`.

    Args:
        keep_images: leave the images and the registry's volume, for a quick next `up`.
        home: the folder that goes.
        say: takes a line for whatever takes over a second.
    """
    home = home or Home()
    docker = provide.running()
    left = ", but its images" if keep_images else ""
    with home.locked():
        if docker:
            say("removing the sandbox")
            remove(docker, present(docker), keep_registry=keep_images)
            kept = [] if keep_images else remove_images(docker)
            if not keep_images:
                # Nothing in it says whose it is.
                say("BuildKit's cache stays, with what else was built here: docker builder prune")
            if kept:
                left = f", but {', '.join(kept)}, on which a container of somebody else's runs"
        if (home.path / "base").exists():  # an `up` was killed; what it made there is root's
            as_root("rm", "-rf", "--one-file-system", str(home.path / "base"))
        shutil.rmtree(home.path)
    say(f"down: nothing of the sandbox is left{left}")


def converge(docker: Docker, home: Home, machines: list[Machine], say: Say) -> None:
    """Turn what is there into these machines, and wait until each of them answers."""
    base_id = base.ensure(docker, home.path / "base", say)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            # The machines' images first: the others are built while their containers start.
            names = dict.fromkeys([*images.MACHINES.values(), *images.OFFERED])
            builds = {name: pool.submit(images.build, docker, name, base_id, say) for name in names}
            tags = {kind: builds[name].result() for kind, name in images.MACHINES.items()}
            bring_all(docker, home, machines, tags, pool=pool, say=say)
            docker("tag", base.BASE, images.OFFERED_BASE)
            password = home.secret("REGISTRY_PASSWORD")
            offers = [images.OFFERED_BASE]
            for name, image in images.OFFERED.items():
                builds[name].result()
                offers.append(image)
            for push in [
                pool.submit(images.offer, docker, image, password, say) for image in offers
            ]:
                push.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    images.tidy(docker, [build.result() for build in builds.values()])


def bring_all(
    docker: Docker,
    home: Home,
    machines: list[Machine],
    tags: Mapping[Kind, str],
    *,
    pool: ThreadPoolExecutor,
    say: Say,
) -> None:
    """Have every container of these machines run and answer, and no other."""
    by_name = {machine.container: machine for machine in machines}
    files = {name: contents(machine, home) for name, machine in by_name.items()}
    wanted = {
        name: config_hash(machine, tags[machine.kind], files[name])
        for name, machine in by_name.items()
    }
    change = changes(wanted, present(docker))
    check_ports(docker, change, by_name)
    home.write_hosts(machines)
    clear(docker, change, by_name, say)
    network(docker, home.name)

    def bring(name: str) -> None:
        machine = by_name[name]
        if name in change.create:
            create(docker, machine, tags[machine.kind], wanted[name], files[name])
        if name == EDGE:
            configure(docker, name, edge_configuration(machines))
        if name in change.unpause:
            docker("unpause", name)
        elif name in (*change.create, *change.start):
            docker("start", name)
        elif not ready_within(docker, machine, SETTLED_SECONDS):
            # It ran already, and yet nobody answers: the engine's way to its ports may be gone.
            say(f"{machine.name} runs and does not answer: starting it again")
            docker("restart", name)
        wait_ready(docker, machine)

    coming = change.create + change.start + change.unpause
    if coming:
        say(f"starting {listed(coming)}")
    for _ in pool.map(bring, by_name):
        pass


def contents(machine: Machine, home: Home) -> dict[str, File]:
    """The files that the machine must have before it starts, by their path."""
    if machine.kind == "vps":
        host_key = home.host_key(machine.name)
        login = public_key(home.key.read_bytes())
        return {
            "etc/ssh/ssh_host_ed25519_key": File(host_key, 0o600),
            "etc/ssh/ssh_host_ed25519_key.pub": File(f"{public_key(host_key)}\n".encode()),
            "home/deploy/.ssh/authorized_keys": File(f"{login} sandbox\n".encode(), 0o600, 1000),
        }
    if machine.kind == "registry":
        return {"etc/docker/registry/htpasswd": File(home.registry_login(REGISTRY_USER))}
    if machine.kind == "outside":
        return {
            OUTSIDE_SERVER: File((Path(__file__).parent / "outside" / "server.mjs").read_bytes()),
            OUTSIDE_SECRETS: File(home.outside_secrets(), 0o600),
        }
    return {}


def clear(docker: Docker, change: Changes, wanted: Mapping[str, Machine], say: Say) -> None:
    """Remove what is in the way, and, with their volumes, hosts that nobody wants any more.

    The volumes of a host whose container went in an `up` that was cut short go as well.
    """
    gone = (*change.remove, *change.retire)
    if gone:
        say(f"removing {listed(gone)}")
        docker("rm", "--force", "--volumes", *gone)
    keep = {volume for machine in wanted.values() for volume, _ in machine.volumes}
    volumes = docker.lines("volume", "ls", "--quiet", "--filter", f"label={LABEL}=1")
    old = [volume for volume in volumes if volume not in keep]
    if old:
        docker("volume", "rm", "--force", *old)


def listed(containers: Sequence[str]) -> str:
    """Containers as the hosts file names them, or how many they are."""
    if len(containers) > 8:
        return f"{len(containers)} machines"
    return ", ".join(name.removeprefix("headway-") for name in containers)


def check_ports(docker: Docker, change: Changes, machines: Mapping[str, Machine]) -> None:
    """Refuse, before anything is changed, when a port of a container to come is somebody else's.

    Raises:
        UsageError: with the port and what to type.
    """
    ours = {
        line.rpartition(":")[2] for name in change.remove for line in docker.lines("port", name)
    }
    for name in change.create:
        for port, _ in machines[name].ports:
            fault = None if str(port) in ours else port_fault(port)
            if fault:
                other = f"end what listens there (`ss -ltnp sport = :{port}`)."
                mend = "`inv sandbox.up --port N` takes another, or " if name == EDGE else ""
                raise UsageError(
                    f"port {port} of 127.0.0.1, for {listed([name])}: {fault}.",
                    state="Nothing has been changed.",
                    mend=mend + other,
                )


def port_fault(port: int) -> str | None:
    """Why nothing new can listen on that port of 127.0.0.1, if so."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror
    return None


def edge_configuration(machines: Iterable[Machine]) -> bytes:
    """The edge's configuration for the web hosts among these machines."""
    web = {machine.name: machine.address for machine in machines if "web" in machine.roles}
    return edge.configuration(web).encode()


def configure(docker: Docker, container: str, wanted: bytes) -> None:
    """Have the edge use its configuration, if it does not; requests in flight are not disturbed."""
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "held"
        docker.works("cp", f"{container}:/{EDGE_CONFIG}", str(held))
        if held.is_file() and held.read_bytes() == wanted:
            return
    copy(docker, container, {EDGE_CONFIG: File(wanted)})
    if docker("inspect", "--format", "{{.State.Status}}", container) == "running":
        # HAProxy's signal for: read the configuration anew, and let the old process finish.
        docker("kill", "--signal", "USR2", container)

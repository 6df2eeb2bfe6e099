"""Breaks a host of the sandbox in one of the ways of `faults`, and mends it.

What stands for Slack, Cloudflare and a webhook is broken likewise (`outside/faults.py`).
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from deploy.errors import UsageError
from deploy.sandbox import provide
from deploy.sandbox.docker import DockerFailed
from deploy.sandbox.faults import FAULTS, Fault
from deploy.sandbox.home import Home
from deploy.sandbox.outside import faults as outside

if TYPE_CHECKING:
    from deploy.sandbox.docker import Docker

SECONDS = 120.0
"""For the shell of a fault: a daemon that is waited for has 90 s."""
TRIES = 5
"""Of what the engine does: the kernel may not freeze a container in which much is just starting."""


def break_host(
    name: str,
    host: str,
    *,
    mend: bool = False,
    home: Home | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Do a fault to a host, or mend it, and say what was done and how it is mended.

    Args:
        name: of the fault.
        host: one of the sandbox's VPSs, or what stands for a service outside.
        mend: put it right again.
        home: the sandbox's folder.
        say: takes a line.

    Raises:
        UsageError: an unknown fault or host, or a sandbox that is not up.
        DockerFailed: it could not be done.
    """
    fault = find(name, (home or Home()).host_names(), host)
    docker = provide.running()
    if docker is None:
        raise UsageError("The sandbox is not up.", mend="inv sandbox.up")
    if mend:
        mended(docker, fault, *_place(host))
        say(f"{host}: {fault.name} is mended")
        return
    broken(docker, fault, *_place(host))
    say(f"{host}: {fault.does}. It is mended by:")
    say(f"    inv sandbox.break {fault.name} --on {host} --mend")


def find(name: str, hosts: list[str], host: str) -> Fault:
    """The fault of that name, for one of these hosts.

    Raises:
        UsageError: there is no such fault, or no such host; with what there is.
    """
    table = outside.FAULTS if host in outside.SERVICES else FAULTS
    if name not in table:
        near = difflib.get_close_matches(name, table, 1)
        guess = f"; did you mean {near[0]}?" if near else "."
        width = max(map(len, table))
        every = "\n".join(f"    {one.name:<{width}} {one.does}" for one in table.values())
        raise UsageError(
            f"There is no fault {name!r} for {host}{guess}", mend=f"There is:\n{every}"
        )
    every_place = [*hosts, *outside.SERVICES] if hosts else []
    if host not in every_place:
        raise UsageError(
            f"There is no host {host!r} in the sandbox.",
            mend=f"--on takes one of {', '.join(every_place)}." if hosts else "inv sandbox.up",
        )
    return table[name]


def broken(docker: Docker, fault: Fault, container: str, service: str = "") -> None:
    """Do it, if it is not done."""
    _apply(docker, container, fault.make, fault.outside and fault.outside[0], service)


def mended(docker: Docker, fault: Fault, container: str, service: str = "") -> None:
    """Mend it, if it is not mended."""
    _apply(docker, container, fault.mend, fault.outside and fault.outside[1], service)


@contextmanager
def breaking(docker: Docker, name: str, host: str) -> Iterator[None]:
    """A host with a fault for as long as the block runs."""
    fault = find(name, [host], host)
    broken(docker, fault, *_place(host))
    try:
        yield
    finally:
        mended(docker, fault, *_place(host))


def _place(host: str) -> tuple[str, str]:
    """The container, and the first argument of the shell in it."""
    if host in outside.SERVICES:
        return outside.CONTAINER, host
    return f"headway-{host}", ""


def _apply(
    docker: Docker, container: str, shell: str, by_engine: tuple[str, str] | None, service: str
) -> None:
    if by_engine is None:
        docker("exec", container, "sh", "-euc", shell, "sh", service, timeout=SECONDS)
        return
    word, reached = by_engine
    for left in reversed(range(TRIES)):
        if docker("inspect", "--format", "{{.State.Status}}", container) == reached:
            return
        try:
            docker(word, container, timeout=SECONDS)
            return
        except DockerFailed:
            if not left:
                raise
        time.sleep(0.5)

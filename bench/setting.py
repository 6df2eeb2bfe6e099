"""On what was measured: the machine and the versions of what took part."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from deploy import git
from deploy.sandbox.home import ROOT

if TYPE_CHECKING:
    from deploy.sandbox.docker import Docker


def lines(docker: Docker) -> list[str]:
    """Machine, system and versions, for people, one thought to a line."""
    inside = ["exec", "headway-web-1", "docker"]
    host_engine = docker(*inside, "version", "--format", "{{.Server.Version}}")
    host_compose = docker(*inside, "compose", "version", "--short")
    caddy = docker(*inside, "exec", "shop-proxy-1", "caddy", "version").split()[0]
    ssh = subprocess.run(["ssh", "-V"], check=True, capture_output=True, text=True).stderr
    libraries = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in ("fabric", "paramiko", "invoke")
    )
    return [
        *machine(docker),
        f"Hosts: Docker Engine {host_engine}, Compose {host_compose}, Caddy {caddy}.",
        f"Deploying: Python {platform.python_version()}, {libraries}; "
        f"{ssh.split(',')[0].strip()} for the floor.",
    ]


def machine(docker: Docker) -> list[str]:
    """When, at which commit and on which machine, one thought to a line."""
    os_name = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    commit = git.commit(ROOT)
    return [
        f"Measured on {datetime.datetime.now(datetime.UTC):%d %B %Y}"
        + (f" at commit {commit.sha[:12]}." if commit else "."),
        f"One machine for everything: {os.cpu_count()} cores ({_processor()}), "
        f"{_memory_gb():.0f} GB, {os_name}, Docker Engine "
        f"{docker('version', '--format', '{{.Server.Version}}')}.",
    ]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9

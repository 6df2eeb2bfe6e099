"""`debian:trixie-slim`, from which everything is built: pulled where a hub answers, else made."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from deploy.errors import UsageError
from deploy.sandbox.apt import as_root, install
from deploy.sandbox.docker import Docker, DockerFailed
from deploy.sandbox.mirror import MIRROR, SECURITY, machine_mirror

BASE = "debian:trixie-slim"
MADE_LABEL = "headway.sandbox.base"
"""On an image that was made here: the recipe that made it. `down` leaves one without it alone."""

HUB = "registry-1.docker.io"
HUB_SECONDS = 4.0

SLIM = """\
path-exclude /usr/share/doc/*
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-include /usr/share/doc/*/copyright
force-unsafe-io
"""


def ensure(docker: Docker, scratch: Path, say: Callable[[str], None]) -> str:
    """Have the image under its name, and return its ID.

    Args:
        docker: the engine that is to have it.
        scratch: a folder that does not exist yet, or is left over; made and removed here. Its file
            system must allow device nodes.
        say: takes a line for whatever takes over a second.

    Raises:
        DockerFailed: it could be neither pulled nor made.
    """
    form = '{{.Id}} {{index .Config.Labels "' + MADE_LABEL + '"}}'
    mirror = machine_mirror()
    with contextlib.suppress(DockerFailed):
        identity, _, made_by = docker("image", "inspect", "--format", form, BASE).partition(" ")
        if made_by in ("", recipe(mirror)):
            return identity
    if not (hub_answers() and pulled(docker, say)):
        make(docker, scratch, mirror, say)
    return docker("image", "inspect", "--format", "{{.Id}}", BASE)


def recipe(mirror: str) -> str:
    """A short name for how the image is made here; another name means: make it anew."""
    return hashlib.sha256(finish_script(mirror).encode()).hexdigest()[:12]


def hub_answers() -> bool:
    """Whether Docker's hub itself, not some page in its place, answers within a few seconds."""
    connection = http.client.HTTPSConnection(HUB, timeout=HUB_SECONDS)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().getheader("Docker-Distribution-Api-Version") is not None
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def pulled(docker: Docker, say: Callable[[str], None]) -> bool:
    """Pull it; False when the hub refuses, as it does to those who pulled much that day."""
    say(f"pulling {BASE}")
    return docker.works("pull", "--quiet", BASE, timeout=300)


def make(docker: Docker, scratch: Path, mirror: str, say: Callable[[str], None]) -> None:
    """Make it with debootstrap, and import it.

    Raises:
        UsageError: debootstrap is missing, and this system has no apt to get it with.
    """
    if not shutil.which("debootstrap", path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        if not shutil.which("apt-get"):
            raise UsageError(
                f"No hub answers at {HUB} to pull {BASE} from, and debootstrap is not here.",
                mend="Install debootstrap, or mend the way to the hub; then again.",
            )
        install(("debootstrap", "debian-archive-keyring", "gpgv", "tar"), trixie=False, say=say)
    say(f"no hub answers: making {BASE} with debootstrap from {mirror}")
    tree = scratch / "tree"
    as_root("rm", "-rf", "--one-file-system", str(scratch))
    scratch.mkdir(parents=True)
    try:
        # Older debootstraps do not know the name trixie, and sid's script is what it stands for.
        script = "/usr/share/debootstrap/scripts/sid"
        as_root("/usr/sbin/debootstrap", "--variant=minbase", "trixie", str(tree), mirror, script)
        as_root("sh", "-eu", "-s", str(tree), stdin=finish_script(mirror))
        load = ["import", "--change", 'CMD ["bash"]', "--change"]
        load += [f"LABEL {MADE_LABEL}={recipe(mirror)}", "-", BASE]
        pipe(["tar", "--numeric-owner", "-C", str(tree), "-c", "."], [*docker.command, *load])
    finally:
        as_root("rm", "-rf", "--one-file-system", str(scratch))


def finish_script(mirror: str) -> str:
    """Shell that makes a fresh tree ($1) what the official slim image is: small, and quiet."""
    sources = f"deb {mirror} trixie main\ndeb {mirror} trixie-updates main\n"
    if mirror == MIRROR:
        sources += f"deb {SECURITY} trixie-security main\n"
    return f"""\
cd "$1"
cat >etc/dpkg/dpkg.cfg.d/slim <<'END'
{SLIM}END
cat >etc/apt/sources.list <<'END'
{sources}END
cat >etc/apt/apt.conf.d/slim <<'END'
APT::Install-Recommends "false";
Acquire::Languages "none";
APT::Keep-Downloaded-Packages "false";
DPkg::Post-Invoke {{ "rm -f /var/cache/apt/archives/*.deb"; }};
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
END
printf '#!/bin/sh\\nexit 101\\n' >usr/sbin/policy-rc.d
chmod 755 usr/sbin/policy-rc.d
find usr/share/doc -type f ! -name copyright -delete
rm -rf usr/share/man/* usr/share/info/* usr/share/locale/*
rm -rf var/cache/apt/* var/lib/apt/lists/* var/log/* var/cache/ldconfig
rm -f etc/hostname etc/resolv.conf etc/machine-id
"""


def pipe(source: list[str], sink: list[str]) -> None:
    """Run `source | sink`, `source` as root.

    Raises:
        DockerFailed: one of them failed.
    """
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    with subprocess.Popen([*prefix, *source], stdout=subprocess.PIPE) as first:  # noqa: S603
        done = subprocess.run(  # noqa: S603
            sink, stdin=first.stdout, check=False, capture_output=True, text=True, errors="replace"
        )
    if done.returncode != 0 or first.returncode != 0:
        raise DockerFailed(sink[1:], done.returncode or first.returncode, done.stderr)

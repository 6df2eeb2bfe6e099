"""Packages of Debian and Ubuntu, for what the sandbox itself needs on the machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.errors import NeedsPerson
from deploy.sandbox.mirror import machine_mirror

SOURCE = Path("/etc/apt/sources.list.d/headway-trixie.sources")
PIN = Path("/etc/apt/preferences.d/headway-trixie")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
QUIET = ("env", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1")


def may_be_root(*, ask: bool = False) -> bool:
    """Whether this is root, or has a sudo that asks for no password, or has just been given it.

    Args:
        ask: have sudo ask for the password, if somebody sits at a terminal to type it.
    """
    if os.geteuid() == 0:
        return True
    if not shutil.which("sudo"):
        return False
    argv = ["sudo", "-n", "true"]
    if subprocess.run(argv, check=False, capture_output=True).returncode == 0:  # noqa: S603
        return True
    argv = ["sudo", "-v"]
    return ask and sys.stdin.isatty() and subprocess.run(argv, check=False).returncode == 0  # noqa: S603


def as_root(*argv: str, stdin: str = "") -> str:
    """Run a command as root and return what it printed.

    Raises:
        NeedsPerson: it failed; the message ends with the last lines of what it said.
    """
    prefix = () if os.geteuid() == 0 else ("sudo", "-n")
    done = subprocess.run(  # noqa: S603 - argv, no shell
        [*prefix, *argv], input=stdin, check=False, capture_output=True, text=True, errors="replace"
    )
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise NeedsPerson(
            f"{' '.join(argv[:4])}: exit code {done.returncode}\n{said}",
            mend="`inv sandbox.up` goes on from here.",
        )
    return done.stdout


def install(names: Sequence[str], *, trixie: bool, say: Callable[[str], None]) -> None:
    """Install packages, having said so.

    Args:
        names: of the packages.
        trixie: take those of Docker from Debian 13 on a Debian 12. All else stays as it is, as the
            new source has a lower priority (100) than what is installed.
        say: takes a line.

    Raises:
        NeedsPerson: apt failed.
    """
    wanted = [f"{name}/trixie" if trixie and "docker" in name else name for name in names]
    origin = "Debian 13, as Debian 12's are too old" if trixie else "the distribution"
    say(f"installing {' '.join(wanted)} from {origin}")
    if trixie:
        add_trixie()
    with contextlib.suppress(NeedsPerson):  # if another one is at work, apt waits for it
        as_root(*QUIET, "dpkg", "--configure", "-a")  # what a killed one left half done
    apt("update")
    apt("install", "--yes", "--no-install-recommends", *wanted)


def add_trixie() -> None:
    """Have Debian 13 as a source of a Debian 12, below everything else."""
    if "n=trixie," not in as_root("apt-cache", "policy"):
        source = (
            f"Types: deb\nURIs: {machine_mirror()}\nSuites: trixie\nComponents: main\n"
            f"Signed-By: {KEYRING}\n"
        )
        as_root("tee", str(SOURCE), stdin=source)
    as_root("tee", str(PIN), stdin="Package: *\nPin: release n=trixie\nPin-Priority: 100\n")


def apt(*argv: str) -> None:
    """Run apt-get without questions, waiting up to five minutes for another that is at work."""
    as_root(*QUIET, "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", *argv)

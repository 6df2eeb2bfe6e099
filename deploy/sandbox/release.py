"""A version of the example application, built and pushed to the sandbox's registry."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Collection
from pathlib import Path

from deploy.errors import NeedsPerson, UsageError
from deploy.sandbox import images, provide
from deploy.sandbox.home import ROOT, Home
from deploy.sandbox.machines import REGISTRY

BEHAVIOURS = (
    "slow-start",
    "never-healthy",
    "late-unhealthy",
    "crash-loop",
    "error-500",
    "no-login",
    "deaf",
    "abrupt",
)
"""What a version can do wrong; the application's own README says what each is."""

BAD_ON = "bad-on="
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
"""What registries take as a tag (the distribution specification's rule)."""


def release(
    version: str,
    behaviours: str = "",
    *,
    home: Home | None = None,
    say: Callable[[str], None] = print,
) -> str:
    """Build the shop as `version`, push it, and return its digest (`sha256:` and 64 digits).

    Args:
        version: also its tag.
        behaviours: what it does wrong, separated by commas; empty for a good one.
        home: the sandbox's folder.
        say: takes a line.

    Raises:
        UsageError: a version that is no tag, an unknown behaviour, or a sandbox that is not up.
        DockerFailed: the build or the push failed.
        NeedsPerson: the registry lost it.
    """
    home = home or Home()
    check_version(version)
    words = parse_behaviours(behaviours, home.host_names())
    docker = provide.running()
    base_image = images.OFFERED["node"]
    if docker is None or not home.complete or not docker.works("image", "inspect", base_image):
        raise UsageError("The sandbox is not up.", mend="inv sandbox.up")
    image = f"{REGISTRY}/shop:{version}"
    folder = ROOT / "examples" / "shop"
    arguments = {
        "BASE_IMAGE": base_image,
        "VERSION": version,
        "COMMIT": commit(folder),
        "BEHAVIOUR": ",".join(words),
    }
    say(f"building {image}" + (f" ({', '.join(words)})" if words else ""))
    docker(*images.build_argv(folder, image, arguments))
    say(f"pushing {image}")
    password = home.secret("REGISTRY_PASSWORD")
    with images.login(docker, password) as pusher:
        pusher("push", "--quiet", image)
    digest = images.digest_in_registry("shop", version, password)
    if digest is None:
        raise NeedsPerson(f"{image} was pushed, but the registry does not show it.")
    say(f"{image} is {digest}. Next:")
    say(f"    inv deploy.sandbox --tag {version}")
    return digest


def check_version(version: str) -> None:
    """Refuse what is no tag.

    Raises:
        UsageError: with the rule.
    """
    if not TAG.fullmatch(version):
        shown = version if len(version) <= 60 else f"{version[:60]}…"
        raise UsageError(
            f"{shown!r} is no version: letters, digits, `_`, `.` and `-`, at most 128 of them, and "
            "neither `.` nor `-` first.",
            state="Nothing has been built.",
        )


def parse_behaviours(text: str, hosts: Collection[str]) -> tuple[str, ...]:
    """The behaviours in a list separated by commas, in their order, without doubles.

    Args:
        text: such as `never-healthy,bad-on=web-2`.
        hosts: the names of the hosts that there are.

    Raises:
        UsageError: all that is wrong with the list, and what would be right.
    """
    words = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    bad_on = [word.removeprefix(BAD_ON) for word in words if word.startswith(BAD_ON)]
    plain = [word for word in words if not word.startswith(BAD_ON)]
    faults = [f"there is no behaviour {word!r}" for word in plain if word not in BEHAVIOURS]
    faults += [
        f"there is no host {host!r} (there are {', '.join(hosts) or 'none'})"
        for host in bad_on
        if host not in hosts
    ]
    if bad_on and not plain:
        faults.append(f"{BAD_ON}HOST confines a behaviour, so one must stand beside it")
    if {"deaf", "abrupt"} <= set(plain):
        faults.append("deaf and abrupt exclude each other")
    if faults:
        raise UsageError(
            f"--behaviour {text}: {'; '.join(faults)}.",
            state="Nothing has been built.",
            mend=f"Behaviours: {', '.join(BEHAVIOURS)}; beside them {BAD_ON}HOST.",
        )
    return words


def commit(folder: Path) -> str:
    """The commit that the folder is at, or `unknown` outside a repository."""
    git = shutil.which("git")
    if not git:
        return "unknown"
    argv = [git, "-C", str(folder), "rev-parse", "HEAD"]
    done = subprocess.run(argv, check=False, capture_output=True, text=True)  # noqa: S603
    return done.stdout.strip() if done.returncode == 0 else "unknown"

"""Whether Docker can be used here, and what to do when it can't. Pure: see `provide`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.errors import UsageError

COMPOSE_NEEDED = (2, 24)
"""The first Compose that knows `!reset`, which Headway's override of a compose file uses."""

ALWAYS = ("iptables", "ca-certificates")
ENGINE = {
    "debian": ("docker.io", "docker-cli", "docker-compose", "docker-buildx"),
    "ubuntu": ("docker.io", "docker-compose-v2", "docker-buildx"),
}
"""The distributions' packages. Debian 12 takes them from trixie, as its own Compose is 1.29."""

DOCS = "https://docs.docker.com/engine/install/"


@dataclass(frozen=True)
class Found:
    """What there is of Docker.

    `answers`: an engine answered; `forbidden`: one is there, but not for this user; `dockerd`: the
    daemon is installed; `compose` is Compose's version, as far as there is one.
    """

    answers: bool = False
    forbidden: bool = False
    dockerd: bool = False
    compose: tuple[int, int] | None = None
    buildx: bool = False

    @property
    def client_complete(self) -> bool:
        """Whether the command line has all that the sandbox uses."""
        return self.compose is not None and self.compose >= COMPOSE_NEEDED and self.buildx


@dataclass(frozen=True)
class System:
    """The machine: /etc/os-release (empty where there is none) and what one may do.

    `root` means root, or a sudo that asks for no password (any more); `foreign` means that Docker
    is from Docker's own packages, which the distribution's would throw out; `elsewhere` is
    DOCKER_HOST.
    """

    release: Mapping[str, str] = field(default_factory=dict)
    root: bool = False
    foreign: bool = False
    elsewhere: str = ""


@dataclass(frozen=True)
class Recipe:
    """What to do: install `packages` (from trixie or not), then start the daemon or not."""

    packages: tuple[str, ...] = ()
    trixie: bool = False
    start: bool = False


def decide(found: Found, system: System) -> Recipe:
    """What makes Docker usable here; a running daemon is never touched.

    Raises:
        UsageError: nothing that this may do; the message says exactly what a person must install.
    """
    if found.answers and found.client_complete:
        return Recipe()
    if system.elsewhere and not found.answers:
        raise UsageError(
            f"DOCKER_HOST is {system.elsewhere}, and no engine answers there.",
            mend="Start it, or unset DOCKER_HOST.",
        )
    if found.forbidden:
        raise UsageError(
            "A Docker Engine runs here, but this user may not use it.",
            mend='sudo usermod -aG docker "$USER", then log in again.',
        )
    start = not found.answers
    if found.client_complete and found.dockerd:
        return needs_root(Recipe(start=True), system, "systemctl start docker")
    if system.foreign:
        raise UsageError(
            f"Docker is from Docker's own packages, but {lacking(found)}.",
            mend="sudo apt-get install docker-ce docker-compose-plugin docker-buildx-plugin",
        )
    return needs_root(
        Recipe((*ALWAYS, *packages(found, system)), is_bookworm(system.release), start),
        system,
        "apt-get install " + " ".join((*ALWAYS, *packages(found, system))),
    )


def needs_root(recipe: Recipe, system: System, command: str) -> Recipe:
    """The recipe, if this user may carry it out; otherwise what a person must type."""
    if system.root:
        return recipe
    mend = f"sudo {command}"
    if recipe.trixie:
        mend = f"As root (`sudo script/demo`), or with the packages of Debian 13: {mend}"
    raise UsageError(
        "Docker is not ready, and this user is neither root nor has a sudo that needs no password.",
        mend=mend,
    )


def packages(found: Found, system: System) -> tuple[str, ...]:
    """The distribution's packages that are wanted.

    Raises:
        UsageError: a system whose packages are not known to do.
    """
    family = supported(system.release)
    if family is None:
        name = system.release.get("PRETTY_NAME") or "this system"
        raise UsageError(
            f"{lacking(found).capitalize()}; on {name} Headway does not install it.",
            mend=f"Install and start Docker Engine 25 or newer, its buildx plugin, and Docker "
            f"Compose {'.'.join(map(str, COMPOSE_NEEDED))} or newer ({DOCS}); then again.",
        )
    # A daemon that runs would be started anew with its package, so it is left out then.
    return tuple(name for name in ENGINE[family] if name != "docker.io" or not found.answers)


def supported(release: Mapping[str, str]) -> str | None:
    """`debian` or `ubuntu` if they will do (Debian ≥ 12, Ubuntu ≥ 22.04), else None."""
    family = release.get("ID", "")
    version = number(release.get("VERSION_ID", ""))
    if family == "debian" and (version is None or version >= (12, 0)):  # testing has no number
        return family
    if family == "ubuntu" and version is not None and version >= (22, 4):
        return family
    return None


def is_bookworm(release: Mapping[str, str]) -> bool:
    """Whether this is Debian 12."""
    return release.get("ID") == "debian" and release.get("VERSION_ID") == "12"


def lacking(found: Found) -> str:
    """What is missing, in words."""
    if not found.answers and not found.dockerd:
        return "there is no Docker Engine"
    if found.compose is None:
        return "Docker Compose v2 is missing"
    if found.compose < COMPOSE_NEEDED:
        needed = ".".join(map(str, COMPOSE_NEEDED))
        return f"Docker Compose is {'.'.join(map(str, found.compose))}, older than {needed}"
    return "docker's buildx plugin is missing"


def number(text: str) -> tuple[int, int] | None:
    """The first two numbers of a version such as `v2.26.1-4`, `24.04` or `13`."""
    found = re.search(r"(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2] or 0)) if found else None


def parse_release(text: str) -> dict[str, str]:
    """The settings in the text of an /etc/os-release."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name: value.strip().strip("\"'") for name, _, value in pairs}

"""Puts a release together from what lies on this machine and in the registry, and packs it.

What goes with the compose file is what it binds by a relative path, if git tracks it (a folder of
data that a developer happens to have must never reach a host), and what `files:` names.
"""

from __future__ import annotations

import io
import re
import stat
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from deploy import git
from deploy.compose.interpolate import interpolate, split, variables, whole_variable
from deploy.compose.roles import one_shot_services
from deploy.errors import Fault, SettingsError
from deploy.release import Bundle, Release, release_id

if TYPE_CHECKING:
    from deploy.compose.file import ComposeFile
    from deploy.registry import Found
    from deploy.settings import Environment

OF_EACH_HOST = "HOST_NAME"
"""The variable that says on which host a container runs; the only one that Headway adds."""

_AUTHOR, _SUBJECT = "headway.author", "headway.subject"
"""Labels of an image: what git would say of its commit, for where there is no git to ask."""


@dataclass(frozen=True)
class Bound:
    """A path that no release brings: who needs it on a host, and whether it is here, untracked."""

    services: frozenset[str]
    untracked: bool


@dataclass(frozen=True)
class Beside:
    """Files to go with a release (path → content and mode), and paths that hosts must have."""

    files: dict[str, tuple[bytes, int]]
    shipped: frozenset[str]
    bound: dict[str, Bound]

    @property
    def on_hosts(self) -> tuple[str, ...]:
        """The paths that hosts must have."""
        return tuple(self.bound)


def beside(environment: Environment, compose: ComposeFile) -> Beside:
    """Read what goes with the compose file.

    Raises:
        SettingsError: `files:` names something that is not there, or what should go with the
            release cannot be carried: all of it at once.
    """
    folder = compose.path.parent
    files: dict[str, tuple[bytes, int]] = {}
    shipped: set[str] = set()
    bound: dict[str, Bound] = {}
    faults = []
    for path in environment.files:
        found = _below(folder, path)
        if not found:
            where = f"hosts/{environment.name}.yaml"
            faults.append(Fault(where, "files", f"{path} is not beside {compose.path.name}"))
        faults += _take(folder, found, files)
        shipped.add(path)
    for path, services in _bound(compose, environment).items():
        if path in shipped or any(one == path or one.startswith(f"{path}/") for one in files):
            shipped.add(path)
            continue
        found = [] if path.startswith("..") else _tracked(folder, path)
        if found:
            faults += _take(folder, found, files)
            shipped.add(path)
        else:
            bound[path] = Bound(frozenset(services), (folder / path).exists())
    if faults:
        raise SettingsError(faults)
    return Beside(files, frozenset(shipped), bound)


def _bound(compose: ComposeFile, environment: Environment) -> dict[str, set[str]]:
    """Every relative path that the compose file needs beside it → the services that need it."""
    found: dict[str, set[str]] = {}
    for name in compose.services:
        for _, path in compose.binds(name, environment.env):
            found.setdefault(path, set()).add(name)
        for file in compose.env_files(name, environment.env):
            # .env itself is what Headway makes; one that may be absent is no need, but if it is
            # tracked, it is wanted.
            here = file.required or _tracked(compose.path.parent, file.path)
            if file.path != ".env" and not file.path.startswith("/") and here:
                found.setdefault(file.path, set()).add(name)
        for kind, one, path in compose.named_files(environment.env):
            if any(taken == one for taken, _ in compose.takes(name, kind)):
                found.setdefault(path, set()).add(name)
    return found


def _tracked(folder: Path, path: str) -> list[str]:
    """The files at or below a path that git tracks; without git, a file, but nothing of a folder.

    What lies in a folder of data is seen by git alone.
    """
    known = git.tracked(folder, path)
    if known is None:
        return [path] if (folder / path).is_file() else []
    return known


def _below(folder: Path, path: str) -> list[str]:
    whole = folder / path
    if whole.is_file() or whole.is_symlink():
        return [path]
    return sorted(str(one.relative_to(folder)) for one in whole.rglob("*") if not one.is_dir())


def _take(folder: Path, paths: list[str], files: dict[str, tuple[bytes, int]]) -> list[Fault]:
    """Read files; return a fault for each that is none, or that leads out of the folder."""
    faults = []
    for path in paths:
        whole = folder / path
        if not whole.exists():
            what = "is a symlink to nothing" if whole.is_symlink() else "is tracked, but not there"
        elif not whole.resolve().is_relative_to(folder.resolve()):
            what = "is a symlink that leads out of the compose file's folder"
        elif not whole.is_file():
            what = "is no file: a release carries no submodule, no symlink to a folder, no device"
        else:
            mode = 0o755 if whole.stat().st_mode & stat.S_IXUSR else 0o644
            files[path] = (whole.read_bytes(), mode)
            continue
        faults.append(Fault(path, "", what, "put the file itself there, or take it away"))
    return faults


def rolled_services(environment: Environment, compose: ComposeFile) -> dict[str, str]:
    """Service → repository of its image, of every service that runs the application's image."""
    found = {}
    for name in environment.services:
        repository = environment.image_of(name)
        if repository and name in compose.services:
            found[name] = repository
    for name, waiting in sorted(one_shot_services(environment, compose).items()):
        repository = environment.image_of(waiting[0])
        if repository:
            found.setdefault(name, repository)
    return found


def given_values(environment: Environment) -> dict[str, str]:
    """What `env:` and `secrets:` put into every host's `.env`, secrets in the clear."""
    return environment.env | {
        name: environment.secret(name).reveal() for name in environment.secrets
    }


def image_values(
    compose: ComposeFile, images: Mapping[str, str], tag: str, given: Mapping[str, str]
) -> dict[str, str]:
    """Values for the variables in a rolled service's `image:` that nobody has given.

    `${SHOP_IMAGE:?}` becomes the image by digest; in `${REPOSITORY}:${TAG}` the one becomes the
    repository and the other the tag. Any other variable there, as in `${REGISTRY}/shop`, is for the
    hosts file.
    """
    values: dict[str, str] = {}
    for service, ref in images.items():
        text = str(compose.services[service].get("image") or "")
        whole = whole_variable(text)
        name, *rest = split(text, ":") if not whole else ["", ""]
        if rest and "/" in rest[0]:  # that was a registry's port
            name, rest = f"{name}:{rest[0]}", rest[1:]
        found = {whole: ref} if whole else dict.fromkeys(variables(":".join(rest)), tag)
        repository = whole_variable(name) if rest else None
        if repository:
            found[repository] = ref.partition("@")[0]
        values |= {one: value for one, value in found.items() if one not in given}
    return values


def missing_variables(
    compose: ComposeFile, values: Mapping[str, str], environment: Environment
) -> list[Fault]:
    """A fault for every variable of the compose file that some host would not have.

    One that `${A:?}` asks for is lacking too where it is empty.
    """
    lacking: dict[str, list[str]] = {}
    for host, entry in environment.hosts.items():
        # The last ones stand in every .env that Headway writes (release.dotenv).
        own = {OF_EACH_HOST: host, "COMPOSE_PROJECT_NAME": environment.app, "HEADWAY_RELEASE": "-"}
        for name in compose.missing({**values, **entry.env, **own}):
            lacking.setdefault(name, []).append(host)
    return [
        Fault(
            compose.path.name,
            f"${{{name}}}",
            "nothing provides it"
            if len(hosts) == len(environment.hosts)
            else f"nothing provides it on {', '.join(hosts)}",
            f"add {name} to env: or secrets: in hosts/{environment.name}.yaml",
        )
        for name, hosts in lacking.items()
    ]


def assemble(
    environment: Environment, compose: ComposeFile, found: Mapping[str, Found], tag: str
) -> tuple[Bundle, Beside]:
    """Make the release of `tag`.

    Args:
        environment: the settings.
        compose: the team's compose file.
        found: service → what the registry has for it.
        tag: the tag.

    Raises:
        SettingsError: a variable or a file that nothing provides, all of them at once.
    """
    images = {service: image.ref for service, image in found.items()}
    given = given_values(environment)
    values = given | image_values(compose, images, tag, given)
    faults = missing_variables(compose, values, environment)
    if faults:
        raise SettingsError(faults)
    carried = beside(environment, compose)
    labels = next(iter(found.values())).labels if found else {}
    revision = labels.get("org.opencontainers.image.revision", "")
    if not re.fullmatch(r"[0-9a-f]{7,64}", revision):
        revision = ""  # what a build without git puts there
    commit = git.commit(environment.root, revision or tag) if revision or tag else None
    release = Release(
        id=release_id(tag, images, compose.text, values, carried.files),
        tag=tag,
        images=images,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        commit=commit.sha if commit else revision,
        author=commit.author if commit else labels.get(_AUTHOR, ""),
        subject=commit.subject if commit else labels.get(_SUBJECT, "").partition("\n")[0],
    )
    return Bundle(release, compose.text, values, carried.files), carried


def other_images(
    compose: ComposeFile, services: tuple[str, ...], values: Mapping[str, str]
) -> list[str]:
    """The images of services that are not rolled, as Compose will name them."""
    return [
        interpolate(str(compose.services[name]["image"]), values)
        for name in services
        if name in compose.services and "image" in compose.services[name]
    ]


def pack(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    """A tar of path → (content, mode), the same bytes for the same files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, (content, mode) in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()

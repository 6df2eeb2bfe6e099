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
from deploy.compose.interpolate import interpolate, variables, whole_variable
from deploy.compose.placement import is_rolled, one_shot_services
from deploy.errors import Fault, SettingsError
from deploy.release import Bundle, Release, release_id

if TYPE_CHECKING:
    from deploy.compose.file import ComposeFile
    from deploy.registry import Found
    from deploy.settings import Environment

OF_EACH_HOST = "HOST_NAME"
"""The variable that says on which host a container runs; the only one that Headway adds."""


@dataclass(frozen=True)
class Beside:
    """Files to go with a release, and the paths that the hosts themselves must have."""

    files: dict[str, tuple[bytes, int]]
    shipped: frozenset[str]
    on_hosts: tuple[str, ...]


def beside(environment: Environment, compose: ComposeFile) -> Beside:
    """Read what goes with the compose file.

    Raises:
        SettingsError: `files:` names something that is not there, or `env_file` does.
    """
    folder = compose.path.parent
    files: dict[str, tuple[bytes, int]] = {}
    shipped: set[str] = set()
    faults = []
    for path in environment.files:
        found = _below(folder, path)
        if not found:
            where = f"hosts/{environment.name}.yaml"
            faults.append(Fault(where, "files", f"{path} is not beside {compose.path.name}"))
        _take(folder, found, files)
        shipped.add(path)
    bound = [path for name in compose.services for _, path in compose.binds(name)]
    bound += [path for _, _, path in compose.named_files()]
    bound += [
        path.removeprefix("./")
        for name in compose.services
        for path in compose.env_files(name)
        if path.removeprefix("./") != ".env" and not path.startswith("/")
    ]
    on_hosts = []
    for path in dict.fromkeys(bound):
        if path in shipped:
            continue
        known = git.tracked(folder, path)
        found = _below(folder, path) if known is None else known
        if found and not path.startswith(".."):
            _take(folder, found, files)
            shipped.add(path)
        else:
            on_hosts.append(path)
    if faults:
        raise SettingsError(faults)
    return Beside(files, frozenset(shipped), tuple(on_hosts))


def _below(folder: Path, path: str) -> list[str]:
    whole = folder / path
    if whole.is_file():
        return [path]
    return sorted(str(one.relative_to(folder)) for one in whole.rglob("*") if one.is_file())


def _take(folder: Path, paths: list[str], files: dict[str, tuple[bytes, int]]) -> None:
    for path in paths:
        whole = folder / path
        mode = 0o755 if whole.stat().st_mode & stat.S_IXUSR else 0o644
        files[path] = (whole.read_bytes(), mode)


def rolled_services(environment: Environment, compose: ComposeFile) -> dict[str, str]:
    """Service → repository of its image, of every service that runs the application's image."""
    found = {}
    for name in (*environment.services, *sorted(one_shot_services(environment, compose))):
        if name in compose.services and (
            is_rolled(environment, name) or name not in environment.services
        ):
            repository = environment.image_of(name)
            if repository is None and isinstance(environment.image, str):
                repository = environment.image
            if repository:
                found[name] = repository
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

    `${SHOP_IMAGE:?}` becomes the image by digest, the variable in `acme/shop:${TAG}` the tag.
    """
    values = {}
    for service, ref in images.items():
        text = str(compose.services[service].get("image", ""))
        whole = whole_variable(text)
        for variable in variables(text):
            if variable.name not in given:
                values[variable.name] = ref if variable.name == whole else tag
    return values


def missing_variables(
    compose: ComposeFile, values: Mapping[str, str], environment: Environment
) -> list[Fault]:
    """A fault for every variable of the compose file that nothing provides."""
    have = {*values, OF_EACH_HOST}
    have |= set.intersection(*(set(host.env) for host in environment.hosts.values()))
    return [
        Fault(
            compose.path.name,
            f"${{{variable.name}}}",
            "nothing provides it",
            f"add {variable.name} to env: or secrets: in hosts/{environment.name}.yaml",
        )
        for variable in compose.variables()
        if not variable.defaulted and variable.name not in have
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
        author=commit.author if commit else "",
        subject=commit.subject if commit else "",
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

"""What is deployed: images by digest, the compose file, and the environment that go together."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.compose.placement import Rolled

SCHEMA = 1


@dataclass(frozen=True)
class Release:
    """What every host of an environment gets. Immutable: another content has another id.

    `images` maps a service to its image by digest; `commit`, `author` and `subject` may be empty
    where neither the image's labels nor git know them; `created` is ISO 8601 in UTC. `contract` are
    the migrations that no older version can live with: name → SHA-256 of the file.
    """

    id: str
    tag: str
    images: dict[str, str]
    created: str
    commit: str = ""
    author: str = ""
    subject: str = ""
    contract: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """One line, as it lies on the hosts (`release.json`)."""
        return json.dumps({"v": SCHEMA, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_dict(cls, body: Any) -> Release:
        """Read what `to_json` wrote.

        Raises:
            ValueError: a newer Headway wrote it, or it is no release.
        """
        if not isinstance(body, dict):
            raise ValueError("no release: it is no mapping")
        if body.get("v") != SCHEMA:
            raise ValueError(f"a release of schema {body.get('v')}; this Headway reads {SCHEMA}")
        try:
            return cls(**{key: value for key, value in body.items() if key != "v"})
        except TypeError as error:
            raise ValueError(f"no release: {error}") from None


@dataclass(frozen=True)
class Bundle:
    """A release with all that a host needs of it.

    `compose` is the team's file as text; `values` the environment without what differs by host;
    `beside` path → (content, mode) of the files that go with it.
    """

    release: Release
    compose: str = field(repr=False)
    values: dict[str, str] = field(repr=False)
    beside: dict[str, tuple[bytes, int]] = field(repr=False)


def release_id(
    tag: str,
    images: Mapping[str, str],
    compose: str,
    values: Mapping[str, str],
    beside: Mapping[str, tuple[bytes, int]],
) -> str:
    """Name a release by its tag and by what is in it.

    Equal content has an equal name, so that deploying the same again is seen to be nothing new.
    The eight hexadecimal digits are of a SHA-256 over everything; the secrets among it cannot be
    guessed back from 32 bits.
    """
    digest = hashlib.sha256()
    for part in (sorted(images.items()), compose, sorted(values.items())):
        digest.update(json.dumps(part).encode())
    for path, (content, mode) in sorted(beside.items()):
        digest.update(json.dumps([path, mode, hashlib.sha256(content).hexdigest()]).encode())
    return f"{tag}-{digest.hexdigest()[:8]}"


def dotenv(release: Release, project: str, values: Mapping[str, str]) -> str:
    """The text of a host's `.env`: what Compose and a person who types it there need.

    Raises:
        ValueError: a value that no `.env` can hold (it contains a NUL).
    """
    lines = [
        f"# {release.id}, written by Headway; the next deploy writes it anew.",
        *(f"# image {image}" for image in sorted(set(release.images.values()))),
        f"HEADWAY_RELEASE={release.id}",
        f"COMPOSE_PROJECT_NAME={project}",
        "COMPOSE_FILE=compose.yaml:.headway/host.yaml",
    ]
    lines += [f"{name}={quoted(value)}" for name, value in sorted(values.items())]
    return "\n".join(lines) + "\n"


def roll(images: Iterable[str], others: Iterable[str], services: Iterable[Rolled], tag: str) -> str:
    """The text of a release's file `roll`: what a host has to pull, to run, and to replace."""
    lines = [f"image {image}" for image in dict.fromkeys(images)]
    lines += [f"other {name}" for name in others]
    lines += [f"service {_fields(service, tag)}" for service in services]
    return "\n".join(lines) + "\n"


def _fields(service: Rolled, tag: str) -> str:
    """NAME ORDER PORT DRAIN REPLICAS PROBES, a probe being PATH or PATH|KEY|VALUE."""
    probes = [_escaped(path) for path in service.probes]
    if service.version:
        path, key = service.version
        probes.append(f"{_escaped(path)}|{key.rpartition('.')[2]}|{tag}")
    fields = (
        service.name,
        service.order,
        service.port or "-",
        math.ceil(service.drain),
        service.replicas,
        ",".join(probes) or "-",
    )
    return " ".join(map(str, fields))


def _escaped(path: str) -> str:
    return path.replace(",", "%2C").replace("|", "%7C")


def quoted(value: str) -> str:
    """Quote a value so that Compose reads it as it is: no variable is filled in, no escape undone.

    Single quotes are literal in Compose's reader but cannot hold one of their kind; within double
    quotes a backslash and a `$` have to be escaped.
    """
    if "\0" in value:
        raise ValueError("a value of the environment contains a NUL")
    if "'" not in value and not value.endswith("\\"):
        return f"'{value}'"
    for mark, written in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(mark, written)
    return f'"{value}"'

"""A compose file as its owner wrote it: its services, what they bind, depend on, and need."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.compose import document
from deploy.compose.interpolate import interpolate, missing, split, unreadable
from deploy.errors import Fault, SettingsError

if TYPE_CHECKING:
    from deploy.compose.ports import Entry

Service = Mapping[str, Any]
FLATTEN = "docker compose --profile '*' config --no-interpolate --no-path-resolution --no-normalize"
"""Writes a file that `include` and `extends` spread over several as one (Compose 2.26)."""


@dataclass(frozen=True)
class EnvFile:
    """An entry of `env_file`: as written, its path from the folder, and whether it must be there.

    An absolute path stays absolute.
    """

    entry: str | dict[str, Any]
    path: str
    required: bool


@dataclass(frozen=True)
class ComposeFile:
    """The file's text, and what it says. Numbers stay text; variables are not yet filled in."""

    path: Path
    text: str
    services: dict[str, Service]
    top: dict[str, Any] = field(repr=False)

    def missing(self, values: Mapping[str, str]) -> list[str]:
        """The variables that these values lack, once each.

        Compose fills in every value, even of services that do not run.
        """
        found = [name for _, text in _strings(self.top) for name in missing(text, values)]
        return list(dict.fromkeys(found))

    def replicas(self, service: str, values: Mapping[str, str]) -> int:
        """How many containers of a service the file asks for on one host."""
        body = self.services[service]
        deploy = body.get("deploy") or {}
        raw = deploy.get("replicas", body.get("scale", 1))
        text = interpolate(str(raw), values)
        return int(text) if text.isdecimal() else 1

    def dependencies(self, service: str) -> dict[str, str]:
        """What a service depends on, with the condition (`service_started` by default)."""
        raw = self.services[service].get("depends_on") or {}
        if isinstance(raw, list):
            return {str(name): "service_started" for name in raw}
        return {
            str(name): str((body or {}).get("condition", "service_started"))
            for name, body in raw.items()
        }

    def links(self, service: str) -> list[tuple[str, str]]:
        """The old `links`: (as written, the service that is meant)."""
        raw = self.services[service].get("links") or []
        return [(str(link), str(link).split(":", 1)[0]) for link in raw]

    def ports(self, service: str) -> list[Entry]:
        """The published ports, in the short or the long form, as written."""
        return list(self.services[service].get("ports") or [])

    def profiles(self, service: str) -> list[str]:
        """The profiles without one of which Compose leaves a service alone; empty for most."""
        return [str(name) for name in self.services[service].get("profiles") or []]

    def binds(self, service: str, values: Mapping[str, str]) -> list[tuple[int, str]]:
        """Relative paths that a service binds: (index in `volumes`, path from the folder)."""
        found = []
        for index, volume in enumerate(self.services[service].get("volumes") or []):
            if isinstance(volume, dict):
                source = interpolate(str(volume.get("source") or ""), values)
                relative = volume.get("type") == "bind" and not source.startswith(("/", "~"))
            else:
                pieces = split(str(volume), ":")
                source = interpolate(pieces[0], values) if len(pieces) > 1 else ""
                relative = source.startswith(".")
            if relative and source:
                found.append((index, posixpath.normpath(source)))
        return found

    def named_volumes(self, service: str) -> list[str]:
        """The named volumes that a service may write to."""
        found = []
        for volume in self.services[service].get("volumes") or []:
            if isinstance(volume, dict):
                if volume.get("type") == "volume" and not volume.get("read_only"):
                    found += [str(volume["source"])] if volume.get("source") else []
                continue
            pieces = split(str(volume), ":")
            options = pieces[2].split(",") if len(pieces) > 2 else []
            if len(pieces) > 1 and pieces[0][:1] not in ".~/$" and "ro" not in options:
                found.append(pieces[0])
        return found

    def env_files(self, service: str, values: Mapping[str, str]) -> list[EnvFile]:
        """The files that `env_file` names, in their order."""
        raw = self.services[service].get("env_file") or []
        found = []
        for entry in raw if isinstance(raw, list) else [raw]:
            written = entry["path"] if isinstance(entry, dict) else entry
            required = not isinstance(entry, dict) or entry.get("required") is not False
            path = posixpath.normpath(interpolate(str(written), values))
            found.append(EnvFile(entry, path, required))
        return found

    def named_files(self, values: Mapping[str, str]) -> list[tuple[str, str, str]]:
        """Files of the top-level `configs` and `secrets`: (kind, name, path from the folder)."""
        return [
            (kind, str(name), posixpath.normpath(path))
            for kind in ("configs", "secrets")
            for name, body in (self.top.get(kind) or {}).items()
            if isinstance(body, dict)
            and (path := interpolate(str(body.get("file") or ""), values))
            and not path.startswith(("/", "~"))
        ]

    def named_variables(self, kind: str) -> dict[str, dict[str, str]]:
        """Those of the top-level `configs` or `secrets` that are a variable: name → body."""
        return {
            str(name): {"environment": str(body["environment"])}
            for name, body in (self.top.get(kind) or {}).items()
            if isinstance(body, dict) and body.get("environment")
        }

    def takes(self, service: str, kind: str) -> list[tuple[str, Any]]:
        """What a service takes of the top-level `configs` or `secrets`: (name, entry)."""
        return [
            (str(entry.get("source", "") if isinstance(entry, dict) else entry), entry)
            for entry in self.services[service].get(kind) or []
        ]


def _strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield every text with its dotted path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _strings(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _strings(item, f"{path}[{index}]")


def nothing(path: Path) -> ComposeFile:
    """A file without a service, for where the one there is can't be read."""
    return ComposeFile(path, "", {}, {})


def read(path: Path, root: Path) -> ComposeFile:
    """Read a compose file.

    Raises:
        SettingsError: it is not there, does not parse, has no services, or is spread over several
            files (`include`, `extends`), which a release would have to carry one by one.
    """
    where = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    text, top = document.read(path, where)
    services = top.get("services") if isinstance(top, dict) else None
    if not isinstance(top, dict) or not isinstance(services, dict) or not services:
        raise SettingsError([Fault(where, "services", "is missing, or is no mapping of services")])
    faults = [
        Fault(where, f"services.{name}", "is no mapping")
        for name, body in services.items()
        if not isinstance(body, dict)
    ]
    faults += [
        Fault(
            where,
            key,
            "is not carried with a release",
            f"write it out: {FLATTEN} > compose.flat.yaml",
        )
        for key in ["include"] * ("include" in top)
        + [
            f"services.{name}.extends"
            for name, body in services.items()
            if isinstance(body, dict) and "extends" in body
        ]
    ]
    try:
        faults += [
            Fault(where, key, f"{piece!r} is no variable", "write $$ where a $ is meant")
            for key, value in _strings(top)
            if (piece := unreadable(value)) is not None
        ]
    except RecursionError:  # an alias within its own anchor
        faults.append(Fault(where, "", "has no end: an alias stands within what it names"))
    if faults:
        raise SettingsError(faults)
    return ComposeFile(path, text, {str(k): v for k, v in services.items()}, top)

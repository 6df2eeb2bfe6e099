"""A compose file as its owner wrote it: its services, what they bind, depend on, and need."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deploy.compose.interpolate import Variable, interpolate, variables
from deploy.errors import Fault, SettingsError

Service = Mapping[str, Any]


class _Loader(yaml.SafeLoader):
    """Reads Compose's own tags, and takes 22:22 for text and not for a number in base 60."""


def _tagged(loader: _Loader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


_Loader.add_multi_constructor("!", _tagged)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:int"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True)
class ComposeFile:
    """The file's text, and what it says. Numbers stay text; variables are not yet filled in."""

    path: Path
    text: str
    services: dict[str, Service]
    top: dict[str, Any] = field(repr=False)

    def variables(self) -> list[Variable]:
        """Every variable that any value names, once each; not defaulted if it is so anywhere."""
        found: dict[str, bool] = {}
        for text in _strings(self.top):
            for variable in variables(text):
                found[variable.name] = found.get(variable.name, True) and variable.defaulted
        return [Variable(name, defaulted) for name, defaulted in found.items()]

    def replicas(self, service: str, values: Mapping[str, str]) -> int:
        """How many containers of a service the file asks for on one host."""
        body = self.services[service]
        deploy = body.get("deploy") or {}
        raw = deploy.get("replicas", body.get("scale", 1))
        text = interpolate(str(raw), values)
        return int(text) if text.isdigit() else 1

    def dependencies(self, service: str) -> dict[str, str]:
        """What a service depends on, with the condition (`service_started` by default)."""
        raw = self.services[service].get("depends_on") or {}
        if isinstance(raw, list):
            return {str(name): "service_started" for name in raw}
        return {
            str(name): str((body or {}).get("condition", "service_started"))
            for name, body in raw.items()
        }

    def ports(self, service: str) -> list[str | dict[str, Any]]:
        """The published ports, in the short or the long form, as written."""
        return list(self.services[service].get("ports") or [])

    def binds(self, service: str) -> list[tuple[int, str]]:
        """Relative paths that a service binds: (index in `volumes`, path from the folder)."""
        found = []
        for index, volume in enumerate(self.services[service].get("volumes") or []):
            if isinstance(volume, dict):
                source = str(volume.get("source", "")) if volume.get("type") == "bind" else ""
            else:
                source = str(volume).split(":", 1)[0] if ":" in str(volume) else ""
            if source.startswith((".", "..")):
                found.append((index, posixpath.normpath(source)))
        return found

    def env_files(self, service: str) -> list[str]:
        """The files that `env_file` names, as written."""
        raw = self.services[service].get("env_file") or []
        entries = raw if isinstance(raw, list) else [raw]
        return [str(entry["path"] if isinstance(entry, dict) else entry) for entry in entries]

    def named_files(self) -> list[tuple[str, str, str]]:
        """Files of the top-level `configs` and `secrets`: (kind, name, path)."""
        return [
            (kind, str(name), posixpath.normpath(str(body["file"])))
            for kind in ("configs", "secrets")
            for name, body in (self.top.get(kind) or {}).items()
            if isinstance(body, dict) and body.get("file") and not str(body["file"]).startswith("/")
        ]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def read(path: Path, root: Path) -> ComposeFile:
    """Read a compose file.

    Raises:
        SettingsError: it is not there, does not parse, has no services, or is spread over several
            files (`include`, `extends`), which a release would have to carry one by one.
    """
    where = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(
            [Fault(where, "", reason, "name it under compose: in the hosts file")]
        ) from None
    try:
        top = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "is not YAML"
        raise SettingsError([Fault(f"{where}{line}", "", str(problem))]) from None
    services = top.get("services") if isinstance(top, dict) else None
    if not isinstance(services, dict) or not all(isinstance(s, dict) for s in services.values()):
        raise SettingsError([Fault(where, "services", "is missing, or is no mapping of services")])
    faults = [
        Fault(
            where,
            key,
            "is not carried with a release",
            "write one file: docker compose config --no-interpolate > compose.flat.yaml",
        )
        for key in ["include"] * ("include" in top)
        + [f"services.{name}.extends" for name, body in services.items() if "extends" in body]
    ]
    if faults:
        raise SettingsError(faults)
    return ComposeFile(path, text, {str(k): v for k, v in services.items()}, top)

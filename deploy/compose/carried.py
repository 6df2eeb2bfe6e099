"""How a rolled service comes to its release's own copies of what it binds and reads. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.compose.document import Tagged
from deploy.compose.interpolate import split

if TYPE_CHECKING:
    from deploy.compose.file import ComposeFile


@dataclass(frozen=True)
class Carrier:
    """Lets a rolled service bind and read its release's own copies.

    The old containers keep theirs until they are gone. What is not rolled goes on with the files in
    the application's folder, or each release would make Compose start it anew.
    """

    compose: ComposeFile
    values: Mapping[str, str]
    release: str
    shipped: frozenset[str]

    def keys(self, name: str) -> dict[str, Any]:
        """Return what a service gets: `env_file`, `volumes`, `configs`, `secrets`, as needed."""
        found = {"env_file": self._env_files(name), "volumes": self._volumes(name)}
        found |= {kind: self._named(name, kind) for kind in ("configs", "secrets")}
        return {key: Tagged("!override", value) for key, value in found.items() if value}

    def top(self, names: Iterable[str]) -> dict[str, Any]:
        """Return the top-level configs and secrets that these services take of the release.

        Their names are the release's own: the hash by which Compose sees a change is made from a
        secret's name alone, and not from what is in it.
        """
        found: dict[str, Any] = {}
        for name in names:
            for kind in ("configs", "secrets"):
                for one, body in self._own(name, kind).items():
                    found.setdefault(kind, {})[f"{one}-{self.release}"] = body
        return found

    @property
    def _folder(self) -> str:
        return f"./.headway/releases/{self.release}"

    def _env_files(self, name: str) -> list[Any]:
        entries = self.compose.env_files(name, self.values)
        changed = []
        for one in entries:
            path = f"{self._folder}/.env" if one.path == ".env" else ""
            if one.path in self.shipped:
                path = f"{self._folder}/beside/{one.path}"
            whole = {**one.entry, "path": path} if isinstance(one.entry, dict) else path
            changed.append(whole if path else one.entry)
        return changed if changed != [one.entry for one in entries] else []

    def _volumes(self, name: str) -> list[Any]:
        binds = {
            index: f"{self._folder}/beside/{path}"
            for index, path in self.compose.binds(name, self.values)
            if path in self.shipped
        }
        volumes = list(self.compose.services[name].get("volumes") or [])
        for index, source in binds.items():
            volume = volumes[index]
            if isinstance(volume, dict):
                volumes[index] = {**volume, "source": source}
            else:
                volumes[index] = ":".join([source, *split(volume, ":")[1:]])
        return volumes if binds else []

    def _named(self, name: str, kind: str) -> list[Any]:
        own = self._own(name, kind)
        changed = []
        for one, entry in self.compose.takes(name, kind):
            if one in own:
                # Where Compose puts it by itself: /run/secrets/NAME, and /NAME for a config.
                target = one if kind == "secrets" else f"/{one}"
                whole = entry if isinstance(entry, dict) else {}
                changed.append({"target": target, **whole, "source": f"{one}-{self.release}"})
            else:
                changed.append(entry)
        return changed if own else []

    def _own(self, name: str, kind: str) -> dict[str, dict[str, str]]:
        """Return config or secret → its body, of those that a service takes of the release.

        These are the files that came with it, and what is a variable of its `.env`.
        """
        found = {
            one: {"file": f"{self._folder}/beside/{path}"}
            for of_kind, one, path in self.compose.named_files(self.values)
            if of_kind == kind and path in self.shipped
        }
        found |= self.compose.named_variables(kind)
        taken = {one for one, _ in self.compose.takes(name, kind)}
        return {one: body for one, body in found.items() if one in taken}

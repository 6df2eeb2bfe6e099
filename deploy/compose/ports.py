"""A published port of a service, in Compose's short or long form. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.compose.interpolate import interpolate, split

Entry = str | dict[str, Any]


@dataclass(frozen=True)
class Port:
    """Where the host listens (`published`, empty for any free port), and what answers there.

    All as text: both may be a range.
    """

    published: str
    target: str
    protocol: str

    def __str__(self) -> str:
        text = f"{self.published}:{self.target}" if self.published else self.target
        return text if self.protocol == "tcp" else f"{text}/{self.protocol}"

    @property
    def single(self) -> bool:
        """Is it one port, and not a range?"""
        return "-" not in self.published + self.target


def read(entry: Entry, values: Mapping[str, str] | None = None) -> Port:
    """Read an entry of `ports`: `3000`, `80:3000`, `127.0.0.1:80:3000/tcp`, or a mapping.

    Args:
        entry: as the file has it.
        values: what variables stand for; None leaves them as they are written.
    """

    def fill(text: object) -> str:
        return str(text) if values is None else interpolate(str(text), values)

    if isinstance(entry, dict):
        published = entry.get("published")
        return Port(
            "" if published is None else fill(published),
            fill(entry.get("target", "")),
            fill(entry.get("protocol") or "tcp"),
        )
    body, *protocol = split(entry, "/")
    parts = [fill(part) for part in split(body, ":")]
    published = parts[-2] if len(parts) > 1 else ""
    return Port(published, parts[-1], fill(protocol[0]) if protocol else "tcp")

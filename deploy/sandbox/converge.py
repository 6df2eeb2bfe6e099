"""From what is there and what should be there to what is to be done. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

UNUSABLE = ("created", "restarting", "dead", "removing")
"""States (Docker's words) of a container that is made anew.

One that was created and never started was cut short before its files were copied in; one that
restarts dies at once each time; a dead one can't be started again.
"""


@dataclass(frozen=True)
class Container:
    """A container of the sandbox as Docker lists it; `config` is the hash that it was made from."""

    name: str
    state: str
    config: str


@dataclass(frozen=True)
class Changes:
    """Names of containers, by what is to be done; one to make anew is in `remove` and `create`."""

    create: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    unpause: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    retire: tuple[str, ...] = ()

    @property
    def touched(self) -> bool:
        """Whether there is anything to do."""
        return any((self.create, self.start, self.unpause, self.remove, self.retire))


def changes(wanted: Mapping[str, str], present: Iterable[Container]) -> Changes:
    """What turns `present` into `wanted` (name → configuration hash).

    `remove` are containers that are in the way of a new one of that name; their volumes stay.
    `retire` are containers that nobody wants any more, which go with their volumes.
    """
    create, start, unpause, remove = [], [], [], []
    there = {container.name: container for container in present}
    for name, config in wanted.items():
        container = there.pop(name, None)
        if container is None:
            create.append(name)
        elif container.config != config or container.state in UNUSABLE:
            remove.append(name)
            create.append(name)
        elif container.state == "exited":
            start.append(name)
        elif container.state == "paused":
            unpause.append(name)
    return Changes(tuple(create), tuple(start), tuple(unpause), tuple(remove), tuple(there))

"""Secrets that are recognised wherever they turn up, and those who look for them meanwhile."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from deploy.sandbox.machines import REGISTRY_USER

if TYPE_CHECKING:
    from deploy.sandbox.docker import Docker

OWN = tuple(
    f"label={label}"
    for label in (
        "headway.rehearsal",
        "headway.client",
        "com.docker.compose.service=headway-proxy",
    )
)
"""Filters of Headway's own containers on a host."""
STORIES = "/srv/shop/.headway/lease/stories"
"""Where the host that keeps the lease has what is told of each run."""


def written(value: str) -> set[str]:
    """A value as it is, in base64 and URL-encoded; each of its lines, if it has several."""
    found = {value}
    for part in {value, *value.splitlines()}:
        if len(part) >= 6:
            encoded = base64.b64encode(part.encode()).decode()
            found |= {part, encoded.rstrip("=")}
            found |= {quote(part, safe=""), quote(part), quote_plus(part)}
    return found


def with_login(values: Mapping[str, str]) -> dict[str, str]:
    """Also the registry's user and password as one text: Docker keeps the base64 of that.

    The password's own base64 is no part of it.
    """
    login = f"{REGISTRY_USER}:{values['REGISTRY_PASSWORD']}"
    return {**values, "the registry's login": login}


@dataclass(frozen=True)
class Canaries:
    """Secrets by name, and the texts by which each is recognised."""

    values: Mapping[str, str]

    @property
    def texts(self) -> dict[str, str]:
        """Text → whose it is."""
        return {text: name for name, value in self.values.items() for text in written(value)}

    def within(self, text: str) -> set[str]:
        """The names of those that the text gives away."""
        return {name for one, name in self.texts.items() if one in text}


@dataclass
class Seen:
    """What a watch has seen: how often it looked, and where a canary was, in words."""

    looks: int = 0
    texts: int = 0
    found: set[str] = field(default_factory=set)


@contextmanager
def watching(
    look: Callable[[], Iterable[tuple[str, str]]], canaries: Canaries, every: float = 0.1
) -> Iterator[Seen]:
    """Look again and again, at (where, text), for as long as the block runs; pause in seconds."""
    seen, over = Seen(), threading.Event()
    wanted = canaries.texts
    known: set[int] = set()

    def watch() -> None:
        while not over.is_set():
            for where, text in look():
                seen.texts += 1
                # Most are as they were at the last look, and some are a whole script.
                if (one := hash(text)) in known:
                    continue
                known.add(one)
                seen.found |= {f"{name}: {where}" for one, name in wanted.items() if one in text}
            seen.looks += 1
            over.wait(every)

    thread = threading.Thread(target=watch, name="canaries")
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def process_lists() -> Iterator[tuple[str, str]]:
    """The arguments of every process: this machine's own list has those of all hosts in it."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:  # it has ended
            continue
        yield text[:60], text


def own_containers(docker: Docker, hosts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """`docker inspect` of Headway's own containers on these hosts."""
    listed = "; ".join(f"docker ps -aq --filter {one}" for one in OWN)
    shell = f"({listed}) | sort -u | xargs -r docker inspect 2>/dev/null || :"
    for host in hosts:
        text = docker("exec", f"headway-{host}", "sh", "-c", shell)
        if text not in {"", "[]"}:
            yield f"docker inspect on {host}", text


def on_disk(docker: Docker, host: str, canaries: Canaries, *without: str) -> list[str]:
    """The files of a host that have a canary in them, among those where none may be.

    Args:
        docker: the way to it.
        host: its name.
        canaries: the secrets.
        without: patterns of paths where secrets belong.
    """
    places = "/srv /tmp /var/tmp /dev/shm /run /home /root /var/log"
    pruned = " -o ".join(f"-path '{one}'" for one in ("/run/docker*", *without))
    find = f"find {places} \\( {pruned} \\) -prune -o -type f -print0 2>/dev/null"
    # By standard input, so that the search does not find itself in a process list.
    shell = f"cat >/dev/shm/.looked-for; {find} | xargs -0 -r grep -laFf /dev/shm/.looked-for || :"
    text = "".join(f"{one}\n" for one in canaries.texts)
    said = docker("exec", "-i", f"headway-{host}", "sh", "-c", shell, stdin=text.encode())
    docker("exec", f"headway-{host}", "rm", "-f", "/dev/shm/.looked-for")
    return [line for line in said.splitlines() if line and line != "/dev/shm/.looked-for"]


def in_stories(
    docker: Docker, host: str, canaries: Canaries, folder: str = STORIES
) -> dict[str, set[str]]:
    """Each story on a host → the canaries that are in it, once it is unpacked and read."""
    listed = docker("exec", f"headway-{host}", "sh", "-c", f"ls {folder} 2>/dev/null || :")
    found = {}
    for name in listed.split():
        text = docker("exec", f"headway-{host}", "gunzip", "-c", f"{folder}/{name}")
        found[name] = {one for part in texts(json.loads(text)) for one in canaries.within(part)}
    return found


def texts(body: object) -> Iterator[str]:
    """Every text in what JSON stood for: there, a quote is not written as it is."""
    match body:
        case str():
            yield body
        case list():
            for one in body:
                yield from texts(one)
        case dict():
            for name, one in body.items():
                yield name
                yield from texts(one)

"""A user's repository of its own for the tests on the fleet, and what they ask the hosts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from deploy.sandbox import elsewhere
from deploy.sandbox.breaking import breaking
from deploy.sandbox.docker import Docker
from deploy.sandbox.home import Home

ROOT = Path(__file__).parents[2]
EDGE = "http://127.0.0.1:8080"
WEB = ("web-1", "web-2", "web-3")
SERVES = {**dict.fromkeys(WEB, "web"), "worker-1": "worker"}
"""Which of the shop's rolled services each host has."""
LOOK = """\
cd /srv/APP 2>/dev/null || exit 0
sed -n 's/^HEADWAY_RELEASE=/release /p; s/^# image /image /p' .env 2>/dev/null
[ ! -e .headway/next ] || echo left a roll
[ ! -e .headway/lease/now ] || echo left a lease
grep -sL '"what":"ended"' .headway/lease/records/*.jsonl | sed 's/^/left /'
shown='{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{.Config.Image}}'
docker ps -aq --filter label=com.docker.compose.project=APP |
    xargs -r docker inspect -f "container $shown" || :
"""


@dataclass
class Done:
    """What a command left: its exit code, and its lines with the second at which each came."""

    exit_code: int
    lines: list[tuple[float, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(line for _, line in self.lines)

    def windows(self, step: str) -> list[tuple[float, float]]:
        """When that step ran: (start, end) for each host, by the lines of the plain view."""
        begun: dict[str, float] = {}
        found = []
        for at, line in self.lines:
            if match := re.match(rf"  [·✓!✗] +([\w-]+) +{step}\b", line):
                host = match.group(1)
                if line.startswith("  ✓"):
                    found.append((begun.get(host, at), at))
                else:
                    begun.setdefault(host, at)
        return found


@dataclass(frozen=True)
class Standing:
    """How a host stands, by one look at it.

    `release` is what its files say, `image` the one that they name, "" for none; `containers` has
    (service, state, image) of each, whatever it does; `left` is what runs have left there: a roll
    in its middle, a lease, records without an end.
    """

    release: str
    image: str
    containers: Sequence[tuple[str, str, str]]
    left: Sequence[str]

    def of(self, service: str) -> list[tuple[str, str]]:
        """State and image of each container of a service."""
        return [(state, image) for name, state, image in self.containers if name == service]

    def fault(self, service: str) -> str:
        """What is wrong where one container of a service is to run, and nothing to be left."""
        if self.left:
            return f"{', '.join(self.left)} is left"
        if service and self.of(service) != [("running", self.image)]:
            return f"its files name {self.image}, and of {service} there is {self.of(service)}"
        return ""


class Project:
    """A folder with `tasks.py` and `hosts/NAME.yaml`, as somebody who uses Headway has it."""

    old = new = other = ""
    """The tags of a test: the one that runs when it begins, and those it may go to."""
    person = ""
    """Who types, if not the user of this machine."""
    given: Mapping[str, str] = {}
    """What else is in the environment in which it is typed."""
    stands_on: ClassVar[str] = ""
    """The release that the whole fleet was found to be on, well, since anything was typed."""
    releases: ClassVar[dict[tuple[str, str], str]] = {}
    """A tag, and what a hosts file says of a release → the id of the release that came of it."""

    def __init__(self, folder: Path, name: str, body: dict[str, Any]) -> None:
        self.folder, self.name = folder, name
        self.started: list[subprocess.Popen[str]] = []
        self.write(body)

    def write(self, body: dict[str, Any]) -> None:
        self.body = body
        elsewhere.write(self.folder, self.name, body)

    def change(self, **changes: Any) -> None:
        """Write the hosts file anew with these top-level keys changed, others merged one deep."""
        body = dict(self.body)
        for key, value in changes.items():
            old = body.get(key)
            merge = isinstance(old, dict) and isinstance(value, dict)
            body[key] = {**old, **value} if merge else value  # type: ignore[dict-item]
        self.write(body)

    @property
    def environ(self) -> dict[str, str]:
        """The environment in which it is typed: nobody's workflow."""
        names = {"GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_ACTOR"}
        found = {key: value for key, value in os.environ.items() if key not in names}
        if self.person:
            found["GITHUB_ACTOR"] = self.person
        return found | {"PYTHONUNBUFFERED": "1"} | dict(self.given)

    def typed_by(self, person: str, verb: str, *words: str) -> Done:
        """The same, typed by somebody else."""
        self.person = person
        try:
            return self.inv(verb, *words)
        finally:
            self.person = ""

    def start(self, verb: str, *words: str) -> subprocess.Popen[str]:
        Project.stands_on = ""
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "inv"), f"{verb}.{self.name}", *words],
            cwd=self.folder,
            env=self.environ,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self.started.append(process)
        return process

    def end(self) -> None:
        """Let what a failed test has left running come to its end, and print what nobody read."""
        while self.started:
            process = self.started.pop()
            assert process.stdout is not None
            if process.stdout.closed:
                continue
            late = threading.Timer(180, process.kill)
            late.start()
            rest = process.stdout.read()
            late.cancel()
            if rest:
                print(f"{process.args} ended with {process.wait()}:\n{rest}")
                for host in WEB:
                    print(host, on_host(host, "docker ps -a"), sep="\n")

    def inv(self, verb: str, *words: str, kill_at: Callable[[str], bool] | None = None) -> Done:
        """Type `inv VERB.NAME WORDS`; with `kill_at`, SIGKILL it at the first line that fits."""
        process = self.start(verb, *words)
        done = Done(-1)
        assert process.stdout is not None
        for line in process.stdout:
            done.lines.append((time.time(), line.rstrip("\n")))
            if kill_at and kill_at(line):
                process.send_signal(signal.SIGKILL)
                break
        done.exit_code = process.wait(timeout=60)
        process.stdout.close()
        return done

    def deploy(self, tag: str) -> Done:
        return self.inv("deploy", "--tag", tag)

    def on(self, tag: str) -> None:
        """Have the fleet on this tag, however it was before: all hosts at once, not watched.

        Nothing is typed where it has been found to be on that release since anything was.
        """
        body = self.body
        made = (tag, json.dumps({k: v for k, v in body.items() if k not in {"lease", "rollout"}}))
        if self.stands_on and self.stands_on == self.releases.get(made):
            found = self.standings(self.hosts)
            if {one.release for one in found.values()} == {self.stands_on} and not unwell(found):
                return
        self.change(
            rollout={"strategy": "blue-green", "min_healthy_time": "0s", "bake": "0s"},
        )
        done = self.deploy(tag)
        if lost := re.findall(r"^  (\S+)  docker: lists what it has removed", done.text, re.M):
            for host in lost:  # or all tests to come would fail by it
                with breaking(Docker(), "docker", host):
                    pass
            done = self.deploy(tag)
        self.write(body)
        assert done.exit_code == 0, done.text
        self.releases[made] = self.standings(WEB[:1])[WEB[0]].release

    def on_one_of(self, *tags: str) -> tuple[str, ...]:
        """Have the fleet on the tag that it takes least to be on, and return that one first."""
        running = {self.stands_on.rpartition("-")[0]} - {""} or {*self.tags().values()}
        first = next((tag for tag in tags if running == {tag}), tags[0])
        self.on(first)
        return (first, *(tag for tag in tags if tag != first))

    def status(self) -> dict[str, Any]:
        done = self.inv("status", "--json")
        assert done.exit_code == 0, done.text
        found: dict[str, Any] = json.loads(done.text)
        return found

    def compose_text(self) -> str:
        return Path(self.body["compose"]).read_text()

    def beside(self, name: str) -> str:
        return (Path(self.body["compose"]).parent / name).read_text()

    @property
    def hosts(self) -> list[str]:
        hosts = self.body["hosts"]
        # The sandbox's own file names all of them.
        return Home().host_names() if isinstance(hosts, str) else [*hosts]

    def tags(self) -> dict[str, str]:
        """Host → the tag it is on, by the file that plain `docker compose` reads there."""
        found = self.standings(self.hosts)
        return {host: one.release.rpartition("-")[0] for host, one in found.items()}

    def standings(self, hosts: Iterable[str]) -> dict[str, Standing]:
        """Look at these hosts, all at once."""
        look = LOOK.replace("APP", self.body["app"])
        names = [*hosts]
        with ThreadPoolExecutor() as pool:
            found = pool.map(lambda host: _stands(on_host(host, look)), names)
            return dict(zip(names, found, strict=True))


def on_host(host: str, command: str) -> str:
    """What a person who sits on that VPS as the deploy user sees."""
    done = subprocess.run(
        ["docker", "exec", "-u", "deploy", f"headway-{host}", "sh", "-c", command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{host}: {command}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def container_ids(host: str) -> list[str]:
    return sorted(on_host(host, "docker ps -aq --no-trunc").split())


def settled(host: str, path: str, service: str, count: int = 1) -> list[str]:
    """Assert that a host has exactly `count` containers of a service and nothing half-done."""
    project = Path(path).name
    ids = on_host(
        host,
        f"docker ps -aq --filter label=com.docker.compose.project={project} "
        f"--filter label=com.docker.compose.service={service}",
    ).split()
    assert len(ids) == count, f"{host} has {len(ids)} containers of {service}"
    assert on_host(host, f"ls {path}/.headway/next 2>/dev/null || echo none") == "none"
    return ids


def unwell(found: Mapping[str, Standing]) -> list[str]:
    """What is wrong with the shop's hosts: what they run, against their files, and what is left."""
    of = {host: one.fault(SERVES.get(host, "")) for host, one in found.items()}
    return [f"{host}: {fault}" for host, fault in of.items() if fault]


def within(moment: float, windows: Sequence[tuple[float, float]], slack: float = 1.0) -> bool:
    return any(start - slack <= moment <= end + slack for start, end in windows)


def _stands(said: str) -> Standing:
    """What LOOK has printed."""
    words = [line.split(maxsplit=1) for line in said.splitlines()]

    def rest(word: str) -> list[str]:
        return [line[1] for line in words if line[0] == word]

    containers = [tuple(one.split(" ")) for one in rest("container")]
    return Standing(
        release="".join(rest("release")),
        image=" ".join(rest("image")),
        containers=[(service, state, image) for service, state, image in containers],
        left=rest("left"),
    )

"""A fleet in memory: real settings, plans, phases, steps and arrows, over hosts that are not."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, Self
from unittest.mock import patch

import yaml

from deploy.api import carry_out, intend_deploy, intend_rollback
from deploy.errors import HeadwayError, OutcomeUnknown, TimedOut, Unreachable
from deploy.events import RunEnded, Stream
from deploy.registry import Found
from deploy.remote.arrows import Arrows
from deploy.remote.host import Result
from deploy.settings import Environment, load
from deploy.situation import Situation

from .machine import Machine

HOSTS: dict[str, list[str]] = {
    "web-1": ["web"],
    "web-2": ["web", "worker"],
    "web-3": ["web"],
    "db-1": ["db"],
}
COMPOSE = """\
services:
  web: {image: 'ghcr.io/acme/shop:x', ports: ['80:3000'], deploy: {replicas: 2}}
  worker: {image: 'ghcr.io/acme/shop:x'}
  database: {image: 'postgres:17'}
"""


class Died(BaseException):
    """The process is gone: nothing catches this, and nothing is done any more."""


@dataclass(frozen=True)
class Fault:
    """What befalls one command.

    refuse: it fails, and says so. hang: its deadline ends it. lose: the connection goes. vanish:
    the host is not there before it is sent. die: the process is killed. cancel: somebody asks the
    run to stop. `at` is how many steps of the script are done before it is cut off, None all;
    `gone` for how many seconds the host is away; `twice`: what `refuse` undoes goes wrong as well.
    """

    kind: Literal["refuse", "hang", "lose", "vanish", "die", "cancel"]
    at: int | None = None
    gone: float = 0
    twice: bool = False


@dataclass
class Course:
    """What befalls one run: the faults by the number of the command, whatever host it is for.

    `backwards`: the hosts of a phase are taken in the other order. `on`: what was sent to other
    hosts when the process died is carried out.
    """

    faults: Mapping[int, Fault] = field(default_factory=dict)
    backwards: bool = False
    on: bool = False


class FaultyHost:
    """The connection to one machine."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.fleet, self.name = fleet, name
        self.away_until = 0.0
        self.doubtful = self.refused = False

    def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Result:
        fleet, machine = self.fleet, self.fleet.machines[self.name]

        def carried_out(stop: int | None = None, ill: int = 0) -> Result:
            lines, code = machine.carry_out(argv[2], stdin, stop=stop, ill=ill)
            for line in lines if on_line else ():
                on_line(line)  # type: ignore[misc]
            return Result(code or 0, "".join(f"{line}\n" for line in lines).encode(), b"", 1)

        if fleet.dead:
            if fleet.course.on:
                carried_out()
            raise Died
        number = fleet.count
        fleet.count += 1
        fleet.clock += 1
        if fleet.clock < self.away_until:
            self.doubtful = True
            raise Unreachable(self.name, "no route to it")
        fault = fleet.course.faults.get(number)
        if fault is None:
            return carried_out()
        if fault.kind == "refuse":
            # What refuses the way there and the way back leaves nobody sure of how it is.
            self.doubtful, self.refused = self.doubtful or self.refused, True
            return carried_out(ill=2 if fault.twice else 1)
        if fault.kind == "cancel":
            fleet.cancel.set()
            return carried_out()
        if fault.kind == "die":
            carried_out(fault.at)
            fleet.dead = True
            raise Died
        self.doubtful = True
        if fault.kind == "hang":
            carried_out(fault.at)
            fleet.clock += timeout
            raise TimedOut(self.name, "it did not end within its time")
        self.away_until = fleet.clock + fault.gone
        if fault.kind == "vanish":
            raise Unreachable(self.name, "no route to it")
        carried_out(fault.at)
        raise OutcomeUnknown(self.name, "the connection was cut while a command ran")

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Fleet:
    """Four hosts under one hosts file."""

    environment: Environment
    machines: dict[str, Machine] = field(default_factory=dict)
    clock: float = 0.0
    count: int = 0
    dead: bool = False
    course: Course = field(default_factory=Course)
    allowed: dict[str, set[str]] = field(default_factory=dict)
    runs: int = 0

    def __post_init__(self) -> None:
        self.cancel = threading.Event()
        self.machines = {name: Machine(name, self.look) for name in HOSTS}
        self.hosts = {name: FaultyHost(self, name) for name in HOSTS}

    @classmethod
    def new(cls, folder: Path, rollout: Mapping[str, Any]) -> Self:
        """A fleet on which nothing runs yet."""
        written = {
            "app": "shop",
            "image": "ghcr.io/acme/shop",
            "hosts": {
                name: {"address": f"203.0.113.{number}", "roles": roles}
                for number, (name, roles) in enumerate(HOSTS.items(), start=1)
            },
            "services": {
                "web": {"role": "web", "port": 3000},
                "worker": {"role": "worker"},
                "database": {"role": "db", "rolled": False},
            },
            "rollout": dict(rollout),
        }
        (folder / "hosts").mkdir(exist_ok=True)
        (folder / "hosts" / "staging.yaml").write_text(yaml.safe_dump(written))
        (folder / "compose.yaml").write_text(COMPOSE)
        return cls(load(folder, "staging", {}))

    def copy(self) -> Fleet:
        """The same fleet as it stands, on which something else can be tried."""
        twin = Fleet(self.environment, clock=self.clock, runs=self.runs)
        for name, machine in self.machines.items():
            kept = {**machine.__dict__, "looked": None}
            twin.machines[name].__dict__.update(copy.deepcopy(kept), looked=twin.look)
        return twin

    def look(self, machine: Machine) -> None:
        """The invariant, after every change: one version answers, and it is one of those meant."""
        if "web" not in HOSTS[machine.name] or not self.allowed:
            return
        serving = machine.serving("web")
        assert len(serving) == 1, f"{machine.name} serves {serving or 'nothing'}"
        allowed = self.allowed[machine.name]
        assert serving <= allowed, f"{machine.name} serves {serving}, and not one of {allowed}"

    def meant(self, release: str) -> dict[str, set[str]]:
        """Of each host the versions that may answer while a run to `release` goes."""
        return {
            name: {
                release,
                machine.current,
                *machine.serving("web"),
                *({machine.next.release} if machine.next else ()),
            }
            for name, machine in self.machines.items()
        }

    def run(self, tag: str | None, course: Course, only: Sequence[str] = ()) -> Ran:
        """Deploy a tag, or roll back (None), as somebody at a keyboard would; `only`: on those."""
        self.course, self.count, self.dead = course, 0, False
        self.cancel.clear()
        self.runs += 1
        for host in self.hosts.values():
            host.doubtful = host.refused = False
        with self._in_memory():
            situation = Situation.of(self.environment)
            if only:
                situation = situation.only(only)
            situation.run = f"d-{self.runs}"
            before = {name: machine.settled_on() for name, machine in self.machines.items()}
            try:
                intent = (
                    intend_deploy(situation, tag, {"GITHUB_ACTOR": "ana"})
                    if tag
                    else intend_rollback(situation, None, {"GITHUB_ACTOR": "ana"})
                )
                release = intent.order.release.id
                if all(machine.current for machine in self.machines.values()):
                    self.allowed = self.meant(release)
                ended = carry_out(intent, Stream(), self.cancel)
            except Died:
                return Ran(before, "", None)
            except HeadwayError as error:
                return Ran(before, "", None, error)
            told = {one.host: one.before for one in intent.plan.hosts}
            return Ran(before, release, ended, None, told)

    @contextmanager
    def _in_memory(self) -> Iterator[None]:
        arrows = partial(Arrows, clock=lambda: self.clock, sleep=self._sleep)

        def found(_situation: Situation, tag: str) -> dict[str, Found]:
            digest = f"sha256:{tag.encode().hex():0<64}"
            one = Found("ghcr.io/acme/shop", tag, digest, ("linux/amd64",), {})
            return {"web": one, "worker": one}

        # The hosts of a phase are taken one after the other: what was found can be found again.
        with (
            patch("deploy.run.ThreadPoolExecutor", partial(InTurn, self)),
            patch("deploy.situation.each", one_by_one),
            patch("deploy.situation.hosts_of", lambda _: self.hosts),
            patch("deploy.situation.Arrows", arrows),
            patch("deploy.intent.find_images", found),
            patch("deploy.git.commit", lambda *_: None),
        ):
            yield

    def _sleep(self, seconds: float) -> None:
        self.clock += seconds


@dataclass(frozen=True)
class Ran:
    """How a run went: what each host was settled on before it, the release, and how it ended.

    `ended` is None when the process died, or when `refused` says why it never began. `told` are the
    tags that the hosts were on before, by what the run itself says.
    """

    before: dict[str, str | None]
    release: str
    ended: RunEnded | None
    refused: HeadwayError | None = None
    told: dict[str, str] = field(default_factory=dict)


class InTurn:
    """A pool of threads with none: the steps of a phase one after the other."""

    def __init__(self, fleet: Fleet, max_workers: int) -> None:
        self.fleet = fleet

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        todo = list(enumerate(items))
        done: dict[int, Any] = {}
        died = False
        for index, item in reversed(todo) if self.fleet.course.backwards else todo:
            try:
                done[index] = function(item)
            except Died:
                died = True  # what was sent to the others at the same time may still be done
        if died:
            raise Died
        return [done[index] for index, _ in todo]


def one_by_one(hosts: Sequence[Any], function: Callable[[Any], Any]) -> dict[str, Any]:
    """`pool.each` without threads."""
    found: dict[str, Any] = {}
    for host in hosts:
        try:
            found[host.name] = function(host)
        except HeadwayError as error:
            found[host.name] = error
    return found

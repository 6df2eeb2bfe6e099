"""A fleet in memory: real settings, plans, phases, steps and arrows, over hosts that are not."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import patch

import yaml
from invoke.exceptions import Exit

from deploy.api import carry_out, intend_deploy, intend_rollback
from deploy.errors import HeadwayError
from deploy.events import RunEnded, Stream
from deploy.journal import away_from, dead
from deploy.lease.keeper import Keeper
from deploy.registry import Found
from deploy.remote.arrows import Arrows
from deploy.settings import Environment, load
from deploy.situation import Situation
from deploy.tasks.leased import after_the_dead, leased, left_out, mended

from .faulty import Course, Died, Fault, FaultyHost
from .keeping import Keeping
from .machine import Machine

if TYPE_CHECKING:
    from deploy.journal import Dead
    from deploy.lease.lease import Lease

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
    keeping: Keeping = field(default_factory=Keeping)
    recovered: Recovered | None = None

    def __post_init__(self) -> None:
        self.cancel = threading.Event()
        self.machines = {name: Machine(name, self.look) for name in HOSTS}
        self.hosts = {name: FaultyHost(self, name) for name in HOSTS}

    @classmethod
    def new(cls, folder: Path, rollout: Mapping[str, Any], **more: Any) -> Self:
        """A fleet on which nothing runs yet; `more` is what else its hosts file says."""
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
            **more,
        }
        (folder / "hosts").mkdir(exist_ok=True)
        (folder / "hosts" / "staging.yaml").write_text(yaml.safe_dump(written))
        (folder / "compose.yaml").write_text(COMPOSE)
        return cls(load(folder, "staging", {}))

    def copy(self) -> Fleet:
        """The same fleet as it stands, on which something else can be tried."""
        keeping = copy.deepcopy(self.keeping)
        twin = Fleet(self.environment, clock=self.clock, runs=self.runs, keeping=keeping)
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

    def meant(self, *releases: str) -> dict[str, set[str]]:
        """Of each host the versions that may answer while a run to one of these goes."""
        return {
            name: {
                *releases,
                machine.current,
                *machine.serving("web"),
                *({machine.next.release} if machine.next else ()),
            }
            for name, machine in self.machines.items()
        }

    def run(self, tag: str | None, course: Course, only: Sequence[str] = ()) -> Ran:
        """Deploy a tag, or roll back (None), as somebody at a keyboard would; `only`: on those."""
        before, release, told = self.settled(), "", dict[str, str]()
        ended: RunEnded | None = None
        refused: HeadwayError | None = None
        try:
            with self._typed(course, only) as (situation, lease):
                runs = dead(lease.seen.records)
                with after_the_dead(situation, lease) if tag else nullcontext():
                    before = self.settled()
                    intent = (
                        intend_deploy(situation, tag, {"GITHUB_ACTOR": "ana"})
                        if tag
                        else intend_rollback(situation, away_from(runs), {"GITHUB_ACTOR": "ana"})
                    )
                    release = intent.order.release.id
                    told = {one.host: one.before for one in intent.plan.hosts}
                    self._allow(release)
                    ended = carry_out(intent, Stream(), self.cancel, record=lease)
                    if ended.exit_code:
                        raise Exit(code=ended.exit_code)
                if not left_out(situation, runs):
                    lease.close(run.run for run in runs)
        except (Died, Exit):
            pass
        except HeadwayError as error:
            refused = error
        return Ran(before, release, ended, refused, told, self.recovered)

    def die(self, tag: str, phase: str, host: str, only: Sequence[str] = ()) -> None:
        """Have a deploy die that leaves this host in this phase; "": each has come to its end."""
        whole = self.copy()
        whole.run(tag, Course(), only)
        if not phase:
            verifying = whole.count - len(only or self.hosts)
            self.run(tag, Course({verifying: Fault("die", 0)}), only)
            return
        # A phase is written down by its own arrow, but staged by the one that ends it.
        died = Fault("die", 0 if phase == "staged" else 1)
        for number in range(whole.count):
            tried = self.copy()
            tried.run(tag, Course({number: died}), only)
            left = tried.machines[host].next
            if left and left.phase == phase:
                self.run(tag, Course({number: died}), only)
                return
        raise AssertionError(f"{host} was never {phase}")

    def recover(self, course: Course) -> Ran:
        """Bring what is left to an end; nothing in `recovered` where there was nothing."""
        before, refused = self.settled(), None
        try:
            with self._typed(course) as (situation, lease):
                mended(situation, lease, smoke=True)
        except (Died, Exit):
            pass
        except HeadwayError as error:
            refused = error
        return Ran(before, "", None, refused, {}, self.recovered)

    @property
    def run_id(self) -> str:
        """Of the last run; these sort as what they name."""
        return f"d-{self.runs:06}"

    def keeper_is_there(self) -> bool:
        """Does the host that keeps the lease answer?"""
        return self.clock >= self.hosts[self.environment.lease_host].away_until

    def left(self) -> list[Dead]:
        """The runs that have come to no end, by their records."""
        lines = (json.loads(line) for said in self.keeping.records.values() for line in said)
        return [run for run in dead(lines) if not self.keeping.has_ended(run.run)]

    def settled(self) -> dict[str, str | None]:
        """Host → the release that it is on with all it has, if it is."""
        return {name: machine.settled_on() for name, machine in self.machines.items()}

    @contextmanager
    def _typed(self, course: Course, only: Sequence[str] = ()) -> Iterator[tuple[Situation, Lease]]:
        """What a task has before it does anything; nobody waits for the lease of who has died."""
        self.course, self.count, self.dead = course, 0, False
        self.cancel.clear()
        self.runs += 1
        self.recovered = None
        self.clock = max(self.clock, self.keeping.expire())
        for host in self.hosts.values():
            host.doubtful = host.refused = False

        def shown(run: Callable[..., RunEnded], *_: object) -> RunEnded:
            ended = run(Stream(), self.cancel)
            self.recovered = Recovered(ended, self.settled())
            return ended

        with (
            self._in_memory(),
            patch("deploy.tasks.leased.shown", shown),
            patch("deploy.tasks.leased.told", lambda _text: None),
            patch("deploy.tasks.leased.refused", lambda error: error),
        ):
            situation = Situation.of(self.environment)
            if only:
                situation = situation.only(only)
            situation.run = self.run_id
            with leased(situation, "a test") as lease:
                runs = dead(lease.seen.records)
                meant = {one.release for one in runs}.union(*(one.before.values() for one in runs))
                self._allow(*meant, *(one.current for one in self.machines.values()))
                yield situation, lease

    def _allow(self, *releases: str) -> None:
        if all(machine.current for machine in self.machines.values()):
            self.allowed = self.meant(*releases)

    @contextmanager
    def _in_memory(self) -> Iterator[None]:
        arrows = partial(Arrows, clock=lambda: self.clock, sleep=self._sleep)
        keeper = partial(Keeper, clock=lambda: self.clock, sleep=self._sleep)

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
            patch("deploy.situation.Keeper", keeper),
            patch("deploy.intent.find_images", found),
            patch("deploy.git.commit", lambda *_: None),
        ):
            yield

    def _sleep(self, seconds: float) -> None:
        self.clock += seconds


@dataclass(frozen=True)
class Recovered:
    """How a recovery ended, and what each host was settled on then."""

    ended: RunEnded
    on: dict[str, str | None]


@dataclass(frozen=True)
class Ran:
    """How a run went: what each host was settled on before it, the release, and how it ended.

    `ended` is None when the process died, or when `refused` says why it never began. `told` are the
    tags that the hosts were on before, by what the run itself says. `recovered` is what came of
    what an earlier one had left, which comes before all that.
    """

    before: dict[str, str | None]
    release: str
    ended: RunEnded | None
    refused: HeadwayError | None = None
    told: dict[str, str] = field(default_factory=dict)
    recovered: Recovered | None = None


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

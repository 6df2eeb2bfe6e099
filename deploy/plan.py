"""What to do: from what is wanted and what is, with no look at anything else. Pure.

A plan names for each host whether it is rolled and why, and the waves in which hosts are taken. It
is empty when every host is as the release wants it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from deploy.compose.placement import Placement, Rolled
    from deploy.facts import HostFacts
    from deploy.release import Release
    from deploy.settings import Environment


Verb = Literal["deploy", "rollback", "recover", "revert"]
"""As the journal has it: a revert of a recovery, too, puts back what came before it in its run."""


@dataclass(frozen=True)
class Wanted:
    """What one host is to be: the sums (SHA-256, hexadecimal) of the files that say so.

    A rollback goes to files that are on the host alone: there the sums are None and not compared.
    """

    placement: Placement
    override_sum: str | None = None
    env_sum: str | None = None


@dataclass(frozen=True)
class HostPlan:
    """One host: what it is on, whether it is rolled, why, and what else there is to know."""

    host: str
    before: str
    roll: bool
    rolled: tuple[str, ...]
    canary: bool
    why: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What a deploy or a rollback of `release` would do.

    `before` is the tag that most hosts are on, empty before a first deploy. `waves` are the names
    of the hosts to be rolled, those of one wave together.
    """

    verb: Verb
    app: str
    environment: str
    release: str
    before: str
    after: str
    commit: str
    strategy: Literal["rolling", "blue-green"]
    hosts: tuple[HostPlan, ...]
    waves: tuple[tuple[str, ...], ...]
    migrations: bool

    @property
    def empty(self) -> bool:
        """Is there nothing to do?"""
        return not self.waves

    @property
    def rolling(self) -> tuple[str, ...]:
        """The hosts that are rolled, in the order of their waves."""
        return tuple(host for wave in self.waves for host in wave)

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain values, for JSON."""
        return {**asdict(self), "empty": self.empty}


def make(
    environment: Environment,
    release: Release,
    wanted: Mapping[str, Wanted],
    facts: Mapping[str, HostFacts],
    verb: Verb = "deploy",
) -> Plan:
    """Compare what is wanted with what is, and say what to do.

    Args:
        environment: the settings.
        release: what every host is to run.
        wanted: host → what that means there.
        facts: host → what is there now.
        verb: a rollback takes all hosts at once and migrates nothing; so does a recovery.
    """
    hosts = []
    for name, want in wanted.items():
        why = _reasons(release, want, facts[name])
        hosts.append(
            HostPlan(
                host=name,
                before=_tag_of(facts[name].before, facts),
                roll=bool(why),
                rolled=tuple(one.name for one in want.placement.rolled),
                canary=False,
                why=tuple(why),
                notes=tuple(_notes(want, facts[name])),
            )
        )
    todo = [host.host for host in hosts if host.roll]
    strategy = environment.rollout.strategy
    waves, canaries = _waves(environment, wanted, todo, at_once=verb != "deploy")
    return Plan(
        verb=verb,
        app=environment.app,
        environment=environment.name,
        release=release.id,
        before=_before(hosts),
        after=release.tag,
        commit=release.commit,
        strategy=strategy,
        hosts=tuple(_with_canary(host, canaries) for host in hosts),
        waves=waves,
        migrations=verb == "deploy"
        and bool(environment.database and environment.database.migrations),
    )


def _with_canary(host: HostPlan, canaries: frozenset[str]) -> HostPlan:
    if host.host not in canaries:
        return host
    return HostPlan(**{**host.__dict__, "canary": True})


def _tag_of(release: str, facts: Mapping[str, HostFacts]) -> str:
    for one in facts.values():
        if release in one.releases:
            return one.releases[release].tag
    return release


def _before(hosts: Sequence[HostPlan]) -> str:
    tags = [host.before for host in hosts if host.before and host.rolled]
    return max(dict.fromkeys(tags), key=tags.count) if tags else ""


def _reasons(release: Release, want: Wanted, now: HostFacts) -> list[str]:
    """Why a host has to be rolled; nothing when it is as it should be."""
    why = []
    if now.unfinished:
        why.append(f"a roll to {now.unfinished.release} was cut off ({now.unfinished.phase})")
    if not now.release:
        why.append("nothing is deployed here yet")
    elif now.release != release.id:
        why.append(f"is on {now.release}")
    elif want.override_sum is not None and (now.override_sum, now.env_sum) != (
        want.override_sum,
        want.env_sum,
    ):
        why.append("its part of the release has changed")
    why += [f"{file} was edited by hand" for file in now.edited]
    if why:
        return why
    for rolled in want.placement.rolled:
        why += _off(rolled, now)
    rolled_names = {rolled.name for rolled in want.placement.rolled}
    for name in want.placement.services:
        if name not in rolled_names and not any(
            one.state == "running" or one.ended_well for one in now.of(name)
        ):
            why.append(f"{name} does not run")
    return why


def _off(rolled: Rolled, now: HostFacts) -> list[str]:
    if rolled.order == "one-shot":
        return []
    containers = now.of(rolled.name)
    hash_wanted = now.hashes.get(rolled.name)
    right = [one for one in containers if one.well and one.hash == hash_wanted]
    if len(right) != rolled.replicas or len(containers) != rolled.replicas:
        return [
            f"{rolled.name} has {len(right)} of {rolled.replicas} containers as they should be"
            + (
                f", and {len(containers) - len(right)} others"
                if len(containers) > len(right)
                else ""
            )
        ]
    if rolled.order == "start-first" and rolled.port:
        live = now.live_slot(rolled.name)
        if any(one.slot != live for one in containers):
            return [f"{rolled.name} was made anew by hand and is not in its slot"]
    return []


def _notes(want: Wanted, now: HostFacts) -> list[str]:
    notes = []
    for name in want.placement.others:
        containers = now.of(name)
        expected = now.hashes.get(name)
        if containers and expected and any(one.hash != expected for one in containers):
            notes.append(
                f"{name} is left alone; its configuration differs from the compose file: "
                f"docker compose up -d {name} on {want.placement.host}"
            )
    return notes


def _waves(
    environment: Environment, wanted: Mapping[str, Wanted], todo: Sequence[str], *, at_once: bool
) -> tuple[tuple[tuple[str, ...], ...], frozenset[str]]:
    """Hosts that roll nothing, then the canaries one by one, then `max_parallel` at a time."""
    plain = tuple(host for host in todo if not wanted[host].placement.rolled)
    rolling = [host for host in todo if wanted[host].placement.rolled]
    first = (plain,) if plain else ()
    rollout = environment.rollout
    if not rolling:
        return first, frozenset()
    if at_once or rollout.strategy == "blue-green":
        return (*first, tuple(rolling)), frozenset()
    canaries = rolling[: rollout.canary] if len(rolling) > 1 else []
    rest = rolling[len(canaries) :]
    size = rollout.max_parallel
    chunks = tuple(tuple(rest[i : i + size]) for i in range(0, len(rest), size))
    return (*first, *((host,) for host in canaries), *chunks), frozenset(canaries)

"""From a case in short form to what `plan.make` takes.

A case is a YAML file in `cases/`:

    about: what it shows
    verb: deploy                    # or rollback
    release: v2                     # the tag that is wanted
    rollout: {canary: 1}            # as in a hosts file, and so is
    services: {web: {port: 3000}}   # these three are there unless others are written
    replicas: {web: 2}
    database: {…}
    hosts:
      web-1:
        rolled: [web]               # what its placement says
        others: [proxy]
        own_proxy: true
        now: v1                      # settled on it; left out: nothing is there
        edited: [.env]
        unfinished: staged          # the phase of a roll to `release` that was cut off
        override: other             # its files are not those of the release wanted
        containers:                 # in place of what `now` implies
          web: [{slot: ""}]         # the fields that differ from a container as it should be
    expected: …
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from deploy.compose.placement import Placement, Rolled
from deploy.facts import Container, HostFacts, Unfinished
from deploy.plan import Plan, Wanted, make
from deploy.release import Release
from deploy.settings import load

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.settings import Environment

SERVICES: dict[str, dict[str, Any]] = {
    "web": {"role": "web", "port": 3000},
    "worker": {"role": "worker"},
}
ONE_SHOTS = {"prepare"}
COMMIT = "c0ffee0000000000000000000000000000000000"


@dataclass(frozen=True)
class World:
    """What a plan is made from."""

    environment: Environment
    release: Release
    wanted: dict[str, Wanted]
    facts: dict[str, HostFacts]
    verb: Any

    def plan(self) -> Plan:
        return make(self.environment, self.release, self.wanted, self.facts, self.verb)


def release_of(tag: str) -> Release:
    digest = f"ghcr.io/acme/shop@sha256:{tag.encode().hex():0<64}"
    return Release(f"{tag}-0a1b2c3d", tag, {"web": digest}, "2026-01-02T03:04:05Z", commit=COMMIT)


def world(case: dict[str, Any], folder: Path) -> World:
    services = {**SERVICES, **case.get("services", {})}
    release = release_of(case.get("release", "v2"))
    verb = case.get("verb", "deploy")
    wanted, facts = {}, {}
    for name, host in case["hosts"].items():
        rolled = tuple(_rolled(one, services, case) for one in host.get("rolled", []))
        others = tuple(host.get("others", []))
        placement = Placement(name, rolled, others, (), host.get("own_proxy", False))
        sums = (f"override {release.id}", f"env {release.id}") if verb == "deploy" else (None, None)
        wanted[name] = Wanted(placement, *sums)
        facts[name] = _facts(host, placement, release)
    return World(_environment(case, services, folder), release, wanted, facts, verb)


def _environment(case: dict[str, Any], services: dict[str, Any], folder: Path) -> Environment:
    used = {one for host in case["hosts"].values() for one in host.get("rolled", [])} - ONE_SHOTS
    written = {
        "app": "shop",
        "image": "ghcr.io/acme/shop",
        "hosts": {
            name: {"address": f"203.0.113.{number}", "roles": ["web", "worker"]}
            for number, name in enumerate(case["hosts"], start=1)
        },
        "services": {name: services[name] for name in services if name in used},
        "rollout": case.get("rollout", {}),
        **({"database": case["database"]} if "database" in case else {}),
    }
    file = folder / "hosts" / "production.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(written))
    return load(folder, "production", {})


def _rolled(name: str, services: dict[str, Any], case: dict[str, Any]) -> Rolled:
    if name in ONE_SHOTS:
        return Rolled(name, "one-shot", None, 0, 1)
    port = services[name].get("port")
    order: Any = services[name].get("order") or ("start-first" if port else "stop-first")
    return Rolled(name, order, port, 30, case.get("replicas", {}).get(name, 1))


def _facts(host: dict[str, Any], placement: Placement, release: Release) -> HostFacts:
    tag = host.get("now")
    if tag is None:
        return HostFacts(exists=True)
    now = release_of(tag)
    hashes = {name: f"{name} of {now.id}" for name in placement.services}
    replicas = {one.name: one.replicas for one in placement.rolled}
    slots = {one.name for one in placement.rolled if one.order == "start-first" and one.port}
    live = host.get("live", {})
    containers = []
    for name in placement.services:
        good = {
            "state": "running",
            "health": "healthy",
            "hash": hashes[name],
            "slot": live.get(name, "blue") if name in slots else "",
        }
        if name in ONE_SHOTS:
            good |= {"state": "exited", "health": ""}
        differing = host.get("containers", {}).get(name, [{}] * replicas.get(name, 1))
        containers += [_container(name, number, good | d) for number, d in enumerate(differing)]
    other = host.get("override", "")
    unfinished = host.get("unfinished")
    return HostFacts(
        exists=True,
        release=now.id,
        override_sum=other or f"override {now.id}",
        env_sum=f"env {now.id}",
        edited=tuple(host.get("edited", [])),
        unfinished=Unfinished(release.id, "d-1", unfinished) if unfinished else None,
        live=live,
        hashes=hashes,
        containers=tuple(containers),
        releases={one.id: one for one in ((now, release) if unfinished else (now,))},
    )


def _container(service: str, number: int, fields: dict[str, str]) -> Container:
    return Container(
        id=f"{service}-{number}",
        service=service,
        restarts=0,
        started="2026-01-02T03:04:05Z",
        image="ghcr.io/acme/shop",
        **fields,
    )

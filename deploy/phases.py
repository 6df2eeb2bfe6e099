"""From a plan to the steps that carry it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from deploy.bundle import other_images, pack
from deploy.compose.override import published
from deploy.compose.placement import HEADWAY_PROXY
from deploy.migrating import after_hosts, before_hosts
from deploy.pending import holder_of
from deploy.proxy import caddy, haproxy
from deploy.release import roll
from deploy.steps.hosts import Place, Prepare, Roll, Settle, Stage, Switch, Target
from deploy.steps.verify import Verify

if TYPE_CHECKING:
    from deploy.order import Order
    from deploy.plan import Plan
    from deploy.run import Phase
    from deploy.situation import Situation

REVERT_BAKE = 1.0
"""Seconds: a release that served until a moment ago is probed, and not watched for long."""


def phases(situation: Situation, order: Order, again: Callable[[], Plan]) -> list[Phase]:
    """Return what is done, in its order; the steps of one phase go at the same time.

    Rolling and blue-green are the same arrows: with one wave of all hosts, all are staged before
    any is switched, and all are switched before any is settled.
    """
    plan = order.plan
    targets = {host: _target(situation, order, host) for host in plan.rolling}
    password = situation.registry_password
    walk: list[Phase] = [
        [
            Prepare(target, *_delivery(situation, order, host, password))
            for host, target in targets.items()
        ]
    ]
    walk += before_hosts(situation, order)
    settling: Phase = []
    for wave in plan.waves:
        rolled = [targets[host] for host in wave if targets[host].placement.rolled]
        # The old containers of one wave finish what they have in flight, for as long as the drain
        # allows, while the new ones of the next wave start: neither has to wait for the other.
        walk.append([*settling, *map(Stage, rolled)])
        walk.append([Switch(target) for target in rolled])
        settling = [
            Settle(targets[host]) if targets[host].placement.rolled else Place(targets[host])
            for host in wave
        ]
    walk += [settling, [Verify(again)]]
    walk += after_hosts(situation, order)
    return [phase for phase in walk if phase]


def database_alone(situation: Situation, order: Order) -> list[Phase]:
    """What is done to the database alone; a command needs the release on the host it runs on."""
    walk = before_hosts(situation, order)
    if not walk or situation.environment.applied_by == "headway":
        return walk
    _, host = holder_of(situation, order.release.images)
    delivery = _delivery(situation, order, host, situation.registry_password)
    return [[Prepare(_target(situation, order, host), *delivery)], *walk]


def _target(situation: Situation, order: Order, host: str) -> Target:
    facts = situation.facts[host]
    rollout = situation.environment.rollout
    placement = situation.placements[host]
    before = facts.releases.get(facts.release)
    bake = rollout.bake if placement.rolled else 0.0
    settings = {"deploy": order.id, "by": order.by}
    return Target(
        name=host,
        arrows=situation.arrows(host, settings),
        placement=placement,
        deploy=order.id,
        healthy_deadline=rollout.healthy_deadline,
        forward=Roll(order.release.id, order.release.tag, order.plan.verb, bake),
        back=Roll(before.id, before.tag, "revert", REVERT_BAKE) if before else None,
    )


def _delivery(situation: Situation, order: Order, host: str, password: str) -> tuple[str, bytes]:
    """The arrow, and what it reads."""
    line = f"{password}\n".encode()
    if order.bundle is None or order.files is None:
        return "recall", line
    bundle, files = order.bundle, order.files[host]
    placement = situation.placements[host]
    compose = situation.compose
    own = situation.environment.hosts[host].env
    others = [*placement.others, *([HEADWAY_PROXY] if placement.own_proxy else [])]
    images = [
        *(bundle.release.images[one.name] for one in placement.rolled),
        *other_images(compose, placement.others, {**bundle.values, **own}),
        *([situation.environment.proxy.image] if placement.own_proxy else []),
    ]
    contents = {
        "compose.yaml": (bundle.compose.encode(), 0o644),
        "host.yaml": (files.override.encode(), 0o644),
        ".env": (files.env.encode(), 0o600),
        "release.json": (bundle.release.to_json().encode() + b"\n", 0o644),
        "roll": (roll(images, others, placement.rolled, bundle.release.tag).encode(), 0o644),
    }
    contents |= {f"beside/{path}": file for path, file in bundle.beside.items()}
    contents |= {
        f"proxy/{name}": (text.encode(), 0o644) for name, text in _snippets(situation, host).items()
    }
    return "prepare", line + pack(contents)


def _snippets(situation: Situation, host: str) -> dict[str, str]:
    placement = situation.placements[host]
    answering = [one for one in placement.rolled if one.port and one.order == "start-first"]
    if not answering:
        return {}
    if placement.own_proxy:
        listen = {
            one.name: pairs[0][1]
            for one in answering
            if (pairs := published(one, situation.compose))
        }
        return {"Caddyfile": caddy.caddyfile(answering, listen)}
    if situation.environment.proxy.kind == "haproxy":
        return haproxy.snippets(answering)
    return caddy.snippets(answering)

"""From a plan to the steps that carry it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from deploy.bundle import other_images, pack
from deploy.cdn.choose import cdns
from deploy.compose.override import published
from deploy.compose.placement import HEADWAY_PROXY
from deploy.migrating import after_hosts, before_hosts
from deploy.pending import holder_of
from deploy.proxy import caddy, haproxy
from deploy.release import roll
from deploy.smoke.smoke import Subject, smoke
from deploy.steps.hosts import Mend, Place, Prepare, Roll, Settle, Stage, Switch, Target
from deploy.steps.purge import Purge
from deploy.steps.smoke import Smoke
from deploy.steps.verify import Verify

if TYPE_CHECKING:
    from deploy.order import Order
    from deploy.plan import Plan, Verb
    from deploy.recovery import Recovery
    from deploy.run import Phase
    from deploy.situation import Situation
    from deploy.smoke.result import Verdict
    from deploy.smoke.smoke import Said
    from deploy.steps.step import Step

REVERT_BAKE = 1.0
"""Seconds: a release that served until a moment ago is probed, and not watched for long."""


def phases(situation: Situation, order: Order, again: Callable[[], Plan]) -> list[Phase]:
    """Return what is done, in its order; the steps of one phase go at the same time.

    Rolling and blue-green are the same arrows: with one wave of all hosts, all are staged before
    any is switched, and all are switched before any is settled. The first host that smoke tests
    can ask is switched alone, and asked before the others of its wave are switched.
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
    first = _first_asked(situation, order)
    for wave in plan.waves:
        rolled = [targets[host] for host in wave if targets[host].placement.rolled]
        # The old containers of one wave finish what they have in flight, for as long as the drain
        # allows, while the new ones of the next wave start: neither has to wait for the other.
        walk.append([*settling, *map(Stage, rolled)])
        # No other host of a wave serves the release before the first has passed its tests.
        alone = [target for target in rolled if target.name == first]
        walk += [[*map(Switch, alone)], [_smoke(situation, order, target) for target in alone]]
        walk.append([Switch(target) for target in rolled if target.name != first])
        settling = [
            Settle(targets[host]) if targets[host].placement.rolled else Place(targets[host])
            for host in wave
        ]
    walk += [settling, [Verify(again)]]
    if plan.rolling:
        walk += purging(situation, order, plan.verb)
    after = after_hosts(situation, order)
    # A contract migration comes when nothing can send the hosts back any more; a rollback is asked
    # about what it ends with. After a recovery it is for whoever ordered that to ask.
    if plan.verb == "deploy":
        walk += [*smoke_after_all(situation, order), *after]
    else:
        walk += [*after, *(smoke_after_all(situation, order) if plan.verb == "rollback" else [])]
    return [phase for phase in walk if phase]


def purging(situation: Situation, order: Order, verb: str) -> list[Phase]:
    """What CDNs keep is of another release now; `verb` tells a revert from what it reverts."""
    found = cdns(situation.environment)
    command = f"inv cdn.{situation.environment.name}"
    return [[Purge(found, f"{order.id}-{verb}", command)]] if found else []


def after_revert(situation: Situation, order: Order, tried: Iterable[Step]) -> list[Phase]:
    """What is done once all is put back; `tried` is the furthest step of each host."""
    if any(isinstance(_meant(step), Switch | Settle) for step in tried):
        return purging(situation, order, "revert")
    return []


def _meant(step: Step) -> Step:
    """What undoing a step is undoing."""
    return step.after or step if isinstance(step, Smoke) else step


def subject_of(situation: Situation) -> Subject:
    """What the smoke tests are about."""
    return Subject(
        situation.environment,
        situation.compose,
        situation.placements,
        situation.hosts,
        situation.run,
    )


def _first_asked(situation: Situation, order: Order) -> str:
    """The first host that is switched and can be asked; "" where none is asked by itself.

    The way back is not held up: what it leaves behind is worse than what a test could find.
    """
    if situation.environment.smoke is None or order.plan.verb != "deploy":
        return ""
    asked = subject_of(situation).answering
    return next((host for wave in order.plan.waves for host in wave if host in asked), "")


def _smoke(situation: Situation, order: Order, target: Target) -> Smoke:
    def test(said: Said) -> Verdict:
        tags = {target.name: order.release.tag}
        return _asked(situation, smoke(subject_of(situation), tags, target.name, said))

    return Smoke(test, after=Switch(target))


def _asked(situation: Situation, verdict: Verdict) -> Verdict:
    situation.tested.extend(verdict.results)
    return verdict


def smoke_after_all(situation: Situation, order: Order) -> list[Phase]:
    """The site and every host are asked; only a deploy is put back when something fails."""
    if situation.environment.smoke is None:
        return []

    def test(said: Said) -> Verdict:
        subject = subject_of(situation)
        tags = dict.fromkeys(subject.answering, order.release.tag)
        return _asked(situation, smoke(subject, tags, said=said))

    # Who rolls back wants to be away from what there was: nothing brings that back by itself.
    return [[Smoke(test, reverts=order.plan.verb == "deploy")]]


def database_alone(situation: Situation, order: Order) -> list[Phase]:
    """What is done to the database alone; a command needs the release on the host it runs on."""
    walk = before_hosts(situation, order)
    if not walk or situation.environment.applied_by == "headway":
        return walk
    _, host = holder_of(situation, order.release.images)
    delivery = _delivery(situation, order, host, situation.registry_password)
    return [[Prepare(_target(situation, order, host), *delivery)], *walk]


def mend(situation: Situation, found: Recovery, deploy: str, by: str, verb: Verb) -> Phase:
    """Bring every host that is in the middle of a roll to an end of it, under this verb."""
    steps = []
    for host, way in found.mends.items():
        left = situation.facts[host].unfinished
        assert left is not None  # noqa: S101 - else there would be nothing to mend
        roll = Roll(left.release, left.release.rpartition("-")[0], verb, REVERT_BAKE)
        target = Target(
            name=host,
            arrows=situation.arrows(host, {"deploy": deploy, "by": by}),
            placement=situation.placements[host],
            # What is settled here may be settled once more on the way back: two runs of one arrow.
            deploy=f"{deploy}.mend",
            deadlines=situation.environment.rollout,
            forward=roll,
            back=None,
        )
        steps.append(Mend(target, roll, way))
    return steps


def _target(situation: Situation, order: Order, host: str) -> Target:
    facts = situation.facts[host]
    rollout = situation.environment.rollout
    placement = situation.placements[host]
    before = facts.releases.get(facts.before)
    bake = rollout.bake if placement.rolled else 0.0
    settings = {"deploy": order.id, "by": order.whose}
    return Target(
        name=host,
        arrows=situation.arrows(host, settings),
        placement=placement,
        deploy=order.id,
        deadlines=rollout,
        forward=Roll(order.release.id, order.release.tag, order.plan.verb, bake),
        back=Roll(before.id, before.tag, "revert", REVERT_BAKE) if before else None,
        unfinished=facts.unfinished is not None,
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

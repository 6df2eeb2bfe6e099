"""From a plan to the steps that carry it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from deploy.bundle import other_images, pack
from deploy.compose.override import published
from deploy.compose.placement import HEADWAY_PROXY
from deploy.database.access import access_of
from deploy.database.backup.backups import Order as BackupOrder
from deploy.database.backup.backups import backups_of
from deploy.database.backup.copies import copies_of
from deploy.database.command.oneoff import OneOff
from deploy.database.migrations.script import Limits
from deploy.pending import holder_of
from deploy.proxy import caddy, haproxy
from deploy.release import roll
from deploy.steps.backup import BackUp
from deploy.steps.command import Commanded
from deploy.steps.hosts import Place, Prepare, Roll, Settle, Stage, Switch, Target
from deploy.steps.migrate import Migrate
from deploy.steps.push import Push
from deploy.steps.take_back import TakeBack
from deploy.steps.verify import Verify

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.database.backup.manifest import Manifest
    from deploy.database.outlook import Outlook
    from deploy.pending import TakenBack
    from deploy.plan import Plan
    from deploy.release import Bundle, Release
    from deploy.run import Phase
    from deploy.situation import Files, Situation

REVERT_BAKE = 1.0
"""Seconds: a release that served until a moment ago is probed, and not watched for long."""


@dataclass(frozen=True)
class Order:
    """One run: its id, who ordered it, the plan, and the release with its files by host.

    `bundle` and `files` are None when the hosts have the release already; `outlook` is where
    migrations are pending; `protected` are the releases whose backups stay; `taken_back` is what a
    rollback takes back in the database.
    """

    id: str
    by: str
    plan: Plan
    release: Release
    bundle: Bundle | None
    files: Mapping[str, Files] | None
    outlook: Outlook | None = None
    protected: tuple[str, ...] = ()
    taken_back: TakenBack | None = None


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
    for wave in plan.waves:
        rolled = [targets[host] for host in wave if targets[host].placement.rolled]
        placed: Phase = [Place(targets[host]) for host in wave if targets[host] not in rolled]
        walk += [[arrow(target) for target in rolled] for arrow in (Stage, Switch, Settle)]
        walk.append(placed)
    walk.append([Verify(again)])
    if order.outlook and order.outlook.later:
        later = [one.name for one in order.outlook.later]
        # The hosts have settled: what fails here is tried again by the next deploy.
        walk.append([_migrate(situation, order, later, name="contract", reverts=False)])
    walk += _take_back(situation, order)
    return [phase for phase in walk if phase]


def before_hosts(situation: Situation, order: Order) -> list[Phase]:
    """What is done to the database before any host: a backup, if one is asked for, and expand."""
    outlook = order.outlook
    if outlook is not None and outlook.push:
        return _push(situation, order, outlook)
    if outlook is None or not outlook.pending:
        return []
    walk: list[Phase] = []
    made: list[Manifest] = []
    if situation.environment.backup_required and not outlook.fresh:
        walk.append([_backup(situation, order, made)])
    if outlook.now:
        way_back = partial(_restore, situation, made)
        now = [one.name for one in outlook.now]
        fresh = outlook.fresh
        walk.append([_migrate(situation, order, now, way_back=way_back, fresh=fresh)])
    return walk


def database_alone(situation: Situation, order: Order) -> list[Phase]:
    """What is done to the database alone; a command needs the release on the host it runs on."""
    walk = before_hosts(situation, order)
    if not walk or situation.environment.applied_by == "headway":
        return walk
    _, host = holder_of(situation, order.release.images)
    delivery = _delivery(situation, order, host, situation.registry_password)
    return [[Prepare(_target(situation, order, host), *delivery)], *walk]


def _push(situation: Situation, order: Order, outlook: Outlook) -> list[Phase]:
    made: list[Manifest] = []
    backup: list[Phase] = []
    if situation.environment.backup_required and not outlook.fresh:
        backup = [[_backup(situation, order, made)]]
    access, limits = _database(situation)
    command, way_back = _one_off(situation, order, limits), partial(_restore, situation, made)
    step = Push(access, command, f"{order.id}.push", way_back=way_back, fresh=outlook.fresh)
    return [*backup, [step]]


def _take_back(situation: Situation, order: Order) -> list[Phase]:
    """What is done to the database after the hosts have gone back: no way back loses them time."""
    what = order.taken_back
    if what is None or not what.migrations:
        return []
    made: list[Manifest] = []
    backup: list[Phase] = []
    if situation.environment.backup_required:
        backup = [[_backup(situation, order, made)]]
    access, limits = _database(situation)
    way_back = partial(_restore, situation, made)
    return [*backup, [TakeBack(what.migrations, what.form, access, limits, way_back)]]


def _restore(situation: Situation, made: Sequence[Manifest]) -> str:
    return f"inv restore.{situation.environment.name} {made[-1].name}" if made else ""


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


def _backup(situation: Situation, order: Order, made: list[Manifest]) -> BackUp:
    environment = situation.environment
    backups = backups_of(environment, situation.hosts)
    release = order.release
    return BackUp(
        backups,
        BackupOrder(release.id, release.tag, "deploy", order.by),
        order.protected,
        copies_of(environment, situation.hosts, backups).make,
        made=made,
    )


def _migrate(
    situation: Situation, order: Order, names: Sequence[str], **how: Any
) -> Migrate | Commanded:
    assert order.outlook is not None  # noqa: S101 - nothing would be pending
    access, limits = _database(situation)
    folder = order.outlook.folder
    if situation.environment.applied_by == "command":
        token = f"{order.id}.{how.get('name', 'migrate')}"
        command = _one_off(situation, order, limits)
        return Commanded(folder, names, access, command, token, **how)
    return Migrate(folder, names, access, limits, **how)


def _one_off(situation: Situation, order: Order, limits: Limits) -> OneOff:
    """The command that applies, as the service whose image has the migrations."""
    environment = situation.environment
    assert environment.database is not None  # noqa: S101 - as above
    service, host = holder_of(situation, order.release.images)
    apply = environment.database.apply
    arrows = situation.arrows(host, {"deploy": order.id, "by": order.by})
    secrets = environment.secret_values
    release = order.release.id
    return OneOff(arrows, release, service, apply.typed, apply.timeout, limits, secrets)


def _database(situation: Situation) -> tuple[Access, Limits]:
    database = situation.environment.database
    assert database is not None  # noqa: S101 - nothing would be pending, nor to be taken back
    limits = Limits(database.lock_timeout, database.statement_timeout)
    return access_of(situation.environment, situation.hosts), limits

"""A plan as a file: what was looked at and agreed to, and whether it still is so. Pure.

A plan that somebody has read is worth something only if nothing else is done. So the file holds
what the plan follows from as well: the settings, the images by digest, what each host is on, and
which migrations are pending. Who carries it out looks at all of that anew, and everything that is
different is told.

No secret is in it: settings hold the names of secrets alone, and of their values there is what the
release's id is made of (`deploy.release.release_id`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.errors import Fault, Refused, UsageError
from deploy.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.database.migrations.folder import Migration
    from deploy.database.outlook import Outlook
    from deploy.facts import HostFacts
    from deploy.order import Order
    from deploy.settings import Environment

SCHEMA = 1

_ELSEWHERE: Any = {
    **dict.fromkeys(("name", "file", "root", "dotenv"), True),
    "ssh": {"key": True, "known_hosts": True},
}
"""What may differ between two machines that do the same; a secret's value is in the release."""


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlannedHost(_Written):
    """A host: the release it is on, why it is rolled, which services, and the override's sum."""

    on: str
    why: tuple[str, ...]
    services: tuple[str, ...]
    override: str


class PlannedMigration(_Written):
    """A migration, and the SHA-256 of its file."""

    name: str
    hash: str


class PlannedDatabase(_Written):
    """What is applied before the hosts, and after them; or whether it is a push."""

    push: bool
    now: tuple[PlannedMigration, ...]
    later: tuple[PlannedMigration, ...]


class World(_Written):
    """All that a plan follows from; `settings` is the sum of each section of the hosts file."""

    app: str
    environment: str
    release: str
    settings: dict[str, str]
    images: dict[str, str]
    hosts: dict[str, PlannedHost]
    waves: tuple[tuple[str, ...], ...]
    database: PlannedDatabase | None


class PlanFile(_Written):
    """A plan that was written down: by whom, of which tag and commit, and what it follows from.

    `headway_plan` is the schema, `headway` the version that wrote it, `before` the tag that most
    hosts were on.
    """

    headway_plan: int
    headway: str
    by: str
    tag: str
    commit: str
    before: str
    world: World

    def to_json(self) -> str:
        """The file's text."""
        return self.model_dump_json(indent=2) + "\n"


def planned(environment: Environment, order: Order, facts: Mapping[str, HostFacts]) -> PlanFile:
    """The file of what has been ordered.

    Args:
        environment: the settings.
        order: what would be done.
        facts: host → what is there now.
    """
    return PlanFile(
        headway_plan=SCHEMA,
        headway=VERSION,
        by=order.by,
        tag=order.release.tag,
        commit=order.release.commit,
        before=order.plan.before,
        world=world(environment, order, facts),
    )


def read(text: str) -> PlanFile:
    """Read what `PlanFile.to_json` wrote.

    Raises:
        UsageError: it is no plan.
        Refused: another Headway wrote it, which may do something else for the same plan.
    """
    try:
        body = json.loads(text)
        schema, made_by = body["headway_plan"], body["headway"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise _no_plan("it has no headway_plan") from None
    if (schema, made_by) != (SCHEMA, VERSION):
        raise Refused(
            f"the plan was made by Headway {made_by} (schema {schema}), and this is {VERSION} "
            f"(schema {SCHEMA})",
            mend="Make the plan anew with this one, or take the other one.",
        )
    try:
        return PlanFile.model_validate(body)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise _no_plan(f"{where} is not as it was written") from None


def _no_plan(why: str) -> UsageError:
    return UsageError(
        f"that is no plan of Headway: {why}",
        state="Nothing has been changed.",
        mend="inv plan.ENVIRONMENT --out FILE writes one.",
    )


def world(environment: Environment, order: Order, facts: Mapping[str, HostFacts]) -> World:
    """What an order follows from; the arguments are those of `planned`."""
    plan = order.plan
    return World(
        app=plan.app,
        environment=plan.environment,
        release=order.release.id,
        settings=_settings(environment),
        images=dict(order.release.images),
        hosts={
            host.host: PlannedHost(
                on=facts[host.host].before,
                why=host.why,
                services=host.rolled,
                override=_sum(order.files[host.host].override) if order.files else "",
            )
            for host in plan.hosts
        },
        waves=plan.waves,
        database=_database(order.outlook),
    )


def _settings(environment: Environment) -> dict[str, str]:
    sections = environment.model_dump(exclude=_ELSEWHERE)
    return {
        key: _sum(json.dumps(_plain(value, environment.root), sort_keys=True))
        for key, value in sections.items()
    }


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any, root: PurePath) -> Any:
    """A value without what differs by machine: paths are as seen from the repository."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one, root) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, root) for one in value]
    if isinstance(value, PurePath):
        # Outside of it, such as a key in somebody's home, the folder is that machine's own.
        return str(value.relative_to(root)) if value.is_relative_to(root) else value.name
    return value if isinstance(value, bool | int | float | None) else str(value)


def _database(outlook: Outlook | None) -> PlannedDatabase | None:
    if outlook is None:
        return None
    now, later = _migrations(outlook.now), _migrations(outlook.later)
    return PlannedDatabase(push=outlook.push, now=now, later=later)


def _migrations(pending: Iterable[Migration]) -> tuple[PlannedMigration, ...]:
    return tuple(PlannedMigration(name=one.name, hash=one.hash) for one in pending)


def hold(then: PlanFile, now: World) -> None:
    """Do nothing if the plan still says what would be done.

    Raises:
        Refused: it does not; every difference is named.
    """
    found = differences(then.world, now)
    if found:
        raise Refused(
            "this is not what was planned any more",
            faults=tuple(found),
            mend=f"Look at it again: inv plan.{now.environment} --tag {then.tag} --out FILE",
        )


def differences(then: World, now: World) -> list[Fault]:
    """What is not as it was any more, each thing in a line."""
    same = then.release == now.release
    return [
        *_whose(then, now),
        *_sections(then, now),
        *_images(then, now),
        *_release(then, now),
        *_hosts(then.hosts, now.hosts, same=same),
        *_pending(then.database, now.database),
        *_order(then, now),
    ]


def _whose(then: World, now: World) -> Iterator[Fault]:
    for what, was, is_ in (
        ("app", then.app, now.app),
        ("environment", then.environment, now.environment),
    ):
        if was != is_:
            yield Fault(what, "", f"the plan is for {was}, and this is {is_}")


def _sections(then: World, now: World) -> Iterator[Fault]:
    for key in sorted(then.settings.keys() | now.settings.keys()):
        if then.settings.get(key) != now.settings.get(key):
            yield Fault(f"hosts/{now.environment}.yaml", key, "says something else")


def _images(then: World, now: World) -> Iterator[Fault]:
    for service in sorted(then.images.keys() | now.images.keys()):
        was, is_ = (one.images.get(service, "no image") for one in (then, now))
        if was != is_:
            yield Fault(service, "image", f"{was} was planned, and it is {is_}")


def _release(then: World, now: World) -> Iterator[Fault]:
    """What is not to be seen in the images, and still makes another release of it."""
    if then.release != now.release and then.images == now.images:
        yield Fault(
            "release",
            "",
            f"{then.release} was planned, and it is {now.release}: the compose file, a file "
            "beside it, or a value of the environment is another",
        )


def _hosts(
    then: Mapping[str, PlannedHost], now: Mapping[str, PlannedHost], *, same: bool
) -> Iterator[Fault]:
    for host in sorted(then.keys() | now.keys()):
        if host not in then or host not in now:
            yield Fault(host, "", "is no host any more" if host in then else "was not planned")
            continue
        was, is_ = then[host], now[host]
        if was.on != is_.on:
            yield Fault(host, "", f"was on {was.on or 'nothing'}, and is on {is_.on or 'nothing'}")
        elif same and was.why != is_.why:
            yield Fault(host, "", f"it was planned as: {_why(was)}; and now: {_why(is_)}")
        if was.services != is_.services:
            yield Fault(host, "services", f"are {_named(is_)}, and were {_named(was)}")
        elif same and was.override != is_.override:
            yield Fault(host, "override", "what is laid over the compose file is another")


def _why(host: PlannedHost) -> str:
    return ", ".join(host.why) or "as it should be"


def _named(host: PlannedHost) -> str:
    return ", ".join(host.services) or "none"


def _pending(then: PlannedDatabase | None, now: PlannedDatabase | None) -> Iterator[Fault]:
    if then == now:
        return
    if then is None or now is None or then.push != now.push:
        yield Fault("database", "", "what changes the schema is another")
        return
    was, is_ = _by_name(then), _by_name(now)
    for name in sorted(was.keys() | is_.keys()):
        if was.get(name) != is_.get(name):
            yield Fault("database", name, _moved(was.get(name), is_.get(name)))
    if was == is_:
        yield Fault("database", "", "what is pending is in another order")


def _by_name(database: PlannedDatabase) -> dict[str, tuple[str, bool]]:
    """Name → hash, and whether it waits for the hosts."""
    return {
        one.name: (one.hash, waits)
        for waits, pending in ((False, database.now), (True, database.later))
        for one in pending
    }


def _moved(was: tuple[str, bool] | None, is_: tuple[str, bool] | None) -> str:
    if is_ is None:
        return "was pending, and is no more"
    if was is None:
        return "is pending, and was not planned"
    if was[0] != is_[0]:
        return "is another file"
    return "waits for the hosts, and did not" if is_[1] else "waited for the hosts, and does not"


def _order(then: World, now: World) -> Iterator[Fault]:
    if then.waves != now.waves:
        was, is_ = _waves(then), _waves(now)
        yield Fault("order", "", f"{was} was planned, and it is {is_}")


def _waves(one: World) -> str:
    return " → ".join(", ".join(wave) for wave in one.waves) or "no host"

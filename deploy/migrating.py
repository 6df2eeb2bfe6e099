"""The steps on the database: before the first host is staged, and after the last has settled."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from deploy.database.access import access_of
from deploy.database.backup.backups import Order as BackupOrder
from deploy.database.backup.backups import backups_of
from deploy.database.backup.copies import copies_of
from deploy.database.command.oneoff import OneOff
from deploy.database.migrations.script import Limits
from deploy.database.rehearsal.application import Application
from deploy.pending import holder_of, running_release, running_snapshot
from deploy.redaction.redactor import Redactor
from deploy.smoke.plain import of_service
from deploy.steps.backup import BackUp
from deploy.steps.command import Commanded
from deploy.steps.migrate import Migrate
from deploy.steps.push import Push
from deploy.steps.rehearse import Rehearse
from deploy.steps.take_back import TakeBack

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.database.backup.manifest import Manifest
    from deploy.database.outlook import Outlook
    from deploy.database.rehearsal.rehearsed import Rehearsed
    from deploy.order import Order
    from deploy.run import Phase
    from deploy.situation import Situation

_NOTE = 60.0
"""Seconds for a line in the journal."""


def before_hosts(situation: Situation, order: Order) -> list[Phase]:
    """What is done to the database before any host: backup and rehearsal, as asked, and expand."""
    outlook = order.outlook
    if outlook is not None and outlook.push:
        return _push(situation, order, outlook)
    if outlook is None or not outlook.pending:
        return []
    made: list[Manifest] = []
    walk = _backup(situation, order, made)
    if outlook.tables and situation.environment.rehearsal_mode != "off":
        walk.append([rehearsal(situation, order, made)])
    if outlook.now:
        way_back = partial(_restore, situation, made)
        now = [one.name for one in outlook.now]
        fresh = outlook.fresh
        walk.append([_migrate(situation, order, now, way_back=way_back, fresh=fresh)])
    return walk


def after_hosts(situation: Situation, order: Order) -> list[Phase]:
    """What is done once every host has settled: contract migrations, or what is taken back.

    A host that was left out may run what a contract migration would break: that waits.
    """
    if order.outlook and order.outlook.later and not situation.left_out:
        later = [one.name for one in order.outlook.later]
        # The hosts have settled: what fails here is tried again by the next deploy.
        return [[_migrate(situation, order, later, name="contract", reverts=False)]]
    return _take_back(situation, order)


def rehearsal(
    situation: Situation, order: Order, made: list[Manifest], *, final: bool = True
) -> Rehearse:
    """The step that does first on a copy what is pending.

    Args:
        situation: the environment, read.
        order: with an outlook.
        made: the fresh backup is put there before the step is done.
        final: whether anything will come of it, and not a plan alone.
    """
    environment = situation.environment
    outlook, database = order.outlook, environment.database
    assert outlook is not None  # noqa: S101 - nothing would be pending
    assert database is not None  # noqa: S101 - likewise
    access, limits = _database(situation)

    redactor = Redactor(one.reveal() for one in environment.secret_values)

    def note(what: str, text: str, found: Rehearsed) -> None:
        settings = {
            "release": order.release.id,
            "deploy": order.id,
            "verb": "deploy",
            "by": order.whose,
            "lock": "note",
        }
        situation.arrows(access.host.name, settings).send(
            "note",
            # It stands in the host's process list for a moment, and in its journal for good.
            [what, redactor.redact(text)],
            token=f"{order.id}.note",
            timeout=_NOTE,
            stdin=json.dumps(found.figures()).encode(),
        )

    return Rehearse(
        backups_of(environment, situation.hosts, situation.fence),
        outlook,
        limits,
        database.rehearsal,
        environment.rehearsal_mode,
        environment.downs_required,
        partial(running_snapshot, situation),
        made,
        note,
        final,
        _application(situation, access.host.name, redactor),
    )


def _application(situation: Situation, host: str, redactor: Redactor) -> Application | None:
    """The running version, where it is to be started on the copy, too."""
    environment = situation.environment
    assert environment.database is not None  # noqa: S101 - as above
    wanted, running = environment.database.rehearsal.application, running_release(situation)
    if wanted is None or running is None:
        return None
    service = environment.services[wanted.service]
    assert service.port is not None  # noqa: S101 - the settings are refused without one
    return Application(
        situation.arrows(host, {}),
        running.id,
        wanted.service,
        running.images.get(wanted.service, ""),
        wanted.url,
        service.port,
        wanted.memory,
        situation.registry_password,
        of_service(environment, service, situation.run, redactor.redact),
        redactor,
    )


def _push(situation: Situation, order: Order, outlook: Outlook) -> list[Phase]:
    made: list[Manifest] = []
    access, limits = _database(situation)
    command, way_back = _one_off(situation, order, limits), partial(_restore, situation, made)
    step = Push(access, command, f"{order.id}.push", way_back=way_back, fresh=outlook.fresh)
    return [*_backup(situation, order, made), [step]]


def _take_back(situation: Situation, order: Order) -> list[Phase]:
    """What is done to the database after the hosts have gone back: no way back loses them time."""
    what = order.taken_back
    if what is None or not what.migrations:
        return []
    made: list[Manifest] = []
    access, limits = _database(situation)
    way_back = partial(_restore, situation, made)
    step = TakeBack(what.migrations, what.form, access, limits, way_back)
    return [*_backup(situation, order, made), [step]]


def _restore(situation: Situation, made: Sequence[Manifest]) -> str:
    return f"inv restore.{situation.environment.name} {made[-1].name}" if made else ""


def _backup(situation: Situation, order: Order, made: list[Manifest]) -> list[Phase]:
    """A backup, where one is asked for and there is anything to back up; `made` has it then."""
    environment = situation.environment
    if not environment.backup_required or (order.outlook and order.outlook.fresh):
        return []
    backups = backups_of(environment, situation.hosts, situation.fence)
    release = order.release
    step = BackUp(
        backups,
        BackupOrder(release.id, release.tag, "deploy", order.whose),
        order.protected,
        copies_of(environment, situation.hosts, backups).make,
        made=made,
    )
    return [[step]]


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
    arrows = situation.arrows(host, {"deploy": order.id, "by": order.whose})
    secrets = environment.secret_values
    release = order.release.id
    return OneOff(arrows, release, service, apply.typed, apply.timeout, limits, secrets)


def _database(situation: Situation) -> tuple[Access, Limits]:
    database = situation.environment.database
    assert database is not None  # noqa: S101 - nothing would be pending, nor to be taken back
    limits = Limits(database.lock_timeout, database.statement_timeout)
    return access_of(situation.environment, situation.hosts, situation.fence), limits

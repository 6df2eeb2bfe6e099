"""The migrations of a release against the environment's database, before anything is changed.

What is to be applied on the way forward, and what is to be taken back. To look into an image a host
has to have it: it is pulled there, which changes nothing that runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy import history
from deploy.checks import LEAST_FREE_KB
from deploy.database.access import access_of
from deploy.database.backup.backups import backups_of
from deploy.database.backup.manifest import having
from deploy.database.contract.snapshot import snapshot_of
from deploy.database.downs.run import would_run
from deploy.database.image import Pull, migrations_in
from deploy.database.migrations.folder import Format, read_folder
from deploy.database.migrations.recorded import key, recorded
from deploy.errors import HeadwayError, Refused, UsageError

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.database.contract.snapshot import Snapshot
    from deploy.database.migrations.folder import Folder, Migration
    from deploy.database.migrations.recorded import Row
    from deploy.release import Release
    from deploy.situation import Situation


def folder_of(situation: Situation, images: Mapping[str, str]) -> Folder | None:
    """The migrations of a release; None where the environment migrates nothing, or pushes.

    Args:
        situation: the environment; its hosts need not have been read yet.
        images: service → image by digest; the first one has the migrations.

    Raises:
        Refused: the image can't be pulled, or has no migrations that can be read.
        HostError: the host cannot be asked.
    """
    database = situation.environment.database
    if database is None or database.migrations is None:
        return None
    if database.apply.by == "push":
        return None
    image = next(iter(images.values()))
    _, holder = holder_of(situation, images)
    settings = situation.arrows(holder, {}).settings
    pull = Pull(settings, LEAST_FREE_KB, situation.registry_password)
    return read_folder(migrations_in(situation.hosts[holder], image, database.folder, pull))


def holder_of(situation: Situation, images: Mapping[str, str]) -> tuple[str, str]:
    """Say which service's image has the migrations, and on which host that runs.

    Args:
        situation: the environment; its hosts need not have been read yet.
        images: a release's; the first one has the migrations.
    """
    name = next(iter(images))
    return name, next(
        host
        for host, place in situation.placements.items()
        if any(one.name == name for one in place.rolled)
    )


def database_of(situation: Situation) -> Access | None:
    """The database; None where there is none, or where its first deploy has yet to start it.

    Raises:
        Refused: it was there and does not run: what is in it can't be judged, nor backed up.
    """
    database = situation.environment.database
    if database is None:
        return None
    if database.service and database.host:
        facts = situation.facts[database.host]
        containers = facts.of(database.service)
        if not any(one.state == "running" for one in containers):
            if not containers and not facts.release:
                return None
            typed = f"docker compose up -d {database.service}"
            if containers:
                typed = f"docker start {containers[0].id[:12]}"
            raise Refused(
                f"{database.host}: {database.service} does not run, and nothing is migrated that "
                "could not be looked at",
                mend=f"On {database.host}, in {situation.environment.path}: {typed}",
            )
    return access_of(situation.environment, situation.hosts, situation.fence)


def running_release(situation: Situation) -> Release | None:
    """What is running now: of several releases, that which most hosts run; None where none is."""
    rolled = {host for host, one in situation.placements.items() if one.rolled}
    return history.running({h: one for h, one in situation.facts.items() if h in rolled})


def running_snapshot(situation: Situation) -> Snapshot | None:
    """What the image now running asks of its database; None where it has no snapshot to say so.

    Args:
        situation: the environment, read.

    Raises:
        Refused: the image can't be pulled, or its snapshot can't be read.
        HostError: the host cannot be asked.
    """
    running = running_release(situation)
    if running is None:
        return None
    folder = folder_of(situation, running.images)
    return snapshot_of(folder) if folder else None


def not_past_a_contract(
    situation: Situation,
    known: Mapping[str, Release],
    target: Release,
    folder: Folder | None = None,
) -> None:
    """Let nobody go back to a version that cannot live with what the database has become.

    Args:
        situation: the environment, read.
        known: the releases on the hosts.
        target: the release to go back to.
        folder: its migrations; None: they are read where they are asked for.

    Raises:
        Refused: a contract migration has been applied that it does not know.
        HostError: the database cannot be asked.
    """
    running = {one.release for one in situation.facts.values() if one.release in known}
    past = {
        name: digest
        for release in running
        for name, digest in known[release].contract.items()
        if name not in target.contract
    }
    server = database_of(situation) if past else None
    if server is None:
        return
    applied = {row.hash for row in recorded(server).rows}
    names = sorted(name for name, digest in past.items() if digest in applied)
    if names:
        raise Refused(
            f"{target.tag} cannot live with what has been applied since: {', '.join(names)} "
            "(phase=contract)",
            mend="Deploy a version that can, or put the database back first: "
            + _restore(situation, target, folder),
        )


@dataclass(frozen=True)
class TakenBack:
    """What a rollback takes back in the database, the newest first, and its folder's format."""

    migrations: tuple[Migration, ...]
    form: Format


def to_take_back(situation: Situation, target: Release, known: Iterable[Release]) -> TakenBack:
    """Find what has been applied that a release does not know, with the ways back.

    An older image lacks the downs of what came after it, so they are taken from the images that
    brought them: those of the releases that the hosts still have, the newest first.

    Args:
        situation: the environment, read.
        target: the release to go back to.
        known: the releases on the hosts.

    Raises:
        UsageError: the environment migrates nothing.
        Refused: something can't be taken back without a loss, or nobody has its files any more.
        HostError: a host or the database cannot be asked.
    """
    own = folder_of(situation, target.images)
    if own is None:
        raise UsageError(
            f"{situation.environment.name} names no migrations, so there are none to take back",
            state="Nothing has been changed.",
        )
    server = database_of(situation)
    if server is None:
        return TakenBack((), own.format)
    left = _beyond(own, recorded(server).rows)
    todo: list[Migration] = []
    form = own.format
    for release in sorted(known, key=lambda one: one.created, reverse=True):
        folder = folder_of(situation, release.images) if left else None
        if folder is None:
            break
        wanted = {key(row, folder.format) for row in left}
        found = [one for one in folder.migrations if key(one, folder.format) in wanted]
        if found:
            form = folder.format
            todo += found
            left = _beyond(folder, left)
    if left:
        raise Refused(
            "nobody has the files any more of what was applied: "
            + ", ".join(row.name or f"row {row.id}" for row in left),
            mend=_restore(situation, target, own),
        )
    try:
        return TakenBack(tuple(would_run(server, todo, form=form, restore="")), form)
    except Refused as error:
        # Which backup it takes only the host knows, and nobody else needs to.
        error.mend = error.mend or _restore(situation, target, own)
        raise


def _restore(situation: Situation, target: Release, folder: Folder | None = None) -> str:
    """What to type to have the database as a release knows it, all of its migrations and no other.

    It names the newest backup of that, or, where none is known, how to look for one.
    """
    name = situation.environment.name
    found = []
    try:
        own = folder or folder_of(situation, target.images)
        shelf = backups_of(situation.environment, situation.hosts).shelf()
        hashes = [one.hash for one in own.migrations] if own else []
        found = [one for one in having(shelf.kept, hashes) if shelf.whole(one)]
    except HeadwayError:
        # It is the end of a refusal, which says enough without it.
        pass
    if not found:
        return f"inv backup.{name} list    then inv restore.{name} BACKUP"
    return f"inv restore.{name} {found[-1].name}"


def _beyond(folder: Folder, rows: Iterable[Row]) -> list[Row]:
    known = {key(one, folder.format) for one in folder.migrations}
    return [row for row in rows if key(row, folder.format) not in known]

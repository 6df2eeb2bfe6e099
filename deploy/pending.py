"""The migrations of a release against the environment's database, before anything is changed.

To look into an image a host has to have it: it is pulled there, which changes nothing that runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from deploy.checks import LEAST_FREE_KB
from deploy.database.access import access_of
from deploy.database.image import Pull, migrations_in
from deploy.database.migrations.folder import read_folder
from deploy.errors import Refused

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.database.migrations.folder import Folder
    from deploy.situation import Situation


def folder_of(situation: Situation, images: Mapping[str, str]) -> Folder | None:
    """The migrations of a release; None where the environment migrates nothing.

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
    name, image = next(iter(images.items()))
    holder = next(
        host
        for host, place in situation.placements.items()
        if any(one.name == name for one in place.rolled)
    )
    settings = situation.arrows(holder, {}).settings
    pull = Pull(settings, LEAST_FREE_KB, situation.registry_password)
    return read_folder(migrations_in(situation.hosts[holder], image, database.folder, pull))


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
    return access_of(situation.environment, situation.hosts)

"""The migrations of a release against the environment's database, before anything is changed.

To look into an image a host has to have it: it is pulled there, which changes nothing that runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.access import access_of
from deploy.database.image import migrations_in
from deploy.database.migrations.folder import read_folder
from deploy.database.outlook import Outlook, look
from deploy.errors import CommandFailed, Refused

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.release import Release
    from deploy.situation import Situation

_PULL = 900.0
"""Seconds for one image: 1 GB at about 10 Mbit/s."""


def outlook_of(situation: Situation, release: Release) -> Outlook | None:
    """What the release's migrations would do; None where the environment migrates nothing.

    Raises:
        Refused: the image can't be pulled, or what is pending can't be applied as it is.
        HostError: a host or the database cannot be asked.
    """
    database = situation.environment.database
    if database is None or database.migrations is None:
        return None
    name, image = next(iter(release.images.items()))
    holder = next(
        host
        for host, place in situation.placements.items()
        if any(one.name == name for one in place.rolled)
    )
    _pull(situation, holder, image)
    folder = read_folder(migrations_in(situation.hosts[holder], image, database.folder))
    return look(folder, there(situation))


def there(situation: Situation) -> Access | None:
    """The database; None where there is none, or no deploy has started its service yet."""
    database = situation.environment.database
    if database is None:
        return None
    if database.service and database.host:
        facts = situation.facts[database.host]
        if not any(one.state == "running" for one in facts.of(database.service)):
            return None
    return access_of(situation.environment, situation.hosts)


def _pull(situation: Situation, host: str, image: str) -> None:
    arrows = situation.arrows(host, {})
    password = f"{situation.registry_password}\n".encode()
    try:
        arrows.read("pull_one", [image], timeout=_PULL, stdin=password)
    except CommandFailed as error:
        raise Refused(f"{host}: the image could not be pulled", state=error.stderr) from None

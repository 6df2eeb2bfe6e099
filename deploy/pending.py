"""The migrations of a release against the environment's database, before anything is changed.

To look into an image a host has to have it: it is pulled there, which changes nothing that runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.database.access import access_of
from deploy.database.image import Pull, migrations_in
from deploy.database.migrations.folder import read_folder
from deploy.database.outlook import Outlook, look

if TYPE_CHECKING:
    from deploy.database.access import Access
    from deploy.release import Release
    from deploy.situation import Situation


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
    pull = Pull(situation.arrows(holder, {}).settings, situation.registry_password)
    files = migrations_in(situation.hosts[holder], image, database.folder, pull)
    return look(read_folder(files), there(situation))


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

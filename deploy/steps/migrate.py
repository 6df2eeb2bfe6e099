"""The migrations of the new image, applied once, before the first host is staged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.image import migrations_in
from deploy.database.migrations.apply import Applier
from deploy.database.migrations.compare import compare
from deploy.database.migrations.folder import read_folder
from deploy.database.migrations.recorded import recorded
from deploy.database.migrations.states import fit
from deploy.errors import NeedsPerson

if TYPE_CHECKING:
    from deploy.database.migrations.script import Limits
    from deploy.database.server import Server
    from deploy.remote.host import Host
    from deploy.steps.step import Say


@dataclass(frozen=True)
class Migrate:
    """Apply what is pending.

    `holder` is a host that has the image; `folder` is where the migrations are in it, or None.
    """

    holder: Host
    image: str
    folder: str | None
    database: Server
    limits: Limits
    name: str = "migrate"
    host: str = ""

    def do(self, say: Say) -> str:
        """Apply each pending file, and look that none is left.

        Raises:
            Refused: the image's migrations and the database's rows do not fit together.
            MigrationFailed: a file failed; what is applied now, it says.
            NeedsPerson: psql said yes, and the rows say no.
        """
        folder = read_folder(migrations_in(self.holder, self.image, self.folder))
        standing = compare(folder, recorded(self.database))
        todo = fit(standing)
        if not todo:
            return "nothing pending"
        names = ", ".join(one.name for one in todo)
        say(f"applying {names}", False)
        applier = Applier(self.database, self.limits, say=lambda text: say(text, True))
        applier.apply(todo, form=folder.format, names=standing.names)
        left = fit(compare(folder, recorded(self.database)))
        if left:
            raise NeedsPerson(
                "psql reported success, and these are still not applied: "
                + ", ".join(one.name for one in left)
            )
        return names

    def undo(self, say: Say) -> str:
        """Nothing: a file that failed was rolled back, and what was applied stays."""
        del say
        return ""

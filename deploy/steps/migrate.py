"""The migrations of the new image, applied once, before the first host is staged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.database.drizzle import pending, read_folder
from deploy.database.image import migrations_in
from deploy.errors import NeedsPerson

if TYPE_CHECKING:
    from deploy.database.postgres import Postgres
    from deploy.remote.host import Host
    from deploy.steps.step import Say


@dataclass(frozen=True)
class Migrate:
    """Apply what is pending; times are in seconds.

    `holder` is a host that has the image; `folder` is where the migrations are in it, or None.
    """

    holder: Host
    image: str
    folder: str | None
    database: Postgres
    lock_timeout: float
    statement_timeout: float
    name: str = "migrate"
    host: str = ""

    def do(self, say: Say) -> str:
        """Apply each pending file in a transaction of its own, and look that none is left.

        Raises:
            Refused: the image's migrations and the database's rows do not fit together.
            CommandFailed: a file failed; it was rolled back.
            NeedsPerson: psql said yes, and the rows say no.
        """
        migrations = read_folder(migrations_in(self.holder, self.image, self.folder))
        todo = pending(migrations, self.database.rows())
        if not todo:
            return "nothing pending"
        names = ", ".join(one.tag for one in todo)
        say(f"applying {names}", False)
        self.database.apply(
            todo, lock_timeout=self.lock_timeout, statement_timeout=self.statement_timeout
        )
        left = pending(migrations, self.database.rows())
        if left:
            raise NeedsPerson(
                "psql reported success, and these are still not applied: "
                + ", ".join(one.tag for one in left)
            )
        return names

    def undo(self, say: Say) -> str:
        """Nothing: a file that failed was rolled back, and what was applied stays."""
        del say
        return ""

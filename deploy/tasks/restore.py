"""`inv restore.ENVIRONMENT BACKUP`: the database as it was when a backup was taken."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from deploy.tasks.backup import told, worded
from deploy.tasks.edge import Verb, situation

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.database.backup.restore import Prospect


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    def restore(_c: Context, backup: str = "", yes: bool = False) -> None:
        """Put the database back to a backup."""
        from deploy.database.backup.backups import backups_of
        from deploy.database.backup.restore import Restore
        from deploy.errors import UsageError
        from deploy.views.text import duration

        with situation(root, name) as one:
            if not backup:
                raise UsageError(
                    "restore which backup?",
                    state="Nothing has been changed.",
                    mend=f"inv backup.{name} lists them; then inv restore.{name} NAME",
                )
            work = Restore(backups_of(one.environment, one.hosts))
            prospect = work.look(backup.removesuffix(".dump"))
            print(rendered(prospect, one.environment.app, name))
            if not yes:
                if not sys.stdin.isatty():
                    raise UsageError(
                        "nobody is here to be asked",
                        state="Nothing has been changed.",
                        mend=f"inv restore.{name} {backup} --yes",
                    )
                if not _sure():
                    raise Exit("Nothing has been changed.", code=130)
            manifest = work.carry_out(prospect, told)
        seconds = duration(float(manifest.body["restored"]["seconds"]))
        print(
            f"{prospect.database} is {manifest.name}, restored in {seconds}.\n"
            f"What was there is {prospect.old}, on the same server. It is yours to drop: "
            f"drop database {quoted(prospect.old)}"
        )

    return worded(
        restore,
        name,
        f"Put the database of {name} back to a backup; the present one is kept beside it.",
        {
            "backup": f"its name; inv backup.{name} lists them",
            "yes": "do not ask; needed where nobody can answer",
        },
        {"": 1},
    )


def quoted(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def rendered(prospect: Prospect, app: str, environment: str) -> str:
    """What would be done, for people."""
    lines = [f"{app} · {environment} · {prospect.database} ← {prospect.manifest.name}", ""]
    lines += [f"  lost      {prospect.loss[0]}", *(f"            {x}" for x in prospect.loss[1:])]
    lines += [
        f"  first     restored as {prospect.fresh}, and looked at; nobody notices",
        f"  then      all sessions of {prospect.database} are ended, and the names are swapped",
        f"  kept      the present one, as {prospect.old}",
        "",
    ]
    return "\n".join(lines)


def _sure() -> bool:
    try:
        answer = input("These writes will be lost. Go ahead? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in {"y", "yes"}

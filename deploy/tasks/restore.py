"""`inv restore.ENVIRONMENT BACKUP`: the database as it was when a backup was taken."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from deploy.tasks.backup import told, worded
from deploy.tasks.edge import Verb, show, situation, somebody_is_here
from deploy.tasks.leased import HELP, leased, leaving, no_dead
from deploy.tasks.signals import until_a_safe_point

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.database.backup.manifest import Manifest
    from deploy.database.backup.ordered import RestoreOrder
    from deploy.database.backup.restore import Prospect
    from deploy.lease.lease import Lease
    from deploy.situation import Situation


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    def restore(
        _c: Context,
        backup: str = "",
        yes: bool = False,
        out: str = "",
        plan_file: str = "",
        wait: str = "",
    ) -> None:
        """Put the database back to a backup."""
        from deploy.database.backup.backups import backups_of
        from deploy.database.backup.ordered import hold, ordered
        from deploy.database.backup.restore import Restore
        from deploy.errors import UsageError
        from deploy.situation import whoami
        from deploy.tasks.planned import approval
        from deploy.views.text import duration

        then = _order(plan_file, backup) if plan_file else None
        backup = then.backup if then else backup
        with situation(root, name) as one:
            if not backup:
                raise UsageError(
                    "restore which backup?",
                    state="Nothing has been changed.",
                    mend=f"inv backup.{name} lists them; then inv restore.{name} NAME",
                )

            def look() -> tuple[Prospect, RestoreOrder]:
                work = Restore(backups_of(one.environment, one.hosts))
                found = work.look(backup.removesuffix(".dump"))
                show(rendered(found, one.environment.app, name))
                by, app = whoami(os.environ), one.environment.app
                return found, ordered(by, app, name, found.manifest, found.database)

            if out:
                _write(out, look()[1])
                return
            whose = approval(one, then, "restore", f"inv restore {shlex.quote(backup)}")
            with leased(one, f"restore of {backup}", wait) as lease:
                no_dead(one, lease, f"inv restore.{name} {shlex.quote(backup)}")
                prospect, now = look()
                if then:
                    hold(then, now)
                if whose.approved_by:
                    told(f"ordered by {whose.by}, approved by {whose.approved_by}", False)
                if not yes:
                    _ask(f"inv restore.{name} {shlex.quote(backup)} --yes")
                manifest = _carried_out(one, lease, prospect)
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
            "out": "change nothing, and write the order there, for somebody else to approve",
            "plan_file": "do what was ordered there, or nothing",
            **HELP,
        },
        {"": 1},
    )


def _order(file: str, backup: str) -> RestoreOrder:
    from deploy.database.backup.ordered import read
    from deploy.errors import UsageError
    from deploy.tasks.planned import text_of

    if backup:
        raise UsageError(
            "--plan-file names the backup already: leave its name out",
            state="Nothing has been changed.",
        )
    return read(text_of(file))


def _write(file: str, order: RestoreOrder) -> None:
    from deploy.errors import UsageError

    try:
        Path(file).write_text(order.to_json(), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{file} can't be written: {error.strerror}", state="Nothing has been changed."
        ) from None
    show(
        f"Nothing has been changed. inv restore.{order.environment} --plan-file {shlex.quote(file)}"
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


def _ask(mend: str) -> None:
    from deploy.errors import UsageError

    if not somebody_is_here():
        raise UsageError("nobody is here to be asked", state="Nothing has been changed.", mend=mend)
    try:
        answer = input("These writes will be lost. Go ahead? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise Exit("Nothing has been changed.", code=130)


def _carried_out(one: Situation, lease: Lease, prospect: Prospect) -> Manifest:
    """Do it, unless somebody asks it to stop before the names are swapped."""
    from deploy.database.backup.backups import backups_of
    from deploy.database.backup.restore import Restore

    def warn(text: str) -> None:
        told(text, True)

    work = Restore(backups_of(one.environment, one.hosts, one.fence))
    doing = "what is done to the database"
    left = (
        f"it comes to its end there, and {prospect.fresh} may be left on the server, to be dropped"
    )
    leave = leaving(one, lease, f"What was begun: {left}.")
    with lease.at_work(), until_a_safe_point(warn, leave, lambda: doing, left) as stop:

        def asked(text: str) -> None:
            warn(f"{text}; stopping before the swap")
            stop.set()

        lease.on_ask = asked
        return work.carry_out(prospect, told, stop)

"""Migrations applied by a command of the user's own, whose exit code is not believed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.database.command.failure import CommandNotBelieved, told
from deploy.database.command.seen import Seen, look, look_at_rest
from deploy.database.migrations.compare import compare
from deploy.database.migrations.states import fit
from deploy.errors import NeedsPerson, Refused

if TYPE_CHECKING:
    from deploy.database.command.oneoff import OneOff, Ran
    from deploy.database.migrations.folder import Folder, Migration
    from deploy.database.server import Server
    from deploy.steps.step import Say


def no_way_back() -> str:
    """Nothing to type: there is no backup."""
    return ""


@dataclass(frozen=True)
class Commanded:
    """Have a command apply what is pending; `names` are what was judged, and all that may be.

    `token` names the run on the host, so that it is done once. `way_back`, `reverts` and `fresh`
    are as in `deploy.steps.migrate.Migrate`.
    """

    folder: Folder
    names: Sequence[str]
    database: Server
    command: OneOff
    token: str
    way_back: Callable[[], str] = no_way_back
    sleep: Callable[[float], None] = time.sleep
    name: str = "migrate"
    host: str = ""
    touches: bool = True
    reverts: bool = True
    fresh: bool = False
    _failed: list[CommandNotBelieved] = field(default_factory=list)
    _applied: list[str] = field(default_factory=list)

    def do(self, say: Say) -> str:
        """Run the command, and compute again what is pending.

        Raises:
            Refused: the database has changed, and something else is pending than what was judged.
            CommandNotBelieved: something is still not applied, whatever the exit code.
            HostError: the database cannot be asked, or the host not reached: nothing was done.
        """
        before = look(self.database)
        todo = fit(compare(self.folder, before.recorded))
        self._still_as_judged(todo)
        if not todo:
            return "applied already"
        names = _listed(todo)
        say(f"applying {names} by {self.command.shown}", False)
        ran = self.command.run(self.token, say)
        after = None
        if ran.ended:
            session = self.command.session(self.token)
            after = look_at_rest(self.database, session, self.sleep)
        if after is None:
            raise self._unknown(ran)
        standing = compare(self.folder, after.recorded)
        left = [one for one in todo if one in standing.pending]
        if left or standing.wrong:
            wrong = "; ".join(f"{one.path}: {one.state}" for one in standing.wrong)
            raise self._not_done(before, after, ran, todo, left, wrong)
        self._applied.append(names)
        if not ran.good:
            # The rows are what counts: the schema is where it was to go, and the next deploy would
            # find nothing left to apply.
            say(f"the command {ran.how}, and has applied everything", True)
        return names

    def _still_as_judged(self, todo: Sequence[Migration]) -> None:
        if self.fresh and len(todo) < len(self.names):
            raise Refused(
                "the database is not new: it has migrations already, and was not there to look at",
                mend="It runs now. Deploy again: then what is pending is judged first.",
            )
        more = [one for one in todo if one.name not in self.names]
        if more:
            raise Refused(
                f"the command would apply {_listed(more)} too, which nobody has judged",
                mend="Deploy again: then what is pending is judged first.",
            )

    def _unknown(self, ran: Ran) -> CommandNotBelieved:
        why = "the database cannot be asked" if ran.ended else "it may still be at work"
        error = CommandNotBelieved(
            self.command.host,
            f"the command {ran.how}",
            ran,
            as_before=None,
            told=f"What is applied is not known: {why}.",
        )
        self._failed.append(error)
        return error

    def _not_done(
        self,
        before: Seen,
        after: Seen,
        ran: Ran,
        todo: Sequence[Migration],
        left: Sequence[Migration],
        wrong: str,
    ) -> CommandNotBelieved:
        changed = after.changed(before)
        applied = [one for one in todo if one not in left]
        as_before = not (applied or changed or wrong)
        found = wrong or f"not applied: {_listed(left)}"
        error = CommandNotBelieved(
            self.command.host,
            f"the command {ran.how}, and the database says {found}",
            ran,
            as_before=as_before,
            told=told(changed, _listed(applied), _listed(left)),
        )
        self._failed.append(error)
        return error

    def undo(self, say: Say) -> str:
        """Nothing: what was applied stays.

        Raises:
            NeedsPerson: it failed, and the schema is not as it was before.
        """
        del say
        give_up(self._failed, self.way_back)
        return "left as it is: the version before can live with it" if self._applied else ""


def give_up(failed: Sequence[CommandNotBelieved], way_back: Callable[[], str]) -> None:
    """Ask for a person if the schema is not as it was before.

    Raises:
        NeedsPerson: it is not, or nobody knows.
    """
    for error in failed:
        if error.as_before is None:
            message = "nobody knows whether the schema is as it was before"
            raise NeedsPerson(message, state=error.told, mend=way_back())
        if not error.as_before:
            message = "the schema is not as it was before"
            raise NeedsPerson(message, state=error.told, mend=way_back())


def _listed(migrations: Sequence[Migration]) -> str:
    return ", ".join(one.name for one in migrations)

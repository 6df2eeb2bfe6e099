"""drizzle-kit push: a schema made like the code's, without migrations; never in production."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.database.command.failure import CommandNotBelieved, told
from deploy.database.command.push import Pushed, pushed
from deploy.database.command.seen import Seen, look, look_at_rest
from deploy.errors import Refused
from deploy.steps.command import give_up, no_way_back

if TYPE_CHECKING:
    from deploy.database.command.oneoff import OneOff, Ran
    from deploy.database.server import Server
    from deploy.steps.step import Say


@dataclass(frozen=True)
class Push:
    """Push the image's schema, and see that a second push finds nothing more to change.

    `token` names the runs on the host; `fresh` tells that there was no database to look at when
    this was ordered; `way_back` says what to type when the schema is left half-way.
    """

    database: Server
    command: OneOff
    token: str
    way_back: Callable[[], str] = no_way_back
    sleep: Callable[[float], None] = time.sleep
    fresh: bool = False
    name: str = "push"
    host: str = ""
    touches: bool = True
    reverts: bool = True
    _failed: list[CommandNotBelieved] = field(default_factory=list)
    _changed: list[int] = field(default_factory=list)

    def do(self, say: Say) -> str:
        """Run it, and again as its own proof; its exit code is 0 also where it failed.

        Raises:
            Refused: there was to be no database, and there is one.
            CommandNotBelieved: it did not come to its end, or does not come to rest.
            HostError: the database cannot be asked, or the host not reached: nothing was done.
        """
        before = look(self.database)
        if self.fresh and before.tables:
            raise Refused(
                "the database is not new: it has tables already, and was not there to look at",
                mend="It runs now. Deploy again.",
            )
        after, ran = self._run(before, self.token, say)
        if pushed(ran) is Pushed.CHANGED:
            proven, again = self._run(before, f"{self.token}-again", say)
            if pushed(again) is Pushed.CHANGED:
                if proven.changed(after):
                    message = "the second push has changed the schema once more"
                    raise self._failure(message, again, proven.changed(before))
                # Some types and defaults are read back in other words, and pushed for ever.
                say("push finds the same changes each time it is run", True)
            after = proven
        count = len(after.changed(before))
        self._changed.append(count)
        many = "difference" if count == 1 else "differences"
        return f"{count} {many}" if count else "nothing to change"

    def _run(self, before: Seen, token: str, say: Say) -> tuple[Seen, Ran]:
        say(f"running {self.command.shown}", False)
        ran = self.command.run(token, say)
        after = None
        if ran.ended:
            after = look_at_rest(self.database, self.command.session(token), self.sleep)
        if after is None:
            raise self._failure(f"the command {ran.how}", ran, None)
        if pushed(ran) is Pushed.FAILED:
            message = f"the command {ran.how}, and did not come to its end"
            raise self._failure(message, ran, after.changed(before))
        return after, ran

    def _failure(
        self, message: str, ran: Ran, changed: tuple[str, ...] | None
    ) -> CommandNotBelieved:
        words = "What it has done is not known." if changed is None else told(changed)
        error = CommandNotBelieved(
            self.command.host,
            message,
            ran,
            as_before=None if changed is None else not changed,
            told=words,
        )
        self._failed.append(error)
        return error

    def undo(self, say: Say) -> str:
        """Nothing: a push has no way back but a backup.

        Raises:
            NeedsPerson: it failed, and the schema is not as it was before.
        """
        del say
        give_up(self._failed, self.way_back)
        return "left as it is: push has no way back" if any(self._changed) else ""

"""What was rolled is asked as a visitor asks it: on the first host, and once all are on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import NeedsPerson
from deploy.smoke.result import Outcome

if TYPE_CHECKING:
    from deploy.smoke.result import Result, Verdict
    from deploy.smoke.smoke import Said
    from deploy.steps.step import Say, Step


@dataclass(frozen=True)
class Smoke:
    """`test` asks everything and tells each result as it comes.

    `after` is the step that it follows on its host: undoing this one is undoing that.
    """

    test: Callable[[Said], Verdict]
    after: Step | None = None
    reverts: bool = True
    name: str = "smoke"

    @property
    def host(self) -> str:
        """The one host that is tested, or ""."""
        return self.after.host if self.after else ""

    @property
    def touches(self) -> bool:
        """What it stands for does."""
        return self.after is not None

    def do(self, say: Say) -> str:
        """Ask.

        Raises:
            NeedsPerson: a test failed, or could not be tried where it has to be.
        """

        def said(result: Result) -> None:
            if result.outcome is Outcome.INCONCLUSIVE:
                say(str(result), True)
            elif result.outcome is Outcome.FAILED or result.tries > 1:
                say(str(result), False)

        verdict = self.test(said)
        failed = verdict.failed
        if failed:
            first = str(failed[0]).partition("\n")[0]
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            error = NeedsPerson(f"{first}{more}", state="\n".join(map(str, failed)))
            error.seen = failed[0].seen
            raise error
        return str(verdict)

    def undo(self, say: Say) -> str:
        """Put back what the step before did; of its own there is nothing."""
        return self.after.undo(say) if self.after else ""

"""After the last host: what is, read again, must be what was wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.errors import NeedsPerson

if TYPE_CHECKING:
    from deploy.plan import Plan
    from deploy.steps.step import Say


@dataclass(frozen=True)
class Verify:
    """`again` gathers the facts anew and plans; the plan must be empty."""

    again: Callable[[], Plan]
    name: str = "verify"
    host: str = ""
    touches: bool = False
    reverts: bool = True

    def do(self, say: Say) -> str:
        """Compare.

        Raises:
            NeedsPerson: a host is not as the release wants it.
        """
        del say
        plan = self.again()
        off = [f"{one.host}: {'; '.join(one.why)}" for one in plan.hosts if one.roll]
        if off:
            raise NeedsPerson("after the roll not all is as it should be", state="\n".join(off))
        count = len(plan.hosts)
        return f"{count} host{'s' if count > 1 else ''} on {plan.after}"

    def undo(self, say: Say) -> str:
        """Nothing: it only reads."""
        del say
        return ""

"""A host in memory whose every command may be befallen by something."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from deploy.errors import OutcomeUnknown, TimedOut, Unreachable
from deploy.remote.host import Result

from .keeping import is_about_it

if TYPE_CHECKING:
    from .fleet import Fleet


class Died(BaseException):
    """The process is gone: nothing catches this, and nothing is done any more."""


@dataclass(frozen=True)
class Fault:
    """What befalls one command.

    refuse: it fails, and says so. hang: its deadline ends it. lose: the connection goes. vanish:
    the host is not there before it is sent. die: the process is killed. cancel: somebody asks the
    run to stop. `at` is how many steps of the script are done before it is cut off, None all;
    `gone` for how many seconds the host is away; `twice`: what `refuse` undoes goes wrong as well.
    """

    kind: Literal["refuse", "hang", "lose", "vanish", "die", "cancel"]
    at: int | None = None
    gone: float = 0
    twice: bool = False


@dataclass
class Course:
    """What befalls one run: the faults by the number of the command, whatever host it is for.

    `backwards`: the hosts of a phase are taken in the other order. `on`: what was sent to other
    hosts when the process died is carried out.
    """

    faults: Mapping[int, Fault] = field(default_factory=dict)
    backwards: bool = False
    on: bool = False


class FaultyHost:
    """The connection to one machine."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.fleet, self.name = fleet, name
        self.away_until = 0.0
        self.doubtful = self.refused = False

    def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float,
        on_line: Callable[[str], None] | None = None,
    ) -> Result:
        fleet, machine = self.fleet, self.fleet.machines[self.name]
        if is_about_it(argv[2]):
            return self._asked_for_the_lease(argv[2], stdin)

        def carried_out(stop: int | None = None, ill: int = 0) -> Result:
            lines, code = machine.carry_out(argv[2], stdin, stop=stop, ill=ill)
            for line in lines if on_line else ():
                on_line(line)  # type: ignore[misc]
            return Result(code or 0, "".join(f"{line}\n" for line in lines).encode(), b"", 1)

        if fleet.dead:
            if fleet.course.on:
                carried_out()
            raise Died
        number = fleet.count
        fleet.count += 1
        fleet.clock += 1
        if fleet.clock < self.away_until:
            self.doubtful = True
            raise Unreachable(self.name, "no route to it")
        fault = fleet.course.faults.get(number)
        if fault is None:
            return carried_out()
        if fault.kind == "refuse":
            # What refuses the way there and the way back leaves nobody sure of how it is.
            self.doubtful, self.refused = self.doubtful or self.refused, True
            return carried_out(ill=2 if fault.twice else 1)
        if fault.kind == "cancel":
            fleet.cancel.set()
            return carried_out()
        if fault.kind == "die":
            carried_out(fault.at)
            fleet.dead = True
            raise Died
        self.doubtful = True
        if fault.kind == "hang":
            carried_out(fault.at)
            fleet.clock += timeout
            raise TimedOut(self.name, "it did not end within its time")
        self.away_until = fleet.clock + fault.gone
        if fault.kind == "vanish":
            raise Unreachable(self.name, "no route to it")
        carried_out(fault.at)
        raise OutcomeUnknown(self.name, "the connection was cut while a command ran")

    def _asked_for_the_lease(self, text: str, stdin: bytes) -> Result:
        """It is no command of the run's, and has no fault of its own; the host may be away."""
        if self.fleet.dead:
            raise Died
        if self.fleet.clock < self.away_until:
            raise Unreachable(self.name, "no route to it")
        lines = self.fleet.keeping.answer(text, stdin, self.fleet.clock)
        return Result(0, "".join(f"{line}\n" for line in lines).encode(), b"", 1)

    def close(self) -> None:
        """Nothing is open."""

"""The arrows of a host's state machine as steps: prepare, stage, switch, settle."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from deploy.errors import NeedsPerson

if TYPE_CHECKING:
    from deploy.compose.placement import Placement, Rolled
    from deploy.remote.arrows import Arrows
    from deploy.settings.sections import Rollout
    from deploy.steps.step import Say


@dataclass(frozen=True)
class Roll:
    """One way over a host: to which release, under which verb; `bake` is in seconds.

    The journal tells a deploy from a rollback and from a revert by the verb, and the host tells one
    run of an arrow from another by it too.
    """

    release: str
    tag: str
    verb: str
    bake: float


@dataclass(frozen=True)
class Target:
    """A host, what a run wants of it, and the way back from there (None: it ran nothing before).

    `deadlines` are the environment's, which bound every arrow.
    `unfinished`: an earlier roll was cut off there before this run began.
    """

    name: str
    arrows: Arrows
    placement: Placement
    deploy: str
    deadlines: Rollout
    forward: Roll
    back: Roll | None
    unfinished: bool = False

    def stage(self, roll: Roll, say: Say) -> None:
        """Start the new containers beside the old ones."""
        limit = sum(
            self.deadlines.healthy_deadline * 2 + self._probing(one) + one.drain
            for one in self.placement.rolled
        )
        self._send("stage", limit, roll, say, of="healthy_deadline, probe_deadline and drain")

    def switch(self, roll: Roll, say: Say) -> None:
        """Let the new containers answer, and watch them."""
        limit = roll.bake + sum(
            self.deadlines.healthy_deadline + self._probing(one) + self.deadlines.stop_deadline
            for one in self.placement.rolled
        )
        self._send(
            "switch",
            limit,
            roll,
            say,
            of="bake, healthy_deadline, probe_deadline and stop_deadline",
        )

    def settle(self, roll: Roll, say: Say) -> None:
        """Let the old containers finish, and make the new release the one that is read."""
        limit = sum(one.drain + self.deadlines.stop_deadline for one in self.placement.rolled)
        self._send("settle", limit, roll, say, of="drain and stop_deadline")

    def place(self, roll: Roll, say: Say) -> None:
        """On a host that rolls nothing: make the release the one that is read."""
        self._send("place", 0, roll, say)

    def abandon(self, say: Say) -> None:
        """Go back to what the host ran before; with nothing unfinished there it does nothing.

        An earlier deploy's roll that was cut off there is brought to its end.
        """
        services = self.placement.rolled
        either = self.deadlines.healthy_deadline + self.deadlines.stop_deadline
        limit = sum(one.drain + either for one in services)
        self._send(
            "abandon", limit, self.forward, say, of="drain, healthy_deadline and stop_deadline"
        )

    def prepare(self, arrow: str, stdin: bytes, say: Say) -> None:
        """Have the release on the host, its images pulled, and what is not rolled running."""
        self._send(
            arrow, self.deadlines.pull_deadline, self.forward, say, stdin, of="pull_deadline"
        )

    def _probing(self, one: Rolled) -> float:
        """Seconds in which every probe of a service has failed for good, or has succeeded."""
        each = self.deadlines.probe_deadline + self.deadlines.probe_timeout
        return each * (len(one.probes) + bool(one.version)) if one.port else 0.0

    def _send(
        self, arrow: str, limit: float, roll: Roll, say: Say, stdin: bytes = b"", of: str = ""
    ) -> None:
        """Send an arrow, which may take `limit` seconds, of some settings, beside Docker's own."""
        own = self.deadlines.script_deadline
        beside = f", and {limit:g} s of {of}" if limit else ""
        settings = {
            "release": roll.release,
            "verb": roll.verb,
            "bake": str(round(roll.bake * 100)),
        }
        self.arrows.send(
            arrow,
            token=f"{self.deploy}.{roll.verb}.{arrow}",
            timeout=own + limit,
            stdin=stdin,
            say=say,
            overrides=settings,
            of=f"{own:g} s of rollout.script_deadline{beside}",
        )


@dataclass(frozen=True)
class _OnHost:
    target: Target

    @property
    def host(self) -> str:
        """The host's name."""
        return self.target.name


@dataclass(frozen=True)
class Prepare(_OnHost):
    """The release's files and images are on the host; nothing that serves has changed.

    `arrow` is `prepare` when the release comes with `stdin`, `recall` when the host has it already.
    """

    arrow: str
    stdin: bytes = field(repr=False)
    name: str = "pull"
    touches: bool = False
    reverts: bool = True

    def do(self, say: Say) -> str:
        """Send the files, pull the images, start what is not rolled."""
        self.target.prepare(self.arrow, self.stdin, say)
        return ""

    def undo(self, say: Say) -> str:
        """Leave files and images, which the next try needs; end what was cut off there before.

        A host that is half-way between two releases is on neither, whoever has left it so.
        """
        if not self.target.unfinished:
            return ""
        self.target.abandon(say)
        return "an earlier roll, cut off there, brought to its end"


@dataclass(frozen=True)
class Stage(_OnHost):
    """settled → staged."""

    name: str = "stage"
    touches: bool = True
    reverts: bool = True

    def do(self, say: Say) -> str:
        """Start the new containers and see that they are well."""
        self.target.stage(self.target.forward, say)
        return ""

    def undo(self, say: Say) -> str:
        """Take the new containers away."""
        self.target.abandon(say)
        return "new containers removed"


@dataclass(frozen=True)
class Switch(_OnHost):
    """staged → switched."""

    name: str = "switch"
    touches: bool = True
    reverts: bool = True

    def do(self, say: Say) -> str:
        """Flip the flag and watch through the bake."""
        self.target.switch(self.target.forward, say)
        return ""

    def undo(self, say: Say) -> str:
        """Flip it back and take the new containers away."""
        self.target.abandon(say)
        return "switched back, new containers removed"


@dataclass(frozen=True)
class Settle(_OnHost):
    """switched → settled, on the new release."""

    name: str = "settle"
    touches: bool = True
    reverts: bool = True

    def do(self, say: Say) -> str:
        """Drain and remove the old containers, promote the release's files."""
        self.target.settle(self.target.forward, say)
        return ""

    def undo(self, say: Say) -> str:
        """Roll the release that the host was on before, start-first like any roll.

        Raises:
            NeedsPerson: there is none.
        """
        back = self.target.back
        if back is None:
            raise NeedsPerson(f"{self.host}: there is no earlier release to go back to")
        self.target.stage(back, say)
        self.target.switch(back, say)
        self.target.settle(back, say)
        return f"rolled back to {back.tag}"


@dataclass(frozen=True)
class Mend(_OnHost):
    """What a run that died has left in its middle comes to its end, before anything else is done.

    `roll` is what was left; `way` is settle where the old containers are going already.
    """

    roll: Roll
    way: Literal["settle", "abandon"]
    name: str = "mend"
    touches: bool = True
    reverts: bool = False

    def do(self, say: Say) -> str:
        """Settle it, or take it away."""
        if self.way == "settle":
            self.target.settle(self.roll, say)
            return f"on {self.roll.tag}"
        self.target.abandon(say)
        return "new containers removed"

    def undo(self, say: Say) -> str:
        """Nothing: the end of what was half-done is no worse than its middle."""
        del say
        return ""


@dataclass(frozen=True)
class Place(_OnHost):
    """A host that rolls nothing reads the new release's files."""

    name: str = "settle"
    touches: bool = True
    reverts: bool = True

    def do(self, say: Say) -> str:
        """Promote the release's files."""
        self.target.place(self.target.forward, say)
        return ""

    def undo(self, say: Say) -> str:
        """Promote those of the release before; without one there is nothing that runs by them."""
        if self.target.back is None:
            return ""
        self.target.place(self.target.back, say)
        return f"reads {self.target.back.tag} again"

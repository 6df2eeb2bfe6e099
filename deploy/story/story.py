"""What a story is: all that can be told of one run once it is over. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.events import RunEnded, RunStarted
from deploy.version import VERSION

if TYPE_CHECKING:
    from deploy.changelog import Changelog
    from deploy.events import Event, Outcome
    from deploy.smoke.result import Result


@dataclass(frozen=True)
class Image:
    """An image: where it lies, the tag that people know it by, and its digest (`sha256:…`)."""

    repository: str
    tag: str
    digest: str


@dataclass(frozen=True)
class ImageChange:
    """What a service ran and was to run; None: nothing. Equal where only others changed."""

    service: str
    before: Image | None
    after: Image | None


@dataclass(frozen=True)
class EnvironmentChange:
    """The names in the environment that came, went, or have another value; never a value."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changes:
    """What the release changes against the one that ran.

    `compose` is the unified diff of the compose file as the team wrote it, redacted, its first 64
    KiB; "" where nothing changed, or where it could not be learned.
    """

    images: tuple[ImageChange, ...] = ()
    compose: str = ""
    environment: EnvironmentChange = EnvironmentChange()


@dataclass(frozen=True)
class Picture:
    """A screenshot: the name of its file, and the PNG."""

    name: str
    png: bytes = field(repr=False)


@dataclass(frozen=True)
class SmokeTest:
    """A smoke test, and what was to be seen where it failed.

    A test has several where it was asked several times: on the first host, and after the last.
    """

    result: Result
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Second:
    """The requests that were due in one second: how many were answered well, how many failed."""

    answered: int
    failed: int


@dataclass(frozen=True)
class Traffic:
    """A load on the site; its first second began at `began`, in seconds since the epoch."""

    began: float
    seconds: tuple[Second, ...]


@dataclass(frozen=True, kw_only=True)
class Story:
    """One run.

    `run` names its record on the host that keeps the lease, `version` is Headway's own. The events
    are redacted and in their order. One that died tells less: `whole` is False, and its events are
    made of the record's lines.
    """

    run: str
    events: tuple[Event, ...]
    changelog: Changelog | None = None
    changes: Changes = Changes()
    smoke: tuple[SmokeTest, ...] = ()
    traffic: Traffic | None = None
    version: str = VERSION
    whole: bool = True

    @property
    def started(self) -> RunStarted | None:
        """How it began."""
        return next((one for one in self.events if isinstance(one, RunStarted)), None)

    @property
    def ended(self) -> RunEnded | None:
        """How it ended; None: whoever ran it died."""
        return next((one for one in reversed(self.events) if isinstance(one, RunEnded)), None)

    @property
    def outcome(self) -> Outcome | None:
        """How it ended, in a word; None: whoever ran it died."""
        return self.ended.outcome if self.ended else None

    @property
    def id(self) -> str:
        """The id of the deploy, as the history has it."""
        return self.started.id if self.started else self.run

"""Who asks for a lease, and what the host that keeps it says about it."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deploy.errors import Refused

if TYPE_CHECKING:
    from deploy.remote.script import Report

SCHEMA = 1
NEWER = "Take the version of Headway that they have: pip install --upgrade headway"


@dataclass(frozen=True)
class Claim:
    """Who asks, and what for. `run` is the run's id; `url` is where it can be watched, or ""."""

    run: str
    owner: str
    reason: str
    url: str = ""

    @property
    def name(self) -> str:
        """The owner as the lease has it: the shell compares it, so it is no place for a quote."""
        return re.sub(r"[^\w.@+-]", "_", self.owner)

    def settings(self, expires_after: float, floor: int) -> dict[str, str]:
        """The shell variables of lease.sh."""
        return {
            "run": self.run,
            "owner": self.name,
            "why": self.reason,
            "url": self.url,
            "machine": platform.node(),
            "pid": str(os.getpid()),
            "ttl": str(round(expires_after)),
            "floor": str(floor),
        }


def run_url(environ: Mapping[str, str]) -> str:
    """The page of the workflow's run, or "" outside of one."""
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, number = (environ.get(name, "") for name in names)
    return f"{server}/{repository}/actions/runs/{number}" if server and number else ""


@dataclass(frozen=True)
class Holder:
    """Who has the lease; `age` is how many seconds ago they were heard of, `alive` if in time.

    `renewed` is when that was, on the clock of the host that keeps it.
    """

    run: str
    owner: str
    machine: str
    pid: int
    url: str
    reason: str
    since: str
    renewed: int
    age: int
    alive: bool
    expires_after: int

    def __str__(self) -> str:
        where = self.url or f"process {self.pid} on {self.machine}"
        return f"{self.owner} ({self.reason}, since {_time(self.since)}, {where})"


@dataclass(frozen=True)
class Hold:
    """Held by a person, across deploys, until they give it back."""

    by: str
    reason: str
    since: str

    def __str__(self) -> str:
        return f"{self.by} since {_time(self.since)}: {self.reason}"


@dataclass(frozen=True)
class Seen:
    """What the keeper says: who has it, who holds it, and the lines of runs without an end."""

    holder: Holder | None
    hold: Hold | None
    records: tuple[dict[str, Any], ...] = ()


def understand(report: Report) -> Seen:
    """Turn the events of lease.sh into what they mean.

    Raises:
        Refused: a newer Headway wrote it.
    """
    if report.last("newer"):
        raise _newer()
    event = report.last("busy") or report.last("holding") or report.last("expired")
    hold = report.last("held")
    return Seen(
        _holder(event) if event else None,
        _hold(hold["lease"]) if hold else None,
        tuple(one["line"] for one in report.all("record")),
    )


def _holder(event: Mapping[str, Any]) -> Holder:
    lease = _ours(event["lease"])
    age = int(event["age"])
    return Holder(
        run=lease["run"],
        owner=lease["owner"],
        machine=lease["machine"],
        pid=lease["pid"],
        url=lease["url"],
        reason=lease["reason"],
        since=lease["since"],
        renewed=lease["renewed"],
        age=age,
        alive=age <= lease["ttl"],
        expires_after=lease["ttl"],
    )


def _hold(written: Mapping[str, Any]) -> Hold:
    hold = _ours(written)
    return Hold(hold["by"], hold["reason"], hold["since"])


def _ours(written: Mapping[str, Any]) -> Mapping[str, Any]:
    if written.get("v") != SCHEMA:
        raise _newer()
    return written


def _newer() -> Refused:
    return Refused("a newer version of Headway has the lease", mend=NEWER)


def _time(written: str) -> str:
    return written.replace("T", " ").replace("Z", " UTC")

"""The running version, started on a throw-away server and asked there; then it is removed.

Its container has the server's network, in which the server is all there is (`alone.py`). So what is
asked goes in by way of the server's container, in bytes, and no connection leads to it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from deploy.database.access import PACKAGE
from deploy.database.migrations.recorded import identifier
from deploy.database.rehearsal.alone import NotAlone, alone
from deploy.database.rehearsal.answers import Answers
from deploy.errors import CommandFailed, HostError
from deploy.remote.script import Report

if TYPE_CHECKING:
    from deploy.database.rehearsal.server import Throwaway
    from deploy.redaction.redactor import Redactor
    from deploy.remote.arrows import Arrows

_PARTS = (
    ("deploy.remote", "lib"),
    ("deploy.remote", "compose"),
    ("deploy.remote", "prepare"),
    ("deploy.remote", "health"),
    (PACKAGE, "rehearsal/application"),
)
_PULLED = 900.0
"""Seconds for the image: 1 GB at about 10 Mbit/s."""
_ASKED = 30.0
"""Seconds for a word with the server."""
_SPARE = 180.0
"""Seconds for Docker's own work, a container made, started and removed on a slow disk; and for a
port that is not free at once."""


_ENDED = """
select count(pg_terminate_backend(pid)) from pg_stat_activity
 where backend_type = 'client backend' and pid <> pg_backend_pid();
"""
"""A session notices only between two statements that its client is gone, and a migration would wait
for its locks."""

Starter = Callable[["Throwaway"], Answers]
"""Starts the version on a server, asks it, and removes it."""


class Question(Protocol):
    """What the version is asked, and what its answer is worth."""

    @property
    def name(self) -> str:
        """In a word, such as login."""
        ...

    @property
    def request(self) -> bytes:
        """As it goes to the port, from its first byte to its last."""
        ...

    def fault(self, reply: bytes, seconds: float) -> str:
        """Say what is wrong with what came back; "" for nothing. It may show a secret."""
        ...


@dataclass(frozen=True)
class Application:
    """A service of the running release, and what it is asked.

    `arrows` has the host of the throw-away server and what the scripts of its application share;
    `image` is by digest, "" where the release has none; `variable` names the variable with the
    database's URL, `port` is where it answers HTTP, `memory` in bytes.
    """

    arrows: Arrows
    release: str
    service: str
    image: str
    variable: str
    port: int
    memory: int
    password: str = field(repr=False)
    questions: Sequence[Question]
    redactor: Redactor

    def starter(self) -> Starter:
        """Pull the image, read what Compose makes of the release, and return what starts it.

        Before the server is made: it waits for nobody for long.
        """
        try:
            if not self.image:
                raise NotAlone(f"the running release has no image of {self.service}")
            described = self._described()
        except (NotAlone, HostError) as error:
            untried = self._untried(error)
            return lambda _server: untried
        return partial(self._on, described)

    def _on(self, described: Mapping[str, Any], server: Throwaway) -> Answers:
        try:
            found = self._answers(described, server)
        except (NotAlone, HostError) as error:
            found = self._untried(error)
        # What it lost with the server is nothing that a migration has done.
        server.psql("select 1", timeout=_ASKED, doing="the throw-away server could not be asked")
        return found

    def _described(self) -> Mapping[str, Any]:
        arrows = self._arrows("")
        stdin = f"{self.password}\n".encode()
        said = arrows.read("described", [self.service], timeout=_PULLED, stdin=stdin)
        try:
            found: Mapping[str, Any] = json.loads("\n".join(said))
        except ValueError:
            raise NotAlone("Compose did not describe the release's files in JSON") from None
        return found

    def _answers(self, described: Mapping[str, Any], server: Throwaway) -> Answers:
        start = alone(
            described,
            self.service,
            image=self.image,
            variable=self.variable,
            database=server.superuser.settings["database"],
            box=server.container,
            memory=self.memory,
        )
        self.redactor.learn(start.secrets)
        if start.user:
            # For all but the role that migrates, the copy's roles may not log in.
            sql = f"alter role {identifier(start.user)} login"
            server.superuser.psql(sql, timeout=_ASKED, doing="its role may not log in to the copy")
        lines = [json.dumps(start.compose).encode(), *(one.request for one in self.questions)]
        stdin = b"".join(base64.b64encode(line) + b"\n" for line in lines)
        arrows = self._arrows(server.container)
        report = Report()
        for line in arrows.read("try_version", [self.service], timeout=self._seconds, stdin=stdin):
            report.add(line)
        server.superuser.psql(_ENDED, timeout=_ASKED, doing="its sessions did not end")
        return self._read(report)

    def _untried(self, error: NotAlone | HostError) -> Answers:
        match error:
            case CommandFailed(stderr=said) if said.strip():
                why = said.strip().splitlines()[0]
            case HostError(reason=reason):
                why = reason
            case _:
                why = str(error)
        return Answers(untried=self.redactor.redact(why))

    def _read(self, report: Report) -> Answers:
        said = self.redactor.redact((report.last("ended") or {}).get("said", ""))
        if untried := report.last("untried"):
            why = self.redactor.redact(f"{untried['reason']}: {untried['detail']}")
            return Answers(untried=" ".join(why.removesuffix(": ").split()))
        if unready := report.last("unready"):
            return Answers(unready=unready["reason"], said=said)
        answers = report.all("answered")
        if len(answers) < len(self.questions):
            return Answers(untried="the host did not say what it answered")
        faults = {}
        for one, answer in zip(self.questions, answers, strict=True):
            try:
                reply = base64.b64decode(answer["reply"])
            except binascii.Error:
                reply = b""
            fault = one.fault(reply, int(answer["took"]) / 100)
            faults[one.name] = self.redactor.redact(fault)
        return Answers(faults, said=said)

    @property
    def _seconds(self) -> float:
        settings = self.arrows.settings
        each = (int(settings["probe_deadline"]) + 2 * int(settings["probe_timeout"])) / 100 + 5
        once = int(settings["healthy_deadline"]) / 100 + each * len(self.questions)
        return 2 * once + _SPARE

    def _arrows(self, box: str) -> Arrows:
        settings = self.arrows.settings | {
            "release": self.release,
            "image": self.image,
            "box": box,
            "app": f"{box}-app",
            "port": f"{self.port}",
            "memory_kb": f"{self.memory // 1000}",
            "limit": f"{round(self._seconds) + 60}",
        }
        return replace(self.arrows, settings=settings, parts=_PARTS)

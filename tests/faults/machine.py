"""A host in memory, and what the scripts in `deploy/remote/*.sh` do to it.

Each arrow is a generator: what stands between two `yield`s happens at once, and at every `yield`
the script can be cut off for good, as a deadline or a dead host cuts it. What is left out is what
only time and people do (drains, the bake, containers made by hand).
"""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import tarfile
from collections.abc import Generator, Iterator
from dataclasses import replace

from .state import FLOWING, Next, Service, State, hash_of, other

Script = Generator[None, None, int]
"""An arrow that goes; it returns its exit code."""


class Wrong(Exception):
    """A part of a script has returned 1."""


class Machine(State):
    """A host on which the scripts run."""

    # One command: what it is asked to do, how far it gets, and what it says.

    def carry_out(
        self, text: str, stdin: bytes, *, stop: int | None, ill: int
    ) -> tuple[list[str], int | None]:
        """Run a script.

        Args:
            text: what `sh -c` is given.
            stdin: what it reads.
            stop: how many of its steps it does before it is cut off; None: all.
            ill: how many of the things that can go wrong in it do.

        Returns:
            Its lines, and its exit code; None where it was cut off.
        """
        settings, call, locked = understood(text)
        token = settings["token"]
        if locked and (known := self.records.get(token)) and known[1] is not None:
            return known
        self.run, self.ill, self.lines = settings, ill, []
        script: Script = getattr(self, f"_{call[0]}")(stdin)
        if locked:
            self.records[token] = (self.lines, None)
        code = self._steps(script, stop)
        if locked and code is not None:
            self.records[token] = (self.lines, code)
        return self.lines, code

    def _steps(self, script: Script, stop: int | None) -> int | None:
        done = 0
        while stop is None or done < stop:
            try:
                next(script)
            except StopIteration as end:
                self.looked(self)
                return int(end.value or 0)
            self.looked(self)
            done += 1
        script.close()
        return None

    # lib.sh

    def _say(self, event: str, **values: str) -> None:
        self.lines.append(json.dumps({"event": event, **values}))

    def _wrong(self) -> None:
        if self.ill > 0:
            self.ill -= 1
            raise Wrong

    def _fails(self, **more: str) -> int:
        self._say("failed", reason=f"{self.name} says no", detail="", **more)
        return 1

    def _note(self, what: str, deploy: str = "", verb: str = "", release: str = "") -> None:
        line = {
            "v": 1,
            "at": "2026-01-02T03:04:05Z",
            "deploy": deploy or self.run["deploy"],
            "verb": verb or self.run["verb"],
            "release": release or self.run["release"],
            "what": what,
            "reason": "",
            "by": "",
        }
        text = json.dumps(line)
        if self.journal[-1:] != [text]:
            self.journal.append(text)

    def _note_next(self, what: str) -> None:
        assert self.next
        self._note(what, self.next.deploy, self.next.verb, self.next.release)

    # prepare.sh

    def _prepare(self, stdin: bytes) -> Script:
        _, _, packed = stdin.partition(b"\n")
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:") as tar:
            files = {
                one.name.removeprefix("./"): tar.extractfile(one).read()  # type: ignore[union-attr]
                for one in tar
                if one.isfile()
            }
        self.releases[self.run["release"]] = files
        yield
        return (yield from self._recall(b""))

    def _recall(self, _stdin: bytes) -> Script:
        release = self.run["release"]
        if release not in self.releases:
            return self._fails()
        try:
            self._wrong()
        except Wrong:
            return self._fails()
        for name in self.others(release):
            yield from self._up(release, name, 1)
        self._say("prepared")
        return 0

    # stage.sh

    def _stage(self, _stdin: bytes) -> Script:
        release = self.run["release"]
        try:
            yield from self._finish_what_died()
        except Wrong:
            return self._fails()
        services = self.rolled(release)
        for one in services:
            if one.order == FLOWING:
                yield from self._reconcile(one.name)
        self.next = Next(
            release,
            self.run["deploy"],
            self.run["verb"],
            "staging",
            tuple(
                replace(one, slot=other(self.live(one.name)) if one.order == FLOWING else "-")
                for one in services
            ),
        )
        yield
        try:
            for one in self._wanted():
                if one.order == FLOWING:
                    yield from self._stage_service(one)
        except Wrong:
            self._note("failed")
            try:
                yield from self._undo_next()
            except Wrong:
                return self._fails(undone="no")
            self.next = None
            return self._fails(undone="yes")
        self._phase("staged")
        yield
        self._say("staged")
        return 0

    def _finish_what_died(self) -> Iterator[None]:
        if not self.next:
            return
        if self.next.phase == "settling":
            yield from self._settle_next()
            return
        yield from self._undo_next()
        if self.next.deploy != self.run["deploy"]:
            self._note_next("reverted")
            yield
        self.next = None
        yield

    def _reconcile(self, service: str) -> Iterator[None]:
        live = self.live(service)
        if not self.of(service, live) and self.of(service, other(live)):
            live = other(live)
            self._flip(service, live)
            yield
        joining = self.of(service, "none")
        yield from self._put(service, live, joining)
        yield from self._remove([one for one in self.of(service) if one.slot != live])

    def _stage_service(self, service: Service) -> Iterator[None]:
        release = self.run["release"]
        there = self.of(service.name)
        live = self.of(service.name, self.live(service.name))
        if len(there) == len(live) == service.replicas and all(
            one.release == release for one in live
        ):
            assert self.next
            lines = (
                replace(one, unchanged=one.unchanged or one == service)
                for one in self.next.services
            )
            self.next = replace(self.next, services=tuple(lines))
            return
        yield from self._up(release, service.name, len(there) + service.replicas)
        self._wrong()
        new = [one for one in self.of(service.name) if one not in there]
        yield from self._put(service.name, service.slot, new)

    # switch.sh

    def _switch(self, _stdin: bytes) -> Script:
        release = self.run["release"]
        if not (
            self.next and self.next.release == release and self.next.phase in {"staged", "switched"}
        ):
            return self._fails()
        self._phase("switched")
        yield
        try:
            for one in self._wanted():
                if one.order == FLOWING:
                    self._flip(one.name, one.slot)
                    yield
            for one in self._wanted():
                if one.order != FLOWING:
                    yield from self._replace(one)
            self._wrong()
        except Wrong:
            for one in self._wanted():
                if one.order == FLOWING:
                    self._flip(one.name, other(one.slot))
                    yield
            self._phase("staged")
            yield
            self._note("failed")
            return self._fails()
        self._say("switched")
        return 0

    def _replace(self, service: Service) -> Iterator[None]:
        release = self.run["release"]
        there = self.of(service.name)
        if [one.release for one in there] == [release] * service.replicas:
            return
        yield from self._remove(there)
        yield from self._up(release, service.name, service.replicas)

    # settle.sh

    def _settle(self, _stdin: bytes) -> Script:
        release = self.run["release"]
        if not self.next and self.current == release:
            self._say("settled")
            return 0
        if not self.next or self.next.release != release:
            return self._fails()
        flipped = all(
            self.live(one.name) == one.slot for one in self._wanted() if one.order == FLOWING
        )
        if self.next.phase != "settling" and not (self.next.phase == "switched" and flipped):
            return self._fails()
        try:
            yield from self._settle_next()
        except Wrong:
            return self._fails()
        return 0

    def _settle_next(self) -> Iterator[None]:
        self._phase("settling")
        yield
        for one in self._wanted():
            if one.order == FLOWING:
                self._wrong()
                old = [was for was in self.of(one.name) if was.slot != one.slot]
                yield from self._remove(old)
        assert self.next
        yield from self._promote(self.next.release)
        self._note_next("settled")
        yield
        self.next = None
        yield
        self._say("settled")

    def _promote(self, release: str) -> Iterator[None]:
        for name in ("host.yaml", "compose.yaml", ".env"):
            self.folder[name] = self.releases[release][name]
            yield

    def _place(self, _stdin: bytes) -> Script:
        if self.ill:
            return 1
        yield from self._promote(self.run["release"])
        self._note("settled")
        self._say("settled")
        return 0

    # abandon.sh

    def _abandon(self, _stdin: bytes) -> Script:
        if not self.next:
            self._say("abandoned")
            return 0
        if self.next.deploy != self.run["deploy"]:
            try:
                yield from self._finish_what_died()
            except Wrong:
                return self._fails()
            return 0
        if self.next.phase == "settling":
            return self._fails()
        try:
            yield from self._undo_next()
        except Wrong:
            self._note("failed")
            return self._fails()
        self._note("reverted")
        yield
        self.next = None
        self._say("abandoned")
        return 0

    def _undo_next(self) -> Iterator[None]:
        assert self.next
        was = self.next.phase
        for one in self._wanted():
            if one.order == FLOWING:
                self._wrong()
                old = other(one.slot)
                self._flip(one.name, old)
                yield
                new = [new for new in self.of(one.name) if new.slot != old]
                yield from self._remove(new)
            elif was != "staging":
                new = [new for new in self.of(one.name) if new.release == self.next.release]
                if self.current != self.next.release:
                    yield from self._remove(new)
                if self.current:
                    yield from self._up(self.current, one.name, one.replicas)

    # facts.sh

    def _facts(self, _stdin: bytes) -> Script:
        yield from ()
        if self.ill:
            return 1
        self._say("host", user="deploy", arch="x86_64", time="1767322800")
        self._say("folder", writable="yes", exists="yes")
        self._say("docker", version="29.0.0")
        self._say("compose", version="2.40.0")
        current = self.current
        self._say("release_now", id=current)
        if self.next:
            self._say(
                "unfinished",
                release=self.next.release,
                deploy=self.next.deploy,
                phase=self.next.phase,
            )
        for service in self.green:
            self._say("slot", service=service, live="green")
        if current:
            self._facts_of(current)
        for one in self.containers:
            aliases = [] if one.slot == "none" else [f"{one.service}-{one.slot}"]
            self.lines.append(
                json.dumps(
                    {
                        "event": "container",
                        "id": str(one.id),
                        "service": one.service,
                        "state": "running",
                        "health": "healthy",
                        "restarts": 0,
                        "exit": 0,
                        "policy": "unless-stopped",
                        "started": "",
                        "image": "",
                        "hash": one.hash,
                        "aliases": aliases,
                    }
                )
            )
        for files in self.releases.values():
            text = files["release.json"].decode().strip()
            self.lines.append(f'{{"event":"release","release":{text}}}')
        self.lines += [f'{{"event":"journal","line":{line}}}' for line in self.journal]
        return 0

    def _facts_of(self, release: str) -> None:
        kept = self.releases[release]
        for name in ("compose.yaml", "host.yaml", ".env"):
            if self.folder[name] != kept[name]:
                self._say("edited", file=name)
        sums = {
            key: hashlib.sha256(self.folder[name]).hexdigest()
            for key, name in (("sum", "host.yaml"), ("env", ".env"))
        }
        self._say("override", **sums)
        for name in [*(one.name for one in self.rolled(release)), *self.others(release)]:
            self._say("hash", service=name, hash=hash_of(release, name))

    # lib.sh, of whoever takes a lease over

    def _bar(self, _stdin: bytes) -> Script:
        yield from ()
        return self._fails() if self.ill else 0

    def _conclude(self, stdin: bytes) -> Script:
        if not self.ill:
            self._note("done")
            yield
        return (yield from self._facts(stdin))


def understood(text: str) -> tuple[dict[str, str], list[str], bool]:
    """The settings of a script, what it calls, and whether that changes anything."""
    head, _, rest = text.partition("\nset -u\n")
    settings = {}
    for line in head.splitlines():
        name, _, value = line.partition("=")
        settings[name] = shlex.split(value)[0] if "'" in value else value
    *_, before, last = rest.rsplit("\n", 3)[:-1]
    locked = last == "finish $?"
    return settings, shlex.split(before if locked else last), locked

"""A PostgreSQL server that is made for one rehearsal, and that goes whatever happens.

It is a container on the host of the database: the image of the real one (for a URL, of its client),
no network, bounded memory and disk. Its first process ends it at a deadline (`entry.sh`), so that
it goes as well when nobody is left who could remove it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from deploy.database.access import PACKAGE, in_container
from deploy.database.backup.manifest import Manifest, head
from deploy.database.backup.restore import differences
from deploy.database.migrations.recorded import Table
from deploy.database.rehearsal.bounds import Bounds, Room, disk_of, fit
from deploy.database.rehearsal.questions import ABOUT, ROLES
from deploy.database.rehearsal.server import Throwaway, ended
from deploy.database.rehearsal.source import Data, Source
from deploy.errors import CommandFailed, HeadwayError, HostError, Refused, Reverted
from deploy.remote.arrows import ArrowFailed
from deploy.remote.script import Report, assemble

if TYPE_CHECKING:
    from deploy.database.backup.backups import Backups, Say
    from deploy.remote.arrows import Arrows
    from deploy.remote.host import Host

_LOOK = 120.0
"""Seconds for the look around."""
_SPARE = 120.0
"""Seconds beside the server's own: for what is done before and after it."""
REMOVE = """
docker rm -f -v "$1" >/dev/null 2>&1
for try in 1 2 3 4 5 6 7 8 9 10; do
	[ -n "$(docker ps -aq --filter "name=^$1\\$")" ] || exit 0
	sleep 0.5
done
echo "$1 is still there" >&2
exit 1
"""
_NO_HARM = "Nothing has been changed."


@contextmanager
def throwaway(
    backups: Backups, source: Source, bounds: Bounds | None = None, *, say: Say
) -> Iterator[Throwaway]:
    """Restore a backup, or the schema alone, into a server of its own, and remove that afterwards.

    The result of the restore is written into the backup's manifest.

    Args:
        backups: those of the database; what they are reached by is where the server is made.
        source: what is restored.
        bounds: what the server may use up.
        say: told (a line, is it a warning) what goes on.

    Raises:
        Refused: there is no room, or no image that fits, or it lacks an extension.
        Ended: one of the bounds has ended the server while it was filled.
        Reverted: the backup is damaged, and its manifest says so now; or it could not be restored,
            or not to what it is of.
        HostError: the host did not do it, or nothing is known of how it ended.
    """
    opening = _Opening(backups, source, bounds or Bounds(), say)
    try:
        yield opening.server()
    finally:
        opening.close()


@dataclass(frozen=True)
class _Opening:
    backups: Backups
    source: Source
    bounds: Bounds
    say: Say
    box: str = field(default_factory=lambda: f"headway-rehearsal-{secrets.token_hex(6)}")
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    _sent: list[bool] = field(default_factory=list)

    @property
    def host(self) -> Host:
        return self.backups.access.host

    def server(self) -> Throwaway:
        about, facts, room, image = self._look()
        fit(self.host.name, self.bounds, self.source, room)
        scripts = self._scripts(about, facts, image)
        manifest = self.source.manifest if isinstance(self.source, Data) else None
        words = ["schema"]
        if manifest:
            words = ["data", f"{self.backups.folder}/{manifest.name}.dump"]
        try:
            opened = self._open(scripts, words)
            self._compare(facts, opened)
        except _NotRestored as failed:
            raise self._told(failed, manifest) from None
        seconds = float(opened["seconds"])
        if manifest:
            restored = {"ok": True, "at": self._now(), "seconds": seconds}
            manifest = self.backups.record(manifest, restored=restored)
        database, user, owner = facts["database"], about["user"], about["owner"]
        return Throwaway(
            in_container(self.host, self.box, user=user, database=database),
            in_container(self.host, self.box, user=owner, database=database),
            self.box,
            image,
            manifest,
            seconds,
        )

    def close(self) -> None:
        """Remove the server; what can't be removed ends by itself, and is told."""
        if not self._sent:
            return
        argv = ["sh", "-c", REMOVE, "headway", self.box]
        try:
            done = self.host.exec(argv, timeout=60)
            why = done.stderr.decode("utf-8", "replace").strip() if done.exit_code else ""
        except HostError as error:
            why = error.message
        if why:
            self.say(
                f"the throw-away server {self.box} was not removed ({why}); it ends by itself "
                f"{self.bounds.seconds + self.bounds.linger:.0f} s after its start",
                True,
            )

    def _look(self) -> tuple[dict[str, Any], dict[str, Any], Room, str]:
        scripts = self.backups.scripts("rehearsal/throwaway", limit=60, about_sql=ABOUT)
        try:
            lines = scripts.read("look_around", timeout=_LOOK, stdin=self.backups.access.secret)
        except CommandFailed as error:
            raise Refused(
                f"{self.host.name}: the database could not be asked",
                state=error.stderr.strip(),
                mend=self.backups.access.mend,
            ) from None
        report = Report()
        for line in lines:
            report.add(line)
        looked, room = report.last("looked"), report.last("room")
        if looked is None or room is None:
            raise HostError(self.host.name, "what was found of the database did not come")
        memory, disk = (int(room[key]) * 1024 for key in ("memory_kb", "free_kb"))
        found = Room(memory, disk, str(room["mount"]))
        return looked["about"], looked["facts"], found, str(room["image"])

    def _scripts(self, about: Mapping[str, Any], facts: Mapping[str, Any], image: str) -> Arrows:
        """The settings of `throwaway.sh`. What the real server loads is in its image alone."""
        preload = "" if self.backups.access.part == "url" else str(about["preload"])
        return self.backups.scripts(
            "rehearsal/why",
            "rehearsal/throwaway",
            limit=self.bounds.seconds,
            lock="rehearsal",
            # One that is asked again after a lost connection waits for what it has begun.
            lock_wait=str(round(self.bounds.seconds)),
            name=self.source.manifest.name if isinstance(self.source, Data) else "",
            box=self.box,
            image=image,
            entry=assemble({}, [(PACKAGE, "rehearsal/entry")], 'serve "$@"'),
            database=str(facts["database"]),
            server_major=str(facts["major"]),
            owner=str(about["owner"]),
            encoding=str(about["encoding"]),
            locks=str(about["locks"]),
            preload=preload,
            rows_of=str(Table()) if head(facts) else "",
            roles_sql=ROLES,
            memory_kb=str(self.bounds.memory // 1024),
            disk_kb=str(disk_of(self.bounds, self.source) // 1024),
            reserve_kb=str(self.bounds.reserve // 1024),
            seconds=str(round(self.bounds.seconds)),
            idle=str(round(self.bounds.idle)),
            linger=str(round(self.bounds.linger)),
        )

    def _open(self, scripts: Arrows, words: list[str]) -> Mapping[str, Any]:
        self._sent.append(True)
        try:
            report = scripts.send(
                "open_server",
                words,
                token=f"h-{secrets.token_hex(6)}",
                timeout=2 * self.bounds.seconds + _SPARE,
                stdin=self.backups.access.secret,
                say=self.say,
            )
        except ArrowFailed as error:
            kind = (error.report.last("kind") or {}).get("name", "")
            raise _NotRestored(kind, error.reason, error.detail) from None
        opened = report.last("opened")
        if opened is None:  # the script says this last, always
            raise HostError(self.host.name, "the throw-away server is there, and did not say so")
        return opened

    def _compare(self, facts: Mapping[str, Any], opened: Mapping[str, Any]) -> None:
        """What came is what was dumped: each table, its rows about, and the same migrations."""
        if isinstance(self.source, Data):
            wrong = differences(self.source.manifest, opened["facts"])
        else:
            empty = {**facts, "tables": dict.fromkeys(facts.get("tables") or {}, 0)}
            wrong = differences(Manifest("", {"facts": empty}), opened["facts"])
        if opened["tables"] != opened["listed"]:
            wrong.append(f"it has {opened['tables']} tables, and the dump {opened['listed']}")
        if wrong:
            raise _NotRestored("failed", f"it is not what was dumped: {'; '.join(wrong)}", "")

    def _told(self, failed: _NotRestored, manifest: Manifest | None) -> HeadwayError:
        """The error for people; and the manifest has it, where the backup itself has failed."""
        message = f"{self.host.name}: {failed.reason}"
        state = f"{failed.detail}\n{_NO_HARM}".strip()
        if failed.kind == "ended":
            return ended(self.host, failed.reason)
        if failed.kind == "refused":
            return Refused(
                message,
                state=state,
                mend="database.image names the image for a URL; without a rehearsal, write "
                "database.rehearsal.mode: off.",
            )
        if manifest is None:
            return Reverted(f"{message} (the schema alone)", state=state)
        result = {"ok": False, "at": self._now(), "why": failed.reason}
        if failed.kind == "damaged":
            self._note(manifest, restored=result, checked=result)
            return Reverted(
                message,
                state=f"{state}\n{manifest.name} cannot be relied on.",
                mend="Take another one, and look at the disk.",
            )
        if failed.kind == "failed":
            self._note(manifest, restored=result)
        return Reverted(f"{message}; {manifest.name} was not restored", state=state)

    def _note(self, manifest: Manifest, **more: Any) -> None:
        """Write down a failure; that this failed as well is not what has to be told first."""
        try:
            self.backups.record(manifest, **more)
        except HeadwayError as error:
            self.say(f"the manifest of {manifest.name} does not say so: {error.message}", True)

    def _now(self) -> str:
        return f"{self.clock():%Y-%m-%dT%H:%M:%SZ}"


class _NotRestored(Exception):
    """`kind` is refused, ended (by a bound), damaged (the backup), failed, or "" (the script)."""

    def __init__(self, kind: str, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.detail = detail

"""Backups of a database: made, kept, listed and verified on the host that its programs run on.

The host does the work (`backup.sh`): nothing of a dump passes through this process. What is decided
is decided here and in `deploy.database.backup.manifest`.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from deploy.database.access import Access, access_of
from deploy.database.backup.manifest import RESERVE, Manifest, needed, surplus
from deploy.database.backup.shelf import FACTS, Shelf, read_shelf
from deploy.errors import CommandFailed, NeedsPerson, Refused, Reverted, UsageError
from deploy.remote.arrows import ArrowFailed, Arrows
from deploy.views.text import size

if TYPE_CHECKING:
    from deploy.remote.host import Host
    from deploy.remote.script import Report
    from deploy.settings import Environment

Say = Callable[[str, bool], None]
"""Told (one short line, is it a warning) while something goes."""

_LOCK_WAIT = 60
"""Seconds that a backup waits for another one on its host."""


@dataclass(frozen=True)
class Order:
    """What a backup is for: the release it belongs to, why, and who asked.

    `release` is the one that is deployed next, or, for a backup by hand, the one that runs;
    `purpose` is deploy or hand.
    """

    release: str = ""
    tag: str = ""
    purpose: str = "hand"
    by: str = ""


@dataclass(frozen=True)
class Backups:
    """The backups of one database.

    `home` is the application's folder on the host; they lie in `backups/` in it. `command` and
    `verify_command` are the owner's own, "" where there are none; `timeout` is in seconds, for each
    of the programs that run.
    """

    access: Access
    home: str
    keep: int = 5
    timeout: float = 3600.0
    command: str = ""
    verify_command: str = ""
    reserve: int = RESERVE
    twice: bool = False
    """Whether there must be room for an encrypted second one, too."""

    @property
    def folder(self) -> str:
        """The folder on the host."""
        return f"{self.home}/backups"

    @property
    def host(self) -> str:
        """The host's name."""
        return self.access.host.name

    def shelf(self) -> Shelf:
        """Read what is kept; the database itself is not asked.

        Raises:
            HostError: the host cannot be read.
        """
        return read_shelf(self.scripts().read("shelf", timeout=60))

    def survey(self) -> Shelf:
        """Read what is kept, and ask the database what it is now.

        Raises:
            Refused: the database cannot be asked.
            HostError: the host cannot be read.
        """
        try:
            lines = self.scripts(limit=60).read("survey", timeout=120, stdin=self.access.secret)
        except CommandFailed as error:
            raise Refused(
                f"{self.host}: the database could not be asked",
                state=error.stderr.strip(),
                mend=self.access.mend,
            ) from None
        return read_shelf(lines)

    def ready(self) -> Shelf:
        """Survey, and have it that there is room for one more.

        Raises:
            Refused: the database cannot be asked, or there is no room.
            HostError: the host cannot be read.
        """
        found = self.survey()
        if not self.command:
            self._room(found)
        return found

    def create(self, order: Order, protected: Sequence[str], say: Say) -> Manifest:
        """Make one, prove that it can be read to its end, and let those go that are too many.

        Args:
            order: what it is for.
            protected: ids of releases whose backups stay, however old: the current and the last.
            say: told what goes on.

        Raises:
            Refused: the database cannot be asked, or there is no room; nothing was changed.
            Reverted: it failed; nothing of it is left, and the earlier ones are as they were.
            HostError: nothing is known of how it ended.
        """
        found = self.ready()
        name = _name(found)
        going = [one.name for one in surplus(found.kept, self.keep, protected)]
        scripts = self.scripts(
            name=name,
            order=_members(order, self.host),
            remove=" ".join(one for one in going if _ours(one)),
        )
        arrow, words = "foreign", [self.command, self.verify_command]
        if not self.command:
            majors = [int(found.facts["major"]), _major(found.client)]
            arrow, words = "backup", ["zstd:3" if min(majors) >= 16 else "1"]
        report = self._send(scripts, arrow, words, say, "No backup was made.")
        kept = report.last("kept")
        if kept is None:  # the script says this last, always
            raise NeedsPerson(f"{self.host}: {name} was made, and its manifest did not come")
        return Manifest.read(kept["manifest"])

    def verify(self, name: str, say: Say) -> Manifest:
        """Look at a dump again: its sum, and every byte of it decoded; and write down the result.

        Raises:
            UsageError: there is no such backup.
            Refused: it is one without a file.
            NeedsPerson: it is damaged.
        """
        one = self.find(name)
        if one.method != "dump":
            raise Refused(
                f"{name} was made by backup.command, and has no file here to look at",
                mend="Its own tool can verify it.",
            )
        try:
            report = self._send(self.scripts(name=name, lock="backup"), "verify", [], say, "")
        except Reverted as error:
            if "SHA-256" in error.message or "decoded" in error.message or "read" in error.message:
                self.record(one, checked={"ok": False, "at": _now(), "why": error.message})
            raise NeedsPerson(
                error.message,
                state=f"{error.state}\n{name} cannot be relied on.".strip(),
                mend="Take another one, and look at the disk.",
            ) from None
        seconds = float((report.last("verified") or {}).get("seconds", 0))
        return self.record(one, checked={"ok": True, "at": _now(), "seconds": seconds})

    def find(self, name: str) -> Manifest:
        """Return the backup of that name.

        Raises:
            UsageError: there is none.
        """
        shelf = self.shelf()
        found = shelf.get(name)
        if found is None:
            newest = sorted(shelf.kept, key=lambda one: one.at)[-3:]
            names = ", ".join(one.name for one in reversed(newest)) or "none at all"
            shown = repr(name if len(name) <= 80 else f"{name[:80]}…")
            raise UsageError(
                f"there is no backup {shown} on {self.host}",
                state="Nothing has been changed.",
                mend=f"There is {names}.",
            )
        return found

    def record(self, one: Manifest, **more: Any) -> Manifest:
        """Write something down in a backup's manifest, such as `restored={"ok": True, …}`.

        Raises:
            Reverted: it could not be written.
        """
        changed = one.with_(**more)
        scripts = self.scripts(name=one.name)
        text = changed.to_json().encode() + b"\n"
        self._send(scripts, "record", [], _nobody, "The manifest is as it was.", stdin=text)
        return changed

    def scripts(self, *parts: str, limit: float | None = None, **settings: str) -> Arrows:
        """What sends the parts of `backup.sh`, and others, to the host."""
        common = {
            "dir": self.home,
            "backups": self.folder,
            "lock": "backup",
            "lock_wait": str(_LOCK_WAIT),
            "limit": str(round(limit or self.timeout)),
            "facts_sql": FACTS,
            "name": "",
            "order": "",
            "remove": "",
            "app": "",
        }
        return self.access.arrows(
            common | settings, "backup/backup", *parts, doing="the database could not be asked"
        )

    def send(
        self, scripts: Arrows, arrow: str, words: Sequence[str], say: Say, state: str
    ) -> Report:
        """Do one of the parts, under the lock of backups and on record.

        Args:
            scripts: of `scripts`.
            arrow: the function of the shell.
            words: its arguments.
            say: told what it says.
            state: what things are like if it fails, as a sentence.

        Raises:
            Reverted: it failed.
            HostError: nothing is known of how it ended.
        """
        return self._send(scripts, arrow, words, say, state)

    def _send(
        self,
        scripts: Arrows,
        arrow: str,
        words: Sequence[str],
        say: Say,
        state: str,
        stdin: bytes | None = None,
    ) -> Report:
        try:
            return scripts.send(
                arrow,
                words,
                token=f"b-{secrets.token_hex(6)}",
                # Each program has its own deadline; three of them run one after the other.
                timeout=3 * self.timeout + _LOCK_WAIT + 60,
                of=f"three times database.backup.timeout, {self.timeout:g} s, and 2 minutes",
                stdin=self.access.secret if stdin is None else stdin,
                say=say,
            )
        except ArrowFailed as error:
            text = f"{error.detail}\n{state}".strip()
            raise Reverted(f"{self.host}: {error.reason}", state=text) from None

    def _room(self, found: Shelf) -> None:
        wanted = needed(int(found.facts["database_bytes"]), found.kept) * (2 if self.twice else 1)
        if wanted + self.reserve <= found.free:
            return
        raise Refused(
            f"{self.host}: no room for a backup: it may need {size(wanted)}, and {found.mount} has "
            f"{size(found.free)} free, of which {size(self.reserve)} stay so",
            mend=f"Make room on {self.host}, or keep fewer: {size(sum(found.dumps.values()))} are "
            f"in {self.folder}.",
        )


def backups_of(environment: Environment, hosts: Mapping[str, Host], fence: int = 0) -> Backups:
    """The backups of an environment's database, as its settings say.

    Raises:
        UsageError: it names no database.
    """
    access = access_of(environment, hosts, fence)
    assert environment.database is not None  # noqa: S101 - access_of has looked
    wanted = environment.database.backup
    return Backups(
        access,
        environment.path,
        keep=wanted.keep,
        timeout=wanted.timeout,
        command=wanted.command or "",
        verify_command=wanted.verify or "",
        twice=wanted.encrypt_to is not None,
    )


def _name(found: Shelf) -> str:
    """DATABASE-DATE-TIME; of two that are ordered at once, the host gives the later one another."""
    database = re.sub(r"[^A-Za-z0-9_]", "_", str(found.facts["database"]))[:60]
    when = datetime.now(UTC)
    while True:
        name = f"{database}-{when:%Y%m%d-%H%M%S}"
        if found.get(name) is None and f"{name}.dump" not in found.dumps:
            return name
        when += timedelta(seconds=1)


def _ours(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_]+-\d{8}-\d{6}", name) is not None


def _members(order: Order, host: str) -> str:
    body = {
        "release": order.release,
        "tag": order.tag,
        "purpose": order.purpose,
        "by": order.by,
        "host": host,
    }
    return json.dumps(body)[1:-1]


def _major(version: str) -> int:
    found = re.match(r"\d+", version)
    return int(found.group()) if found else 0


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _nobody(_text: str, _warned: bool) -> None:
    """Nobody is told."""

"""Copies of a backup that leave its host: to this machine, to another host, or by a command.

A dump passes through this process in blocks, so that memory does not grow with it; what has been
written is summed up and compared before it gets its name. Copies are not removed again: they are
for the day when the host is gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deploy.errors import HostError, OutcomeUnknown, Reverted, TimedOut, Unreachable
from deploy.remote.arrows import fenced
from deploy.remote.host import checked
from deploy.remote.script import FENCED, LIB, assemble

if TYPE_CHECKING:
    from deploy.database.backup.backups import Backups, Say
    from deploy.database.backup.manifest import Manifest
    from deploy.remote.host import Host, Result
    from deploy.settings import Environment
    from deploy.settings.database import Copy

BLOCK = 8 * 1024 * 1024
"""Bytes that are fetched at once; a few of them are in memory at a time."""
_TRIES = 4
_BLOCK_TIMEOUT = 120.0
_WRITE = 'umask 077; exec dd of="$1" bs="$2" seek="$3" iflag=fullblock conv=notrunc 2>/dev/null'


@dataclass(frozen=True)
class _File:
    """What is copied: a file in the folder of backups, its bytes and its SHA-256."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Copies:
    """Where the copies of a database's backups go.

    `root` is the folder that a relative local folder starts from; `key` an age public key, or "".
    """

    backups: Backups
    hosts: Mapping[str, Host]
    wanted: Sequence[Copy]
    root: Path
    key: str = ""
    sleep: Callable[[float], None] = time.sleep

    def make(self, one: Manifest, say: Say) -> Manifest:
        """Make every copy that is wanted, and write each down in the manifest.

        Raises:
            Reverted: one could not be made, or is not the same; the backup itself is there.
            HostError: a host could not be spoken to.
        """
        if not self.wanted or one.method != "dump":
            return one
        with self._file(one, say) as file:
            for copy in self.wanted:
                done = self._one(copy, one, file, say)
                known = [*one.body.get("copies", []), done]
                one = self.backups.record(one, copies=known)
        return one

    @contextmanager
    def _file(self, one: Manifest, say: Say) -> Iterator[_File]:
        if not self.key:
            yield _File(f"{one.name}.dump", one.bytes, one.sha256)
            return
        name = f"{one.name}.dump.age"
        scripts = self.backups.scripts("backup/copies", name=one.name)
        state = f"{one.name} is on {self.backups.host}, and was not copied."
        try:
            report = self.backups.send(scripts, "encrypted", [self.key], say, state)
            said = report.last("encrypted") or {}
            yield _File(name, int(said["bytes"]), str(said["sha256"]))
        finally:
            path = f"{self.backups.folder}/{name}"
            self.backups.access.host.exec(["rm", "-f", path], timeout=60)

    def _one(self, copy: Copy, one: Manifest, file: _File, say: Say) -> dict[str, Any]:
        began = time.monotonic()
        if copy.to == "local":
            where = self._to_this_machine(str(copy.folder), one, file)
        elif copy.to == "host":
            where = self._to_host(str(copy.host), str(copy.folder), one, file)
        else:
            where = self._by_command(copy, one, file, say)
        verified = copy.to != "command" or copy.read_back is not None
        say(f"copied to {where}{'' if verified else ', and not read back'}", False)
        return {
            "to": copy.to,
            "where": where,
            "bytes": file.bytes,
            "sha256": file.sha256,
            "encrypted": bool(self.key),
            "verified": verified,
            "seconds": round(time.monotonic() - began, 2),
        }

    def _to_this_machine(self, folder: str, one: Manifest, file: _File) -> str:
        place = self.root / Path(folder).expanduser()
        partial = place / f"{file.name}.partial"
        digest = hashlib.sha256()
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            with open(os.open(partial, flags, 0o600), "wb") as out:
                for block in self._blocks(file):
                    digest.update(block)
                    out.write(block)
                out.flush()
                os.fsync(out.fileno())
            if digest.hexdigest() != file.sha256:
                raise self._not_the_same(one, str(place), digest.hexdigest(), file)
            partial.replace(place / file.name)
            (place / f"{one.name}.json").write_text(one.to_json() + "\n", encoding="utf-8")
        except OSError as error:
            _gone(partial)
            raise Reverted(
                f"the copy to {place} on this machine failed: {error.strerror or error}",
                state=f"{one.name} is on {self.backups.host}, and was not copied.",
                mend="Mend the folder, or database.backup.copy_to.",
            ) from None
        except BaseException:
            _gone(partial)
            raise
        return str(place / file.name)

    def _to_host(self, name: str, folder: str, one: Manifest, file: _File) -> str:
        host = self.hosts[name]
        path = f"{folder}/{file.name}"
        made = self._guarded(
            host,
            f"umask 077; mkdir -p {shlex.quote(folder)} && : >{shlex.quote(path)}.partial",
        )
        checked(host, f"cannot write to {folder}", made)
        for number, block in enumerate(self._blocks(file)):
            words = ["sh", "-c", _WRITE, "headway", f"{path}.partial", str(BLOCK), str(number)]
            self._again(host, words, stdin=block, doing="a block of the copy was not written")
        finish = (
            f"sync {shlex.quote(path)}.partial 2>/dev/null || sync; "
            f"sha256sum <{shlex.quote(path)}.partial"
        )
        timeout = self.backups.timeout
        result = checked(
            host, "the copy was not read", host.exec(["sh", "-c", finish], timeout=timeout)
        )
        came = result.text.split()[0]
        if came != file.sha256:
            host.exec(["rm", "-f", f"{path}.partial"], timeout=60)
            raise self._not_the_same(one, name, came, file)
        named = f"umask 077; mv -f {shlex.quote(path)}.partial {shlex.quote(path)} && cat >"
        named += shlex.quote(f"{folder}/{one.name}.json")
        text = one.to_json().encode() + b"\n"
        result = self._guarded(host, named, stdin=text)
        checked(host, "the copy was not given its name", result)
        return f"{name}:{path}"

    def _guarded(self, host: Host, call: str, *, stdin: bytes = b"") -> Result:
        """Do something on the host of a copy, unless a later lease than ours has been seen there.

        Raises:
            Fenced: one has; nothing was done.
        """
        fence = self.backups.access.settings.get("fence", "0")
        settings = {"dir": self.backups.home, "fence": fence}
        text = assemble(settings, [LIB], f"guarded\n{call}")
        result = host.exec(["sh", "-c", text, "headway"], stdin=stdin, timeout=60)
        if result.exit_code == FENCED:
            raise fenced(host.name)
        return result

    def _by_command(self, copy: Copy, one: Manifest, file: _File, say: Say) -> str:
        command = str(copy.command).replace("{name}", file.name)
        read_back = (copy.read_back or "").replace("{name}", file.name)
        state = f"{one.name} is on {self.backups.host}; this copy is not to be relied on."
        scripts = self.backups.scripts("backup/copies", name=one.name)
        words = [file.name, file.sha256, command, read_back]
        self.backups.send(scripts, "sent", words, say, state)
        return f"{_program(command)}:{file.name}"

    def _blocks(self, file: _File) -> Iterator[bytes]:
        path = f"{self.backups.folder}/{file.name}"
        for number in range(-(-file.bytes // BLOCK)):
            words = ["dd", f"if={path}", f"bs={BLOCK}", f"skip={number}", "count=1"]
            words.append("iflag=fullblock")
            host = self.backups.access.host
            yield self._again(host, words, doing="a block of the backup was not read")

    def _again(self, host: Host, words: Sequence[str], *, doing: str, stdin: bytes = b"") -> bytes:
        """A block may be asked for, and be written, as often as it takes."""
        for left in reversed(range(_TRIES)):
            try:
                result = host.exec(words, stdin=stdin, timeout=_BLOCK_TIMEOUT)
                return checked(host, doing, result).stdout
            except (OutcomeUnknown, Unreachable, TimedOut):
                if not left:
                    raise
                self.sleep(2.0)
        raise HostError(host.name, doing)

    def _not_the_same(self, one: Manifest, where: str, came: str, file: _File) -> Reverted:
        return Reverted(
            f"the copy to {where} is not the same: its SHA-256 is {came[:12]}…, and should be "
            f"{file.sha256[:12]}…",
            state=f"{one.name} is on {self.backups.host}, and was not copied.",
        )


def _gone(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink()


def _program(command: str) -> str:
    """The program that a command runs; the rest of it may be nobody else's business."""
    words = (word for word in command.split() if "=" not in word)
    return os.path.basename(next(words, "command"))


def copies_of(environment: Environment, hosts: Mapping[str, Host], backups: Backups) -> Copies:
    """The copies of an environment's backups, as its settings say."""
    assert environment.database is not None  # noqa: S101 - there are backups of it
    wanted = environment.database.backup
    return Copies(backups, hosts, wanted.copy_to, environment.root, wanted.encrypt_to or "")

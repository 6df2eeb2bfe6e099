"""Limits a key to Headway's own scripts: what that would change on a host, and the change."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deploy import gate
from deploy.errors import UsageError
from deploy.remote.host import checked
from deploy.remote.script import assemble, call_of
from deploy.version import VERSION

if TYPE_CHECKING:
    from deploy.remote.host import Host

_ANSWER = 30.0
_KEY = re.compile(
    r"((?:ssh|ecdsa|sk-ssh|sk-ecdsa)-[a-z0-9@.-]+) ([A-Za-z0-9+/]{32,}={0,2})(?: ([\w@.-]+))?"
)


@dataclass(frozen=True)
class Key:
    """A public key: its type and base64, with what stands behind it in its file."""

    type: str
    blob: str
    comment: str = ""

    @classmethod
    def read(cls, path: Path) -> Key:
        """Read a `.pub` file.

        Raises:
            UsageError: it can't be read, or is no public key.
        """
        try:
            found = _KEY.fullmatch(path.expanduser().read_text(encoding="utf-8").strip())
            why = "it is not one line with a public key"
        except (OSError, UnicodeDecodeError) as error:
            found, why = None, getattr(error, "strerror", None) or "not text"
        if found is None:
            raise UsageError(
                f"{path} can't be used as a public key: {why}",
                state="Nothing has been changed.",
                mend="Name the .pub file of the key pair.",
            )
        return cls(found[1], found[2], found[3] or "")


@dataclass(frozen=True)
class Gate:
    """The forced command of one application's folder, and the key that it is for, if any.

    `port` is what the key may forward to on the host itself, where its proxy is asked; None: none.
    """

    app: str
    folder: str
    key: Key | None
    port: int | None = None

    @property
    def file(self) -> str:
        """Its name in `~/.ssh`, where only those can write who can write authorized_keys."""
        return f"headway-gate-{self.app}"

    @property
    def options(self) -> str:
        """What stands before the key in authorized_keys."""
        # Both names are plain words by their kinds in the settings; there is nothing to escape.
        options = f'command="sh ~/.ssh/{self.file} {self.folder}",restrict'
        if self.port is None:
            return options
        return f'{options},port-forwarding,permitopen="127.0.0.1:{self.port}"'

    @property
    def line(self) -> str:
        """The key's line; "" without a key."""
        key = self.key
        if key is None:
            return ""
        return " ".join(part for part in (self.options, key.type, key.blob, key.comment) if part)

    def look(self, host: Host) -> Change:
        """Read what is on a host.

        Raises:
            HostError: it can't be read.
        """
        said = dict(line.partition(" ")[::2] for line in self._run(host, "look").splitlines())
        mine = hashlib.sha256(gate.text()).hexdigest()
        return Change(
            renew=said["sum"][:64] != mine,
            add=bool(self.key) and said["line"] != "1",
            closes=said["open"] not in {"", "0"},
            locked_out=bool(self.key) and said["others"] in {"", "0"},
        )

    def install(self, host: Host) -> None:
        """Put the forced command there, and the key's line into authorized_keys.

        Raises:
            HostError: it was not done, or nobody knows.
        """
        self._run(host, "install", gate.text())

    def _run(self, host: Host, what: str, stdin: bytes = b"") -> str:
        settings = {"file": self.file, "line": self.line, "blob": self.key.blob if self.key else ""}
        text = assemble(settings, [("deploy.remote", "setup")], call_of(what, locked=False))
        result = host.exec(["sh", "-c", text, "headway"], stdin=stdin, timeout=_ANSWER)
        return checked(host, "~/.ssh could not be set up", result).text


@dataclass(frozen=True)
class Change:
    """What there is to do on a host.

    `renew`: the forced command is missing or another version's. `add`: the key's line is missing.
    `closes`: the key may do everything so far. `locked_out`: no other key would be left there that
    may, and nobody could renew the forced command.
    """

    renew: bool
    add: bool
    closes: bool
    locked_out: bool

    @property
    def nothing(self) -> bool:
        """Whether all is as it should be."""
        return not (self.renew or self.add)

    def described(self, of: Gate) -> list[str]:
        """What would be done, in lines."""
        lines = []
        if self.renew:
            lines.append(
                f"write ~/.ssh/{of.file}: the {len(gate.known())} scripts of Headway {VERSION}"
            )
        if self.add:
            lines.append(f"add to ~/.ssh/authorized_keys: {of.line}")
            if self.closes:
                lines.append("take this key's line out that lets it do everything")
        return lines or ["nothing to do"]

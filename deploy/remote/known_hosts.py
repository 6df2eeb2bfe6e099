"""Pinned host keys: which keys a host may show, and the refusal of every other one.

Fabric accepts any host key and reads no known_hosts file. Here a policy of our own answers for
every connection, before authentication. It differs from paramiko's own check in two ways: a host
may have several pinned keys of one type (the old and the new one, while keys are changed), and a
line that can't be understood refuses the file instead of being passed over.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey


class PinRefused(paramiko.SSHException):
    """The host's key is not pinned, or what is pinned can't be read; says why and what to do."""

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.mend = mend


def known_hosts_name(address: str, port: int) -> str:
    """Return how known_hosts names an address: `[address]:port` unless the port is 22."""
    return address if port == 22 else f"[{address}]:{port}"


@dataclass(frozen=True)
class Pins:
    """The lines of one known_hosts file."""

    path: Path
    entries: tuple[HostKeyEntry, ...]

    @classmethod
    def read(cls, path: Path) -> Pins:
        """Read a known_hosts file: plain, hashed and `[host]:port` names.

        Raises:
            PinRefused: the file can't be read, or a line can't be understood or honoured.
        """
        try:
            lines = path.expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not text"
            raise PinRefused(
                f"the pinned host keys in {path} can't be read ({why})",
                "`inv check.ENVIRONMENT --host-keys` prints a line for each host; put it into"
                f" {path} after comparing its fingerprint with the one that the host's own console"
                " shows",
            ) from error
        entries = (
            _entry(path, number, " ".join(line.split())) for number, line in enumerate(lines, 1)
        )
        return cls(path, tuple(entry for entry in entries if entry is not None))

    def of(self, name: str) -> list[paramiko.PKey]:
        """Return the keys pinned for a name as `known_hosts_name` gives it; perhaps none."""
        return [e.key for e in self.entries if any(_names(field, name) for field in e.hostnames)]

    def connect_kwargs(self, name: str) -> dict[str, Any]:
        """Return what makes paramiko ask the host for a key of a pinned type first.

        A host has a key of each type and shows the one that is asked for first, so that a host of
        which only the RSA key is pinned would otherwise be refused for its Ed25519 key.
        """
        pinned = [kind for key in self.of(name) for kind in _algorithms(key)]

        def transport(sock: Any, **options: Any) -> paramiko.Transport:
            made = paramiko.Transport(sock, **options)
            security = made.get_security_options()
            usual = list(security.key_types)
            first = [kind for kind in dict.fromkeys(pinned) if kind in usual]
            security.key_types = [*first, *(kind for kind in usual if kind not in first)]
            return made

        return {"transport_factory": transport}


class PinnedKeys(paramiko.MissingHostKeyPolicy):
    """Accepts a host key if it is pinned; paramiko asks it before it authenticates."""

    def __init__(self, pins: Pins) -> None:
        self.pins = pins
        self.accepted = False
        """Whether a key has been accepted: what fails after that is the login."""

    def missing_host_key(
        self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey
    ) -> None:
        """Return if `key` is pinned for `hostname` (with its port, as in known_hosts).

        Raises:
            PinRefused: it is not.
        """
        del client
        pinned = self.pins.of(hostname)
        if any(pin.asbytes() == key.asbytes() for pin in pinned):
            self.accepted = True
            return
        offered = _described(key)
        line = f"{hostname} {key.get_name()} {key.get_base64()}"
        look = (
            "on the host's own console (not over SSH) type"
            " `for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $k; done`"
        )
        if pinned:
            known = " or ".join(_described(pin) for pin in pinned)
            raise PinRefused(
                f"the host key has changed: it shows {offered}, and {self.pins.path} pins {known}",
                f"Somebody may be between you and the host, or it was installed anew: {look};"
                f" only if {key.fingerprint} is among them, replace the host's line in"
                f" {self.pins.path} by\n  {line}",
            )
        raise PinRefused(
            f"the host key is not known: it shows {offered}, and {self.pins.path} has no line for"
            f" {hostname}",
            f"{look.capitalize()}; only if {key.fingerprint} is among them, add this line to"
            f" {self.pins.path}\n  {line}",
        )


def _entry(path: Path, number: int, line: str) -> HostKeyEntry | None:
    if not line or line.startswith("#"):
        return None
    where = f"line {number} of {path}"
    if line.startswith("@"):
        marker = line.split(" ", 1)[0]
        raise PinRefused(
            f"{where} begins with {marker}, which Headway does not honour; to pass over it would"
            " not be safe",
            "pin each host's own key instead, and take that line out",
        )
    if len(line.split(" ")) < 3:
        raise PinRefused(
            f"{where} is not a line of known_hosts", "write it as: host key-type base64-of-the-key"
        )
    try:
        # None is a type of key that paramiko has no code for, and so never agrees on.
        return HostKeyEntry.from_line(line, number)
    except (InvalidHostKey, paramiko.SSHException, ValueError, IndexError) as error:
        raise PinRefused(
            f"{where} holds a key that can't be read", "copy the host's line anew"
        ) from error


def _names(field: str, name: str) -> bool:
    if not field.startswith("|1|"):
        return field == name
    try:
        return hmac.compare_digest(paramiko.HostKeys.hash_host(name, field), field)
    except (ValueError, AssertionError, IndexError):
        return False


def _algorithms(key: paramiko.PKey) -> tuple[str, ...]:
    """Return the signature algorithms of a key, best first; `ssh-rsa` names the key alone."""
    name = key.get_name()
    return ("rsa-sha2-512", "rsa-sha2-256") if name == "ssh-rsa" else (name,)


def _described(key: paramiko.PKey) -> str:
    return f"{key.fingerprint} ({key.get_name()})"

"""Our own key: read from its file once, however many hosts it opens."""

from __future__ import annotations

import os
import stat
from functools import lru_cache
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from paramiko.pkey import UnknownKeyType

from deploy.errors import Fault, SettingsError


def load_key(path: Path) -> paramiko.PKey:
    """Return the private key in `path` (`~` is expanded), with its certificate if it has one.

    A file is read once: checking an RSA key takes 0.3 to 0.6 s, which forty hosts would each pay.

    Raises:
        SettingsError: the file is missing, can be read by others, or holds no key that can be used
            without a passphrase.
    """
    path = path.expanduser()
    try:
        status = path.stat()
    except OSError as error:
        raise _fault(
            path, f"the SSH key can't be read ({error.strerror})", "correct `ssh: key:`"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise _fault(path, "the SSH key is not a file", "correct `ssh: key:`")
    if status.st_uid == os.getuid() and status.st_mode & 0o077:
        raise _fault(path, "the SSH key can be read by others", f"type: chmod 600 {path}")
    return _load(path, status.st_mtime_ns, status.st_size)


@lru_cache
def _load(path: Path, _changed: int, _size: int) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except (TypeError, paramiko.PasswordRequiredException) as error:
        # cryptography says "password needed" with a TypeError.
        raise _fault(
            path,
            "the SSH key has a passphrase",
            "add it to ssh-agent and leave `ssh: key:` out, or use a key without one",
        ) from error
    except OSError as error:
        raise _fault(
            path, f"the SSH key can't be read ({error.strerror})", "correct `ssh: key:`"
        ) from error
    except (
        ValueError,
        UnsupportedAlgorithm,
        paramiko.SSHException,
        UnknownKeyType,
    ) as error:
        raise _fault(
            path,
            "this is not a private key of a kind that can be used",
            "name the private key (not the .pub file) of an Ed25519, ECDSA or RSA pair",
        ) from error


def _fault(path: Path, message: str, mend: str) -> SettingsError:
    return SettingsError([Fault(where=str(path), path="", message=message, mend=mend)])

"""Reading `.env.ENVIRONMENT`: refused when anybody else could have read or written it."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path

from dotenv.parser import parse_stream

from deploy.errors import Fault


def read(file: Path, label: str) -> tuple[dict[str, str], list[Fault]]:
    """Return the values of a dotenv file, and what is wrong with it. No file is no fault.

    Values are taken as they are written: `$NAME` stays `$NAME`.

    Args:
        file: the file to read.
        label: its name in faults.
    """
    try:
        text, fault = _private_text(file, label)
    except FileNotFoundError:
        return {}, []
    except UnicodeError:
        return {}, [Fault(label, "", "can't be read: it is not UTF-8")]
    except OSError as error:
        if error.errno == errno.ELOOP:
            return {}, [Fault(label, "", "is a symbolic link", "put the file itself there")]
        return {}, [Fault(label, "", f"can't be read: {error.strerror}")]
    if fault is not None:
        return {}, [fault]
    values: dict[str, str] = {}
    faults = []
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            written = binding.original.string
            blank = written[: len(written) - len(written.lstrip())].count("\n")
            line = binding.original.line + blank
            faults.append(Fault(f"{label}:{line}", "", "is not NAME=value"))
        elif binding.key is not None:
            values[binding.key] = binding.value or ""
    return values, faults


def _private_text(file: Path, label: str) -> tuple[str, Fault | None]:
    """Read a file that is the user's alone; what is looked at is what is read."""
    # O_NONBLOCK: a FIFO in its place must not hold the deploy up.
    handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(handle)
        mode = stat.S_IMODE(status.st_mode)
        if not stat.S_ISREG(status.st_mode):
            return "", Fault(label, "", "is not a file")
        if status.st_uid != os.geteuid():
            return "", Fault(label, "", "belongs to another user", f"chown {os.geteuid()} {label}")
        if mode & 0o077:
            what = "read" if mode & 0o044 else "written or run"
            message = f"can be {what} by others ({mode:04o})"
            return "", Fault(label, "", message, f"chmod 600 {label}")
        return stream.read().decode("utf-8"), None

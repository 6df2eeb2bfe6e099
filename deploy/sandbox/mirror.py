"""The Debian mirror that a machine uses."""

from __future__ import annotations

import re
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"


def machine_mirror(apt: Path = Path("/etc/apt")) -> str:
    """The Debian mirror in this machine's apt sources, else Debian's own.

    Only a mirror that is reached by plain http counts: packages are signed, and an image has no
    certificates while it is made. On Ubuntu there is none, as its mirrors carry no Debian.
    """
    folder = apt / "sources.list.d"
    files = [
        apt / "sources.list",
        *sorted(folder.glob("*.list")),
        *sorted(folder.glob("*.sources")),
    ]
    for file in files:
        if not file.is_file():
            continue
        for line in file.read_text(errors="replace").splitlines():
            found = re.match(r"(?:URIs:|deb(?:\s+\[[^]]*])?)\s+(http://\S+/debian)/?(?:\s|$)", line)
            if found:
                return found[1]
    return MIRROR

"""`inv check.ENVIRONMENT --host-keys`: what each server shows, for a person to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.remote.shown_keys import Server, Shown

LOOK = "for k in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $k; done"

_WORDS = {
    "pinned": "pinned",
    "unknown": "unknown: nothing is pinned for this address",
    "spare": "not pinned, and need not be: another key of this server is",
}


def as_json(servers: Sequence[Server]) -> list[dict[str, Any]]:
    """Each server with its keys and, as `ready`, whether a deploy would find its key pinned."""
    return [asdict(server) | {"ready": server.ready} for server in servers]


def rendered(servers: Sequence[Server], file: str) -> str:
    """The same for people.

    Args:
        servers: what they have shown.
        file: where the pinned keys are.
    """
    lines = []
    for server in servers:
        lines.append(f"{server.host}  {server.address}, port {server.port}")
        if server.fault:
            lines += [f"  ! {part}" for part in server.fault.splitlines()]
        elif not server.keys:
            lines.append("  ! it shows no host key of a kind that is known here")
        for key in server.keys:
            lines.append(f"  {key.type}  {key.fingerprint}  {_words(key, server)}")
            if key.standing in {"unknown", "changed"}:
                lines.append(f"    {key.line}")
    if all(server.ready for server in servers):
        return "\n".join([*lines, "", "Every server shows a key that is pinned."])
    return "\n".join(
        [
            *lines,
            "",
            "Nothing has been written. Somebody in between would show you a key of their own, so",
            "compare: on each host's console (your provider's page, not SSH) type",
            f"  {LOOK}",
            "and only if it prints the same fingerprint, write the line under the key into",
            f"{file}. Where another one was pinned, ask first why it changed.",
        ]
    )


def _words(key: Shown, server: Server) -> str:
    if key.standing == "changed":
        return f"ANOTHER than what is pinned: {' or '.join(server.pinned)}"
    return _WORDS[key.standing]

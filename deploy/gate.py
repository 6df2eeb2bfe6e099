"""What a gated key may run on a host: Headway's own scripts, each with the calls it is sent with.

A key in `authorized_keys` can carry a forced command; `deploy/remote/gate.sh` is one, and knows the
scripts of one version of Headway by their SHA-256. Pure: what is written here is let through.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from deploy.database.access import INSIDE, PACKAGE, calling, guarded
from deploy.database.image import LOOK, PULL_AND_LOOK, PULLING
from deploy.database.rehearsal.throwaway import REMOVE
from deploy.lease.keeper import PARTS as LEASE
from deploy.lease.keeper import STORIES as OF_STORIES
from deploy.remote.script import CALL, LIB, PARTS, assemble
from deploy.version import VERSION

Parts = tuple[tuple[str, str], ...]

LOCKED = (
    "prepare",
    "recall",
    "stage",
    "switch",
    "settle",
    "place",
    "abandon",
    "conclude",
    "note",
    "bar",
)
"""The arrows, and what comes before them."""
LEASES = (
    "lease_take",
    "lease_raise",
    "lease_renew",
    "lease_release",
    "lease_leave",
    "lease_close",
    "lease_ask",
    "lease_break",
    "lease_hold",
    "lease_show",
)
STORIES = ("story_put", "story_list", "story_get", "story_remains", "story_changes")
BACKUP: dict[tuple[str, ...], tuple[str, ...]] = {
    (): ("shelf", "survey", "begin backup", "begin verify", "begin record"),
    ("backup/restore",): ("begin restore", "begin swap", "begin discard"),
    ("rehearsal/throwaway",): ("look_around",),
    ("rehearsal/why", "rehearsal/throwaway"): ("begin open_server",),
}
"""What is sent beside `backup/backup`, and its calls.

Left out: `foreign`, `sent`, `once` and `push`, which run a command of the team's; `described` and
`try_version`, which start what a compose file on standard input says; and the copies of backups,
which are read by programs of the host and not by a script.
"""


def calls() -> Iterator[tuple[Parts, str]]:
    """Each script that is let through: its parts, and its call.

    A call is `FUNCTION`, or `begin FUNCTION` under the lock, with any words; else it is let through
    as it is written.
    """
    for proxy in ("caddy", "haproxy"):
        parts = (*(("deploy.remote", name) for name in PARTS), ("deploy.proxy", proxy))
        yield parts, "facts"
        yield from ((parts, f"begin {arrow}") for arrow in LOCKED)
    yield from ((LEASE, one) for one in LEASES)
    yield from ((OF_STORIES, one) for one in STORIES)
    for kind in ("container", "url"):
        access = ((PACKAGE, f"access-{kind}"),)
        yield from ((access, f"{calling(inside)}\n") for inside in INSIDE)
        yield (LIB, *access), f"{guarded(INSIDE[0])}\n"
        for more, names in BACKUP.items():
            files = (*access, *((PACKAGE, name) for name in ("backup/backup", *more)))
            yield from (((LIB, *files), name) for name in names)
    yield ((PACKAGE, "rehearsal/why"),), "why_over"
    yield PULLING, f"{PULL_AND_LOOK}\n"


def known() -> list[str]:
    """The SHA-256 of each script and its call, as `gate.sh` makes it, and of two texts."""
    found = {_sum(_fixed(parts), call) for parts, call in calls()}
    found |= {_sum(text, "") for text in (LOOK, REMOVE)}
    return sorted(found)


def text() -> bytes:
    """The whole of the forced command, as it lies on a host."""
    settings = {"version": VERSION, "known": "\n".join(known())}
    return assemble(settings, [("deploy.remote", "gate")], 'gate "$@"').encode()


def _fixed(parts: Parts) -> str:
    return assemble({}, parts, "").partition(f"\n{CALL}\n")[0]


def _sum(fixed: str, call: str) -> str:
    return hashlib.sha256(f"{fixed}\n{CALL}\n{call}".encode()).hexdigest()

"""What is asked of the load: where, how much, for how long, and in which proportions."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from deploy.errors import UsageError

MOST_RATE = 5000.0
"""Requests per second; one process can't keep its due times far above this, and need not."""
MOST_DURATION = 3600.0
"""Seconds."""
MOST_WEBSOCKETS = 1000


class Kind(StrEnum):
    """What is sent: four kinds of request, and for websockets the handshake and each message."""

    GET = "get"
    """`GET /` on a kept-alive connection."""
    POST = "post"
    """`POST /echo`, answered by the length that arrived, kept alive; never sent twice."""
    FRESH = "fresh"
    """`GET /slow?ms=0` on a connection of its own, with `Connection: close`."""
    SLOW = "slow"
    """`POST /slow?ms=2000` with a body, kept alive: what is in flight when a host is switched."""
    OPEN = "open"
    """A websocket's handshake on `/ws`."""
    MESSAGE = "message"
    """A numbered websocket message, answered by its echo."""


REQUESTS = (Kind.GET, Kind.POST, Kind.FRESH, Kind.SLOW)


@dataclass(frozen=True)
class Options:
    """The load to make.

    `rate` is requests per second in all (1 to 5000; websocket messages come on top), `duration`
    seconds (at most 3600), `websockets` how many are kept open, each sending a message a second.
    `get`, `post`, `fresh` and `slow` are the kinds' shares of the rate, as weights: 0 switches a
    kind off, and the others take over its part.

    The shares as given: GETs for the most part, as on any site; a fifth POSTs, since they are what
    a client must not repeat; 30 fresh connections a second at rate 400, so that each host's
    listener is tried every 0.1 s in a fleet of three; 10 slow POSTs a second at rate 400, which
    makes 20 in flight at any moment.

    Raises:
        UsageError: something is out of bounds, or `url` is not `http://` and a loopback host.
    """

    url: str
    rate: float = 100.0
    duration: float = 60.0
    websockets: int = 20
    get: float = 0.70
    post: float = 0.20
    fresh: float = 0.075
    slow: float = 0.025

    def __post_init__(self) -> None:
        _refuse_foreign(self.url)
        # Written so that NaN is refused as well: every comparison with it is false.
        if not 1 <= self.rate <= MOST_RATE:
            raise UsageError(f"rate {self.rate:g}: between 1 and {MOST_RATE:g} requests per second")
        if not 0 < self.duration <= MOST_DURATION:
            raise UsageError(
                f"duration {self.duration:g}: more than 0 and at most {MOST_DURATION:g} seconds"
            )
        if not 0 <= self.websockets <= MOST_WEBSOCKETS:
            raise UsageError(f"websockets {self.websockets}: between 0 and {MOST_WEBSOCKETS}")
        for kind, share in self.shares.items():
            if not 0 <= share <= MOST_RATE:
                raise UsageError(f"{kind} {share:g}: a share is 0 or a positive number")
        if not any(self.shares.values()) and not self.websockets:
            raise UsageError("every kind of request is switched off: nothing would be sent")

    @property
    def shares(self) -> Mapping[Kind, float]:
        """The weight of each kind of request, those switched off included."""
        return {kind: getattr(self, kind.value) for kind in REQUESTS}

    def sequence(self) -> Iterator[Kind]:
        """Yield the kind of each request in turn, for ever; each kind is spread out evenly.

        Empty if every kind of request is switched off.
        """
        total = sum(self.shares.values())
        wanted = {kind: share / total for kind, share in self.shares.items() if share}
        owed = dict.fromkeys(wanted, 0.0)
        while wanted:
            for kind, share in wanted.items():
                owed[kind] += share
            kind = max(owed, key=owed.__getitem__)
            owed[kind] -= 1
            yield kind


def _refuse_foreign(url: str) -> None:
    """Let only this machine be loaded: nobody else has asked for it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError(f"{url}: not a URL ({error})") from error
    if parts.scheme != "http" or not host or parts.path.strip("/") or parts.query:
        raise UsageError(
            f"{url}: the load needs http://HOST:PORT and nothing after it",
            mend="`inv sandbox.load` without --url takes the sandbox's edge",
        )
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise UsageError(
            f"{url}: {host} is not this machine; the load is sent to 127.0.0.1 and nowhere else",
            state="Nothing has been sent.",
            mend="`inv sandbox.load` without --url takes the sandbox's edge",
        )

"""HAProxy: a backend with both slots of every service, written once and never reloaded.

Which slot is live is a line of a map, `web green`. A roll writes the map's file, from which HAProxy
reads it when it starts, and sets the line in the running process through the runtime API, so that
no connection is closed. The servers find their containers by the slots' names in Docker's DNS.
Works on HAProxy 2.6 and newer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.compose.placement import Rolled

MAP = "/etc/headway/slots.map"
"""Where HAProxy's container sees the map that the host's scripts write."""

_SHARED = """\
# Written by Headway. The runtime API can be reached from within HAProxy's container alone.
global
	stats socket ipv4@127.0.0.1:9999 level admin

resolvers headway
	nameserver docker 127.0.0.11:53
	timeout resolve 1s
	timeout retry 1s
	hold nx 2s
"""
# A name that Docker does not know goes to the resolvers of the outside. What these do not answer at
# all is held for HAProxy's 30 s: a DNS server that is away must not take a live slot down.

_BACKEND = """\
# Written by Headway.
backend {name}
	use-server %[str({name}),map({map},blue)]{number} if TRUE
	option redispatch 1
	default-server resolvers headway init-addr none
	default-server check inter 10s fastinter 1s downinter 500ms fall 2 rise 1
	server-template blue {replicas} {name}-blue:{port}
	server-template green {replicas} {name}-green:{port}
	server-template other {replicas} {name}:{port} backup
"""
# What is dead refuses, and the request goes on to the next server at once (`redispatch`); the check
# is for what answers nothing. Its `inter` is also its time to connect: a busy application takes no
# new connection while the kernel's queue for it is full, and is not to be taken out for that.


def snippets(rolled: Sequence[Rolled]) -> dict[str, str]:
    """File name → text, for `haproxy -f THE-TEAMS-OWN.cfg -f /etc/headway`."""
    return {"headway.cfg": _SHARED} | {
        f"{one.name}.cfg": backend(one) for one in rolled if one.port
    }


def backend(rolled: Rolled) -> str:
    """The backend of one service, named like it.

    A slot's servers are blue1, blue2, …: the map names the slot, and chance one of its replicas.
    The other slot answers when that one is down, and the service's own name when nothing else does:
    a container that dies during the bake, or one that a person made by hand, is found all the same.
    """
    number = f"%[rand({rolled.replicas}),add(1)]" if rolled.replicas > 1 else "1"
    return _BACKEND.format(
        name=rolled.name, map=MAP, number=number, replicas=rolled.replicas, port=rolled.port
    )

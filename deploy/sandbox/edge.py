"""The edge's configuration: what stands for the load balancer or CDN in front of the VPSs. Pure."""

from __future__ import annotations

PORTS = {"": "80", "-plain": "3000 backup"}
"""What the two compose files of the example publish on a host, by the ending of the server's name.

`compose.yaml` publishes its proxy on 80, `compose.plain.yaml` the application on 3000. HAProxy
takes a server for up until its first check, within a second of its own start; as a backup, 3000
gets nothing in that second either while 80 is there.
"""

HEAD = """\
# Written by `inv sandbox.up`. The load on the edge must show what users would see, so nothing here
# mends what a host does wrong.
global
    stats socket /run/haproxy/admin.sock mode 600 level admin

defaults
    mode http
    option http-keep-alive
    option forwardfor
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 60s
    # A websocket, once it is one.
    timeout tunnel 1h
    # HAProxy's default is to knock three times where a connection is refused, which would hide a
    # host that refuses. Requests are never sent again by default, and that stays so.
    retries 0

frontend edge
    bind :80
    default_backend hosts

backend hosts
    balance roundrobin
    option allbackups
    # Whether the port is open, not what is answered there: an application that answers 500 is
    # for Headway to find, and an edge that took such a host out would hide it. Three refusals in a
    # row take a host out, so one slow answer does not; one success brings it back.
    timeout check 2s
    # What a host is too busy for waits here, as at any load balancer. Without a limit each request
    # that waits is one more connection all the way through, and they cost more than the answers.
    timeout queue 60s
    default-server check inter 1s fall 3 rise 1 maxconn 100
"""


def configuration(addresses: dict[str, str]) -> str:
    """HAProxy's configuration for these hosts (name → IPv4 address)."""
    servers = [
        f"    server {name}{ending} {address}:{port}\n"
        for name, address in addresses.items()
        for ending, port in PORTS.items()
    ]
    return HEAD + "".join(servers)

"""Caddy: a snippet with both slots of every service, written once and never reloaded.

Which slot is live is a file in a bound folder, and Caddy's `file` matcher looks for it at each
request. Any change of Caddy's configuration would close idle keep-alive connections and every
websocket, so a roll makes none. Works on Caddy 2.6 and newer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.compose.placement import Rolled

_UPSTREAM = """reverse_proxy {first}:{port} {second}:{port} {name}:{port} {{
	lb_policy first
	lb_try_duration 10s
	lb_try_interval 100ms
	fail_duration 500ms
	transport http {{
		dial_timeout 10s
	}}
}}"""
# One failure marks an upstream as failed, and where nothing stands behind it, Caddy before 2.8
# answers every POST with 503 until the mark is gone: it lasts as long as trying the next two takes.
# A connection that is not taken within Caddy's 3 s means a busy application, not a dead one: the
# kernel refuses for the dead, and Docker forgets their name.


def routes(rolled: Rolled) -> str:
    """The routes of one service, to be imported into the site that serves it.

    The other slot stands behind the live one, and the service's own name behind both: a container
    that dies during the bake, or one that a person made by hand, is found all the same.
    """
    name = rolled.name
    matcher = f"@{name}_green"
    lines = [
        f"{matcher} file {{",
        "\troot /slots",
        f"\ttry_files {name}.green",
        "}",
        f"handle {matcher} {{",
        *_upstream(rolled, f"{name}-green", f"{name}-blue"),
        "}",
        "handle {",
        *_upstream(rolled, f"{name}-blue", f"{name}-green"),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _upstream(rolled: Rolled, first: str, second: str) -> list[str]:
    text = _UPSTREAM.format(first=first, second=second, name=rolled.name, port=rolled.port)
    return [f"\t{line}" for line in text.splitlines()]


def snippets(rolled: Sequence[Rolled]) -> dict[str, str]:
    """File name → text, for a Caddyfile of the team's own: `import /etc/headway/web.caddy`."""
    return {f"{one.name}.caddy": routes(one) for one in rolled if one.port}


def caddyfile(rolled: Sequence[Rolled], listen: dict[str, str]) -> str:
    """Headway's own Caddyfile: one site for each published service.

    Args:
        rolled: the services.
        listen: service → the port that it published, on which Caddy now answers.
    """
    blocks = ["{\n\tauto_https off\n\tadmin localhost:2019\n}\n"]
    for one in rolled:
        if one.port and one.name in listen:
            body = "\n".join(f"\t{line}" for line in routes(one).splitlines())
            blocks.append(f":{listen[one.name]} {{\n{body}\n}}\n")
    return "\n".join(blocks)

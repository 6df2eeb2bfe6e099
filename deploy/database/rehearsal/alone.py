"""A service of the team's compose file, alone beside a throw-away server. Pure.

It has the server's network, which is a loopback and no more, and nothing outside of its container:
no volume, no port, no other service. What it starts with is the team's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

_KEPT = (
    "command",
    "configs",
    "entrypoint",
    "environment",
    "group_add",
    "healthcheck",
    "init",
    "platform",
    "read_only",
    "secrets",
    "security_opt",
    "stop_signal",
    "tmpfs",
    "ulimits",
    "user",
    "working_dir",
)
_URL = re.compile(r"(?P<scheme>[a-z0-9+:]*postgres[a-z0-9+]*)://(?P<rest>.*)", re.DOTALL)
_OF_THE_PLACE = re.compile(
    r"(host|hostaddr|port|dbname|ssl\w*|channel_binding|gssencmode|target_session_attrs)=",
    re.IGNORECASE,
)
"""Parameters of a URL that say where the server is, and how it is spoken to there."""


class NotAlone(Exception):
    """It can't be started so; the message says why, in a few words and without a secret."""


@dataclass(frozen=True)
class Alone:
    """What Compose is given, and as whom the service logs in ("": nobody stands in its URL).

    `secrets` are the URL and its password, which nobody else may know to be secret.
    """

    compose: dict[str, Any] = field(repr=False)
    user: str
    secrets: tuple[str, ...] = field(repr=False)


def alone(
    described: Mapping[str, Any],
    service: str,
    *,
    image: str,
    variable: str,
    database: str,
    box: str,
    memory: int,
) -> Alone:
    """Return what starts a service so.

    Args:
        described: what `docker compose config` says of the release's files, variables filled in.
        service: whose container it is to be.
        image: by digest.
        variable: the name of the variable with the database's URL.
        database: the database's name on the throw-away server.
        box: the throw-away server's container.
        memory: bytes.

    Raises:
        NotAlone: there is no such service or variable, or it is no URL of PostgreSQL.
    """
    body = described.get("services", {}).get(service)
    if body is None:
        raise NotAlone(f"the release's compose file has no service {service}")
    environment = dict(body.get("environment") or {})
    if not environment.get(variable):
        raise NotAlone(f"{service} has no variable {variable} in the release's compose file")
    # Compose fills in variables in whatever it is given, and writes a dollar as two.
    url = str(environment[variable]).replace("$$", "$")
    there = moved(url, variable, database)
    environment[variable] = there.replace("$", "$$")
    kept = {key: body[key] for key in _KEPT if body.get(key) is not None}
    own = {
        **kept,
        "environment": environment,
        "image": image,
        "pull_policy": "never",
        "network_mode": f"container:{box}",
        "restart": "no",
        "mem_limit": str(memory),
        "memswap_limit": str(memory),
        "pids_limit": 512,
        "cpu_shares": 256,
        "oom_score_adj": 900,
        # Wherever the team has its logs sent, nothing leads there.
        "logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "1"}},
    }
    whole: dict[str, Any] = {"services": {service: own}}
    for kind in ("secrets", "configs"):
        names = {one["source"] for one in kept.get(kind, ())}
        if names:
            whole[kind] = {name: described[kind][name] for name in sorted(names)}
    user, password = _login(there)
    return Alone(whole, user, tuple(one for one in (url, there, password) if one))


def moved(url: str, name: str, database: str) -> str:
    """Return a URL of any driver's that leads to a database of the throw-away server.

    Args:
        url: the application's own.
        name: its variable, for messages.
        database: as it is called there.

    Raises:
        NotAlone: it is no URL of PostgreSQL.
    """
    found = _URL.fullmatch(url.strip())
    if not found:
        raise NotAlone(f"{name} is no URL of PostgreSQL")
    rest, _, query = found["rest"].partition("?")
    login, at, _ = rest.partition("/")[0].rpartition("@")
    kept = [part for part in query.split("&") if part and not _OF_THE_PLACE.match(part)]
    more = f"?{'&'.join(kept)}" if kept else ""
    place = f"127.0.0.1:5432/{quote(database, safe='')}"
    return f"{found['scheme']}://{login}{at}{place}{more}"


def _login(url: str) -> tuple[str, str]:
    login = url.partition("://")[2].rpartition("@")[0]
    user, _, password = login.partition(":")
    return unquote(user), unquote(password)

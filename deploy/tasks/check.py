"""`inv check.ENVIRONMENT`: all that a deploy needs, every fault at once, each with its mend.

With `--host-keys`, the keys that the hosts show instead, for a person to compare.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit

from deploy.tasks.edge import Verb, show, situation, verb

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.errors import Fault
    from deploy.settings import Environment
    from deploy.situation import Situation


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Look at everything that a deploy of {name} needs; nothing is changed.",
        help={
            "tag": "look for this image as well",
            "github": "ask GitHub as well: who approves, which branches, which secrets",
            "json": "print the faults, or the keys, as JSON",
            "host-keys": "ask only for the hosts' SSH keys, to compare; nothing is trusted by it",
        },
    )
    def check(
        _c: Context,
        tag: str | None = None,
        github: bool = False,
        json: bool = False,
        host_keys: bool = False,
    ) -> None:
        """Look at everything that a deploy needs; nothing is changed."""
        if host_keys:
            _show_host_keys(root, name, json)
            return
        from deploy.examine import examine

        with situation(root, name, doubtful=True) as one:
            faults = examine(one, tag)
            if github:
                faults += _at_github(one.environment)
        if json:
            print(_as_json(faults))
        else:
            show(_rendered(faults, one))
        if faults:
            # What the user wrote is wrong in itself, and every other verb says so by a 2.
            raise Exit(code=2 if one.misfits else 3)

    return check


def _at_github(environment: Environment) -> list[Fault]:
    from deploy.git import origin
    from deploy.github.api import repository
    from deploy.github.rules import examine, no_repository

    found = repository(os.environ, origin(environment.root))
    return examine(environment, found) if found else [no_repository()]


def _show_host_keys(root: Path, name: str, as_json: bool) -> None:
    from deploy.remote.pool import hosts_of
    from deploy.remote.shown_keys import ask_all
    from deploy.tasks import host_keys

    with situation(root, name, doubtful=True) as one:
        servers = ask_all(hosts_of(one.environment).values())
        file = str(one.environment.ssh.known_hosts)
    if as_json:
        print(json.dumps(host_keys.as_json(servers), indent=2))
    else:
        show(host_keys.rendered(servers, file))
    if not all(server.ready for server in servers):
        raise Exit(code=3)


def _as_json(faults: list[Any]) -> str:
    return json.dumps([vars(fault) for fault in faults], indent=2)


def _rendered(faults: list[Any], found: Situation) -> str:
    if not faults:
        looked = [f"{len(found.hosts)} hosts", "the registry"]
        looked += ["the database"] if found.environment.database else []
        return f"{', '.join(looked)} and the compose file are ready."
    lines = [f"  {fault}" for fault in faults]
    return "\n".join(["Not ready:", *lines, "Nothing has been changed."])

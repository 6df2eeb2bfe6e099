"""`inv setup.ENVIRONMENT`: a key that may run Headway's own scripts on the hosts, nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.exceptions import Exit

from deploy.errors import HeadwayError, NeedsPerson, Refused, UsageError
from deploy.redaction.sink import current
from deploy.tasks.edge import Verb, show, somebody_is_here, verb

if TYPE_CHECKING:
    from invoke.context import Context

    from deploy.setup import Change, Gate, Key
    from deploy.situation import Situation


def make(root: Path, name: str) -> Verb:
    """The task for one environment."""

    @verb(
        name=name,
        doc=f"Let a key run Headway's own scripts on the hosts of {name}, and nothing else.",
        help={
            "public": "the .pub file of the key to limit; without it, renew what such keys may run",
            "key": "a private key that may do everything; without it, that of the hosts file",
            "yes": "do not ask; needed where nobody can answer",
        },
    )
    def setup(_c: Context, public: str = "", key: str = "", yes: bool = False) -> None:
        """Let a key run Headway's own scripts, and nothing else."""
        from deploy.remote.pool import each
        from deploy.setup import Key

        limited = Key.read(Path(public)) if public else None
        one = _situation(root, name, key)
        try:
            gates = {host: _gate(one, host, limited) for host in one.hosts}
            changes = _known(each(one.hosts.values(), lambda host: gates[host.name].look(host)))
            show(_rendered(gates, changes))
            if all(change.nothing for change in changes.values()):
                return
            _refuse_a_lockout(changes)
            if not yes:
                _ask(name)
            todo = [one.hosts[host] for host, change in changes.items() if not change.nothing]
            _told(each(todo, lambda host: gates[host.name].install(host)))
        finally:
            one.close()

    return setup


def _situation(root: Path, name: str, key: str) -> Situation:
    """The environment, reached with another key than its own if one is named."""
    from deploy.settings import load
    from deploy.situation import Situation

    environment = load(root, name, os.environ)
    current().learn(one.reveal() for one in environment.secret_values)
    if key:
        ssh = environment.ssh.model_copy(update={"key": Path(key)})
        environment = environment.model_copy(update={"ssh": ssh})
    return Situation.of(environment)


def _gate(one: Situation, host: str, limited: Key | None) -> Gate:
    """A host's gate; smoke tests ask its proxy through SSH."""
    from deploy.setup import Gate
    from deploy.smoke.way import answering, door

    environment, port = one.environment, None
    if environment.smoke and host in answering(environment, one.placements):
        port = door(environment, one.compose, one.placements[host]).port
    return Gate(environment.app, environment.path, limited, port)


def _known(found: Mapping[str, Change | HeadwayError]) -> dict[str, Change]:
    wrong = [str(error) for error in found.values() if isinstance(error, HeadwayError)]
    if wrong:
        raise Refused("\n".join(wrong))
    return {name: one for name, one in found.items() if not isinstance(one, HeadwayError)}


def _rendered(gates: Mapping[str, Gate], changes: Mapping[str, Change]) -> str:
    lines = []
    for host, change in changes.items():
        gate = gates[host]
        lines += [f"{host}  {line}" for line in change.described(gate)]
        if gate.key is None:
            lines.append(f"{host}  before a key in ~/.ssh/authorized_keys: {gate.options}")
    return "\n".join(lines)


def _refuse_a_lockout(changes: Mapping[str, Change]) -> None:
    hosts = [host for host, change in changes.items() if change.add and change.locked_out]
    if hosts:
        raise Refused(
            f"{', '.join(hosts)}: ~/.ssh/authorized_keys has no other key that may do everything,"
            " and nobody could renew what this one may run",
            mend="Add the key of an administrator first. If sshd reads another file there, type"
            " inv setup without --public, and write the line into that one.",
        )


def _ask(name: str) -> None:
    if not somebody_is_here():
        raise UsageError(
            "nobody is here to be asked",
            state="Nothing has been changed.",
            mend=f"inv setup.{name} --yes",
        )
    try:
        answer = input("Go ahead? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in {"y", "yes"}:
        raise Exit("Nothing has been changed.", code=130)


def _told(outcomes: Mapping[str, Any]) -> None:
    wrong = [str(error) for error in outcomes.values() if isinstance(error, HeadwayError)]
    done = [host for host, one in outcomes.items() if not isinstance(one, HeadwayError)]
    if done:
        show(f"done on {', '.join(done)}")
    if wrong:
        raise NeedsPerson("\n".join(wrong), mend="The same command again does what is left.")

"""The doctor: looks at everything that a deploy needs, and finds every fault at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from deploy import bundle as bundles
from deploy import checks, facts
from deploy.cdn.choose import lacking
from deploy.database.backup.backups import backups_of
from deploy.database.migrations.recorded import recorded
from deploy.errors import Fault, HeadwayError, Refused, SettingsError
from deploy.intent import NoImage, find_images, no_tag
from deploy.pending import database_of
from deploy.remote.pool import each
from deploy.settings import valid_tag
from deploy.smoke.check import faults_of, unreachable
from deploy.telemetry.wanted import lacking as no_traces

if TYPE_CHECKING:
    from deploy.facts import HostFacts
    from deploy.registry import Found
    from deploy.remote.host import Host
    from deploy.situation import Situation


_UNCHANGED = "Nothing has been changed."


def examine(situation: Situation, tag: str | None = None) -> list[Fault]:
    """Return every fault: of the compose file, of the registry, of each host, of the database.

    Args:
        situation: the environment.
        tag: an image to look for; None: only whether the registry answers.
    """
    if tag is not None and not valid_tag(tag):
        raise no_tag(tag)
    environment = situation.environment
    faults = [*situation.misfits, *lacking(environment), *no_traces(os.environ)]
    carried = bundles.Beside({}, frozenset(), {})
    found: dict[str, Found] = {}
    try:
        carried = bundles.beside(environment, situation.compose)
    except SettingsError as error:
        faults += error.faults
    given = bundles.given_values(environment)
    named = bundles.rolled_services(environment, situation.compose)
    values = given | bundles.image_values(situation.compose, named, tag or "latest", given)
    faults += bundles.missing_variables(situation.compose, values, environment)
    try:
        found = find_images(situation, tag or "latest")
    except NoImage as error:
        if tag:
            faults.append(Fault("registry", "", error.message, error.mend))
    except Refused as error:
        faults.append(Fault("registry", "", error.message, error.mend))

    if not situation.misfits:
        faults += faults_of(environment, situation.compose, situation.placements)

    seconds = situation.environment.rollout.script_deadline

    def read(host: Host) -> HostFacts:
        arrows = situation.arrows(host.name, {})
        return facts.read(
            arrows.read("facts", carried.on_hosts, timeout=seconds, of="rollout.script_deadline")
        )

    for name, one in each(list(situation.hosts.values()), read).items():
        if isinstance(one, HeadwayError):
            faults.append(Fault(name, "", getattr(one, "reason", one.message), one.mend))
        else:
            situation.facts[name] = one
            faults += checks.host_faults(
                environment.path,
                {name: one},
                found.values(),
                bound=carried.bound,
                placements=situation.placements,
            )
    reached = {name: situation.hosts[name] for name in situation.facts}
    faults += unreachable(environment, situation.compose, situation.placements, reached)
    return faults + _of_database(situation)


def _of_database(situation: Situation) -> list[Fault]:
    """Ask the database what a deploy asks it, where the host that it is reached from is well."""
    environment = situation.environment
    if environment.database is None:
        return []
    host = environment.database.host or next(iter(environment.hosts))
    read = situation.facts.get(host)
    if read is None or read.docker_problem:
        return []  # that is told, and would only be told once more
    try:
        server = database_of(situation)
        if server is None:
            return []
        backups = backups_of(environment, situation.hosts)
        if environment.backup_required:
            backups.ready()
        else:
            backups.survey()
        if environment.applied_by in {"headway", "command"}:
            recorded(server)
    except HeadwayError as error:
        message = error.message.removeprefix(f"{host}: ")
        # What the server itself says comes last there; a refusal of ours says that it did nothing.
        said = [] if error.state == _UNCHANGED else error.state.splitlines()[-1:]
        return [Fault(host, "database", ": ".join([message, *said]), error.mend)]
    return []

"""What a service of the compose file is to Headway: rolled, run once, dormant, or none of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deploy.compose.file import ComposeFile
    from deploy.settings import Environment


def is_rolled(environment: Environment, service: str) -> bool:
    """Does a deploy replace this service? Those named under `services:`, unless they say no."""
    named = environment.services.get(service)
    return named is not None and named.rolled


def one_shot_services(environment: Environment, compose: ComposeFile) -> dict[str, list[str]]:
    """Service that runs once with each release → the rolled services that wait for its end."""
    found: dict[str, list[str]] = {}
    for name in environment.services:
        if is_rolled(environment, name) and name in compose.services:
            for needed, condition in compose.dependencies(name).items():
                if condition == "service_completed_successfully" and needed in compose.services:
                    found.setdefault(needed, []).append(name)
    return found


def is_dormant(
    environment: Environment, compose: ComposeFile, service: str, values: Mapping[str, str]
) -> bool:
    """Is it a tool of the team's own, kept asleep by a profile that nobody has asked for?

    What the hosts file names, or what runs once, is awake whatever its profiles are.
    """
    profiles = compose.profiles(service)
    if not profiles or service in environment.services:
        return False
    database = environment.database.service if environment.database else None
    if service in {environment.proxy.service, database}:
        return False
    asked = [name.strip() for name in values.get("COMPOSE_PROFILES", "").split(",")]
    return not {*asked} & {*profiles, "*"} and (
        service not in one_shot_services(environment, compose)
    )

"""What is wrong between the sections of a hosts file, though each section alone is right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deploy.settings.database import Database
    from deploy.settings.document import KeyPath
    from deploy.settings.faults import Finding
    from deploy.settings.sections import HostEntry, Lease, Proxy, Service
    from deploy.settings.smoke import Smoke


def between(sections: Mapping[str, Any], name: str) -> Iterator[Finding]:
    """Yield what contradicts itself between those sections that are right by themselves.

    Args:
        sections: the valid values of `HostsFile`, by the name of their field. A section that is not
            in it is not compared with anything: its own fault comes first.
        name: the environment's.
    """
    yield from _hosts(sections.get("hosts", {}))
    if "services" in sections:
        yield from _images(sections.get("image"), sections["services"])
        yield from _placed_elsewhere(sections)
        yield from _rehearsed(sections.get("database"), sections["services"])
        if "hosts" in sections:
            yield from _roles(sections["services"], sections["hosts"])
    if "hosts" in sections and "database" in sections:
        yield from _database(sections["database"], sections["hosts"])
    if "hosts" in sections and "lease" in sections:
        yield from _lease(sections["lease"], sections["hosts"])
    yield from _applied(sections.get("database"), name)
    yield from _smoke(sections.get("smoke"), sections)
    yield from _secrets(sections)


def _hosts(hosts: Mapping[str, HostEntry]) -> Iterator[Finding]:
    seen: dict[tuple[str, int], str] = {}
    for name, host in hosts.items():
        first = seen.setdefault((host.address, host.port), name)
        if first != name:
            message = f"the same as {first}'s, {host.address}"
            yield ("hosts", name, "address"), message, "each host stands here once"


def _roles(services: Mapping[str, Service], hosts: Mapping[str, HostEntry]) -> Iterator[Finding]:
    roles = sorted({role for host in hosts.values() for role in host.roles})
    for name, service in services.items():
        if service.role is not None and service.role not in roles:
            message = f"no host has the role {service.role!r}"
            yield ("services", name, "role"), message, f"the hosts' roles are {', '.join(roles)}"


def _images(image: object, services: Mapping[str, Service]) -> Iterator[Finding]:
    if not isinstance(image, Mapping):
        return
    for name in image:
        if name not in services:
            message = f"there is no service {name!r} under services"
            yield ("image", name), message, f"the services are {', '.join(services)}"
        elif not services[name].rolled:
            yield ("image", name), "is for a service with rolled: false", "leave one of them out"
    for name, service in services.items():
        if service.rolled and name not in image:
            mend = "add it under image, or write rolled: false"
            yield ("services", name), "is rolled, but has no image", mend


def _placed_elsewhere(sections: Mapping[str, Any]) -> Iterator[Finding]:
    """A proxy or a database that rolls would run the application's image."""
    for section in ("proxy", "database"):
        part: Proxy | Database | None = sections.get(section)
        if part is None or part.service is None:
            continue
        service: Service | None = sections["services"].get(part.service)
        if service is not None and service.rolled:
            yield ("services", part.service), f"is the {section}, and can't roll", "leave it out"


def _database(database: Database | None, hosts: Mapping[str, HostEntry]) -> Iterator[Finding]:
    if database is not None and database.host is not None and database.host not in hosts:
        message = f"there is no host {database.host!r}"
        yield ("database", "host"), message, f"the hosts are {', '.join(hosts)}"
    for index, copy in enumerate(database.backup.copy_to if database is not None else ()):
        path: KeyPath = ("database", "backup", "copy_to", index, "host")
        if copy.host is not None and copy.host not in hosts:
            yield path, f"there is no host {copy.host!r}", f"the hosts are {', '.join(hosts)}"
        elif copy.host is not None and database is not None and copy.host == database.host:
            yield path, "is the host of the database itself", "a copy is for when that is gone"


def _rehearsed(database: Database | None, services: Mapping[str, Service]) -> Iterator[Finding]:
    """What is started on a rehearsal's copy runs the application's image, and answers."""
    application = database.rehearsal.application if database is not None else None
    if application is None:
        return
    path: KeyPath = ("database", "rehearsal", "application", "service")
    service = services.get(application.service)
    if service is None:
        message = f"there is no service {application.service!r} under services"
        yield path, message, f"the services are {', '.join(services)}"
    elif not service.rolled or service.port is None:
        message = f"{application.service} is not rolled, or has no port to ask on"
        yield path, message, "name a service that answers"


def _lease(lease: Lease, hosts: Mapping[str, HostEntry]) -> Iterator[Finding]:
    if lease.host is not None and lease.host not in hosts:
        message = f"there is no host {lease.host!r}"
        yield ("lease", "host"), message, f"the hosts are {', '.join(hosts)}"


def _applied(database: Database | None, name: str) -> Iterator[Finding]:
    if database is not None and database.apply.by == "push" and name == "production":
        message = "pushes, and nobody can say beforehand what drizzle-kit push would do"
        mend = "apply migrations in production: leave it out, or write a command"
        yield ("database", "apply"), message, mend


def _smoke(smoke: Smoke | None, sections: Mapping[str, Any]) -> Iterator[Finding]:
    if smoke is None:
        return
    if "url" in sections and sections["url"] is None:
        yield ("smoke",), "there is no url to ask", "write url: https://…"
    services: Mapping[str, Service] = sections.get("services", {})
    for name, probe in smoke.probes.items():
        version = probe.kind == "version"
        if version and services and not any(one.version for one in services.values()):
            path: KeyPath = ("smoke", "probes", name)
            mend = "write services.NAME.version: {path: …, json: …}"
            yield path, "no service says which version it is", mend


def _secrets(sections: Mapping[str, Any]) -> Iterator[Finding]:
    secrets: list[str] = sections.get("secrets", [])
    for index, name in enumerate(secrets):
        if name in secrets[:index]:
            yield ("secrets", index), f"{name} stands here twice", "keep one of them"
    places: list[tuple[KeyPath, Mapping[str, str]]] = [(("env",), sections.get("env", {}))]
    for host, entry in sections.get("hosts", {}).items():
        places.append((("hosts", host, "env"), entry.env))
    for path, env in places:
        for name in env:
            if name in secrets:
                message = "is among the secrets too"
                yield (*path, name), message, "leave one of them out; a secret has no value here"

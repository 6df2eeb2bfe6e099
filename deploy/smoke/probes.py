"""What is asked: the probes of the settings, with what their kind knows and with secrets. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from deploy.settings.smoke import VARIABLE, Expect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.settings import Environment
    from deploy.settings.smoke import SmokeProbe

# What a kind knows, where neither the probe nor a service says otherwise.
_METHODS = {"login": "POST"}
_PATHS = {"home": "/", "login": "/api/login", "health": "/healthz"}
_ON_EVERY_HOST = {"health", "version"}


@dataclass(frozen=True)
class Probe:
    """One request. `version` is the JSON key that must hold the release's tag, or ""."""

    name: str
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    json: Any = field(repr=False)
    per_host: bool
    expect: Expect = field(repr=False)
    version: str = ""

    def of(self, tag: str) -> Probe:
        """The same for a release: where it has a version, that has to be `tag`."""
        if not self.version:
            return self
        values = {**self.expect.json, self.version: tag}
        return replace(self, expect=replace(self.expect, json=values), version="")


def probes_of(environment: Environment) -> list[Probe]:
    """Return the probes of an environment, in the order of its settings."""
    smoke = environment.smoke
    return [_probe(environment, *one) for one in smoke.probes.items()] if smoke else []


def _probe(environment: Environment, name: str, written: SmokeProbe) -> Probe:
    kind = written.kind or ""
    services = environment.services.values()
    path, version = written.path or _PATHS.get(kind, "/"), ""
    if kind == "health" and not written.path:
        path = next((one.health for one in services if one.health), path)
    if kind == "version":
        says = next(one.version for one in services if one.version)
        path, version = written.path or says.path, says.json

    def secret(name: str) -> str:
        return environment.secret(name).reveal()

    expect = written.expect
    return Probe(
        name=name,
        method=written.method or _METHODS.get(kind, "GET"),
        path=filled(path, secret),
        headers=filled(written.headers, secret),
        json=filled(written.json, secret),
        per_host=kind in _ON_EVERY_HOST if written.per_host is None else written.per_host,
        expect=replace(
            expect,
            headers=filled(expect.headers, secret),
            text=filled(expect.text, secret),
            json=filled(expect.json, secret),
        ),
        version=version,
    )


def filled(value: Any, secret: Callable[[str], str]) -> Any:
    """The same with the value of the secret in the place of each `${NAME}`, however deep."""
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: secret(found.group(1)), value)
    if isinstance(value, dict):
        return {key: filled(inner, secret) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, secret) for inner in value]
    return value


def marked(probe: Probe, run: str, *, behind_tls: bool) -> dict[str, str]:
    """The headers that a probe is sent with, in a run's name.

    With `behind_tls` they say what stands before the hosts and speaks TLS to visitors says.
    """
    headers = {"User-Agent": "headway-smoke", "X-Smoke-Test": run, **probe.headers}
    if behind_tls:
        headers.setdefault("X-Forwarded-Proto", "https")
    return headers

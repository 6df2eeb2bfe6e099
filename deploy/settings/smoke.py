"""What a smoke test asks of a site, and what it expects; in `smoke.yaml`, or in the hosts file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from deploy.settings.kinds import (
    Duration,
    FromFolder,
    HeaderName,
    JsonKey,
    ProbeName,
    SecretName,
    WebPath,
    wrong,
)
from deploy.settings.sections import Section

if TYPE_CHECKING:
    from deploy.settings.document import KeyPath

# Dataclasses, since a model could have no key `json`. A strict one would take no mapping: each
# number is strict by itself.
_CONFIG = ConfigDict(extra="forbid", validate_default=True)

Kind = Literal["home", "login", "health", "version"]
Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Scalar = str | int | float | bool | None

VARIABLE = re.compile(r"\$\{([A-Z_][A-Z0-9_]*)\}")
"""Stands for a secret's value."""


@dataclass(frozen=True, config=_CONFIG)
class Expect:
    """What an answer has to be."""

    status: Annotated[int, Field(ge=100, le=599, strict=True)] | None = Field(
        default=None, description="without it, any from 200 to 299"
    )
    headers: dict[HeaderName, str] = Field(default={}, description="text that each has in it")
    text: str | None = Field(default=None, description="what the body has in it")
    json: dict[JsonKey, Scalar] = Field(
        default={}, description="values in the body; dots in a key go deeper"
    )
    max_ms: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        default=None, description="milliseconds until the whole answer is here"
    )
    certificate_days: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        default=None, description="days for which the certificate is valid at least"
    )


@dataclass(frozen=True, config=_CONFIG)
class SmokeProbe:
    """One request; what a kind knows by itself does not have to be written."""

    kind: Kind | None = None
    method: Method | None = Field(default=None, description="GET; of a login POST")
    path: WebPath | None = None
    headers: dict[HeaderName, str] = Field(default={})
    json: Any = Field(default=None, description="the body")
    per_host: Annotated[bool, Field(strict=True)] | None = Field(
        default=None, description="ask every host through its own proxy, instead of the site"
    )
    expect: Expect = field(default_factory=Expect)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.kind is None and self.path is None:
            raise wrong("has neither a kind nor a path", "write path: /…, or kind: home")
        if self.kind == "login" and self.json is None:
            raise wrong("has no body", "write json: {email: …, password: ${SMOKE_PASSWORD}}")
        return self


class Smoke(Section):
    """The smoke tests of an environment. Durations are in seconds."""

    probes: dict[ProbeName, SmokeProbe] = Field(
        default={}, examples=["{home: {kind: home}, health: {kind: health}}"]
    )
    retries: Annotated[int, Field(ge=0, le=10)] = Field(
        default=2, description="for a connection that fails and for 5xx, and for nothing else"
    )
    timeout: Annotated[Duration, Field(gt=0)] = 10.0
    deadline: Annotated[Duration, Field(gt=0)] = 120.0
    journeys: FromFolder | None = Field(
        default=None, description="a folder of journeys, which run in a browser"
    )
    journey_timeout: Annotated[Duration, Field(gt=0)] = 60.0
    secrets: list[SecretName] = Field(
        default=[], description="NAMES of secrets that journeys may ask for"
    )
    strict: bool | None = Field(
        default=None,
        description="what can't be tried has failed; without it, in production alone",
    )

    @property
    def named(self) -> Iterator[tuple[KeyPath, str]]:
        """The names of its secrets, each with the path that names it."""
        for index, name in enumerate(self.secrets):
            yield ("smoke", "secrets", index), name
        for name, probe in self.probes.items():
            parts = {
                "path": probe.path,
                "headers": probe.headers,
                "json": probe.json,
                "expect": {
                    "headers": probe.expect.headers,
                    "text": probe.expect.text,
                    "json": probe.expect.json,
                },
            }
            yield from _variables(parts, ("smoke", "probes", name))


def _variables(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        for found in VARIABLE.finditer(value):
            yield path, found.group(1)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _variables(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _variables(inner, (*path, index))

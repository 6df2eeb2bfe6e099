"""The sections of a hosts file, as frozen values; `hosts/reference.yaml` explains every key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)
from pydantic.dataclasses import dataclass

from deploy.settings.kinds import (
    Address,
    Duration,
    FromFolder,
    HostName,
    ImageName,
    JsonKey,
    Login,
    Port,
    RegistryServer,
    Role,
    SecretName,
    ServiceName,
    User,
    Variable,
    VariableName,
    WebPath,
    shown,
    wrong,
)

# Strict: `true` is no number and "3000" is no port. Defaults, and the sections that are defaults,
# are validated as if they were written: relative paths among them become absolute.
_CONFIG = ConfigDict(
    frozen=True,
    extra="forbid",
    strict=True,
    validate_default=True,
    revalidate_instances="always",
)


class Section(BaseModel):
    """What all sections have in common."""

    model_config = _CONFIG


class Registry(Section):
    """Where the images come from, and the login there."""

    server: RegistryServer = Field(examples=["ghcr.io"])
    username: Login = Field(examples=["acme"])
    password: SecretName = Field(
        description="the NAME of the secret that is the password", examples=["REGISTRY_TOKEN"]
    )


class Gateway(Section):
    """The host that SSH goes through."""

    address: Address = Field(examples=["bastion.example"])
    port: Port = 22
    user: User | None = None


def _gateway(value: object) -> object:
    """Take `user@host:port` apart; an IPv6 address with a port stands in brackets."""
    if not isinstance(value, str):
        return value
    user, at, rest = value.rpartition("@")
    host, colon, port = rest.rpartition(":")
    if not colon or (":" in host.strip("[]") and not host.endswith("]")):
        host, port = rest, "22"
    if not host or not port.isascii() or not port.isdigit() or (at and not user):
        raise wrong(f"is {shown(value)}, expected user@address:port or a part of it")
    return {"address": host.strip("[]"), "port": int(port), "user": user or None}


class SSH(Section):
    """How the hosts are reached."""

    user: User = "deploy"
    key: FromFolder | None = Field(
        default=None, description="a private key; without it, the agent and ~/.ssh are tried"
    )
    known_hosts: FromFolder = Path("known_hosts")
    gateway: Annotated[
        Gateway | None, BeforeValidator(_gateway, json_schema_input_type=str | Gateway | None)
    ] = None
    config: bool = Field(default=False, description="read ~/.ssh/config as well")
    connect_timeout: Annotated[Duration, Field(gt=0)] = 10.0
    handshake_timeout: Annotated[Duration, Field(gt=0)] = 15.0


class HostEntry(Section):
    """One VPS."""

    address: Address = Field(examples=["203.0.113.11"])
    port: Port = 22
    roles: Annotated[list[Role], Field(min_length=1)] = Field(examples=["[web]"])
    user: User | None = Field(default=None, description="instead of ssh.user")
    env: dict[VariableName, Variable] = Field(
        default={}, description="more lines of this host's .env"
    )


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class VersionProbe:
    """Where the application says which version it is. A model could have no key `json`."""

    path: WebPath = Field(examples=["/healthz"])
    json: JsonKey = Field(description="the key in the JSON; dots go deeper", examples=["version"])


class Service(Section):
    """A service of the compose file, and how it rolls. Durations are in seconds."""

    role: Role | None = Field(
        default=None, description="the hosts that run it; without it, all of them"
    )
    rolled: bool = Field(default=True, description="whether it runs the application's image")
    order: Literal["start-first", "stop-first"] | None = None
    port: Port | None = Field(default=None, description="where it answers HTTP in its container")
    health: WebPath | None = None
    probes: list[WebPath] = Field(default=[], description="more paths that must answer 2xx or 3xx")
    version: VersionProbe | None = None
    drain: Duration = 30.0

    @property
    def effective(self) -> Literal["start-first", "stop-first"]:
        """The order as written; else start-first for what answers on a port, as it can overlap."""
        return self.order or ("stop-first" if self.port is None else "start-first")

    @model_validator(mode="after")
    def _has_a_port(self) -> Self:
        for key in ("health", "probes", "version"):
            if self.port is None and getattr(self, key):
                raise wrong(f"has {key}, but no port to ask on", "write port:")
        return self


class Rollout(Section):
    """How a roll walks over the hosts. Durations are in seconds."""

    strategy: Literal["rolling", "blue-green"] = "rolling"
    canary: Annotated[int, Field(ge=0)] = 1
    max_parallel: Annotated[int, Field(ge=1)] = 1
    min_healthy_time: Duration = 5.0
    healthy_deadline: Annotated[Duration, Field(gt=0)] = 60.0
    probe_timeout: Annotated[Duration, Field(gt=0)] = 5.0
    probe_deadline: Duration = 10.0
    bake: Duration = 10.0
    pull_deadline: Annotated[Duration, Field(gt=0)] = 900.0
    stop_deadline: Annotated[Duration, Field(gt=0)] = 60.0
    script_deadline: Annotated[Duration, Field(ge=30)] = 120.0
    reconnect_deadline: Annotated[Duration, Field(gt=0)] = 60.0
    progress_deadline: Annotated[Duration, Field(gt=0)] = 3600.0
    auto_revert: bool = True
    keep_releases: Annotated[int, Field(ge=2)] = Field(
        default=5, description="2 at least: what runs, and what rollback goes to"
    )

    @model_validator(mode="after")
    def _can_become_healthy(self) -> Self:
        if self.min_healthy_time >= self.healthy_deadline:
            raise wrong(
                f"min_healthy_time ({self.min_healthy_time:g} s) leaves no time before "
                f"healthy_deadline ({self.healthy_deadline:g} s)",
                "make healthy_deadline longer",
            )
        return self


class Lease(Section):
    """Who may change the environment. Durations are in seconds."""

    host: HostName | None = Field(
        default=None, description="which host keeps it; without it, the first one"
    )
    expires_after: Annotated[Duration, Field(ge=5)] = 40.0
    answer_timeout: Annotated[Duration, Field(gt=0)] = 30.0


class Proxy(Section):
    """What stands before the slots of a host."""

    kind: Literal["caddy", "own-caddy", "haproxy"] = "caddy"
    service: ServiceName | None = None
    image: ImageName = "caddy:2"

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        written = self.model_fields_set
        if self.kind == "caddy" and self.service is not None:
            raise wrong("service is only for own-caddy and haproxy", "leave one of them out")
        if self.kind != "caddy" and "image" in written:
            raise wrong("image is only for kind: caddy", "your compose file names the image")
        if self.kind != "caddy" and self.service is None:
            raise wrong(
                f"{self.kind} needs the name of its service in the compose file",
                f"write proxy: {{kind: {self.kind}, service: NAME}}",
            )
        return self


def proxy_in_short(value: object) -> object:
    """Take `proxy: caddy` for `proxy: {kind: caddy}`."""
    return {"kind": value} if isinstance(value, str) else value

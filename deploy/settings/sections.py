"""The sections of a hosts file, as frozen values; `hosts/reference.yaml` explains every key."""

from __future__ import annotations

import re
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
    AgeKey,
    ClientImage,
    CopyFolder,
    Duration,
    FromFolder,
    HostName,
    ImageName,
    ImagePath,
    JsonKey,
    Login,
    Port,
    RegistryServer,
    Role,
    SecretName,
    ServiceName,
    ShellCommand,
    Size,
    User,
    Variable,
    VariableName,
    WebPath,
    at_least,
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
    bake: Duration = 10.0
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


class Copy(Section):
    """Where a copy of each backup goes before anything is migrated."""

    to: Literal["local", "host", "command"]
    host: HostName | None = None
    folder: CopyFolder | None = None
    command: ShellCommand | None = Field(
        default=None, description="reads the copy; {name} is the file's name"
    )
    read_back: ShellCommand | None = Field(
        default=None, description="prints the copy, so that its checksum can be compared"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        wanted = {"local": ["folder"], "host": ["host", "folder"], "command": ["command"]}[self.to]
        allowed = [*wanted, "read_back"] if self.to == "command" else wanted
        for key in ("host", "folder", "command", "read_back"):
            given = getattr(self, key) is not None
            if key in wanted and not given:
                raise wrong(f"goes to {self.to}, but has no {key}", f"write {key}:")
            if given and key not in allowed:
                raise wrong(f"goes to {self.to}, which takes no {key}", "leave one of them out")
        if self.to == "host" and not str(self.folder).startswith("/"):
            raise wrong(f"is {shown(self.folder)}, expected an absolute folder on {self.host}")
        return self


class Backup(Section):
    """The backup before each migration, and by hand. Durations are in seconds."""

    required: bool | None = Field(
        default=None, description="without it, true for the environment named production"
    )
    keep: Annotated[int, Field(ge=2)] = 5
    timeout: Annotated[Duration, Field(gt=0)] = 3600.0
    copy_to: list[Copy] = []
    encrypt_to: AgeKey | None = Field(
        default=None, description="an age public key; a copy is encrypted before it leaves"
    )
    command: ShellCommand | None = Field(
        default=None, description="instead of pg_dump, for what is too large for it"
    )
    verify: ShellCommand | None = Field(
        default=None, description="exits with 0 when what command made is good"
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.verify and not self.command:
            raise wrong("has verify, but no command", "a dump is verified by itself")
        if self.command and self.copy_to:
            raise wrong("has command and copy_to", "let your command make the copies")
        if self.encrypt_to and not self.copy_to:
            raise wrong("has encrypt_to, but no copy_to", "only what leaves the host is encrypted")
        return self


class Rehearsal(Section):
    """What is done to the database, done first to a server that is thrown away.

    Sizes are in bytes, durations in seconds.
    """

    mode: Literal["data", "schema", "off"] | None = Field(
        default=None,
        description="without it, data where a backup is required, and else schema",
    )
    max_size: Size = Field(
        default=20_000_000_000, description="of a database; the schema has to do for a larger one"
    )
    memory: Annotated[Size, at_least("128MB")] = 1_000_000_000
    disk: Annotated[Size, at_least("500MB")] | None = Field(
        default=None, description="without it, 400 MB and 2.5 times what the database has"
    )
    timeout: Annotated[Duration, Field(gt=0)] = 1800.0


_PUSH = "npx drizzle-kit push"
_IS_PUSH = re.compile(r"\bdrizzle-kit\b[^;&|\n]*\s[\"']?push(:pg)?[\"']?(?![^\s\"';&|])")
_FORCE = re.compile(r"(?<!\S)[\"']?--force\b")


class Apply(Section):
    """What applies the migrations. Durations are in seconds."""

    by: Literal["headway", "command", "push"] = "headway"
    command: ShellCommand | None = Field(
        default=None,
        description=f"runs in a one-off container of the new image; for push, {_PUSH} without it",
    )
    timeout: Annotated[Duration, Field(gt=0)] = 900.0

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.by == "headway":
            for key in ("command", "timeout"):
                if key in self.model_fields_set:
                    raise wrong(f"has {key}, and Headway applies", "write by: command, or push")
            return self
        if self.by == "command" and self.command is None:
            raise wrong("is by command, but has no command", "write command:")
        if self.by == "command" and _IS_PUSH.search(str(self.command)):
            mend = "write by: push, or let it run drizzle-kit migrate"
            raise wrong("has drizzle-kit push as its command, which applies no migrations", mend)
        if self.by == "push" and _FORCE.search(str(self.command)):
            mend = "leave --force out: what push then asks makes the deploy fail instead"
            raise wrong("has --force, with which drizzle-kit push empties tables", mend)
        return self

    @property
    def typed(self) -> str:
        """The command; "" where Headway applies."""
        return self.command or ("" if self.by == "headway" else _PUSH)


def _apply_in_short(value: object) -> object:
    """Take `apply: push` for `{by: push}`, and a command alone for one that is to be run."""
    if isinstance(value, str):
        return {"by": value}
    if isinstance(value, dict) and "command" in value and "by" not in value:
        return {"by": "command", **value}
    return value


class Database(Section):
    """The database, and who migrates it. Durations are in seconds."""

    kind: Literal["postgres"] = Field(examples=["postgres"])
    url: SecretName | None = Field(
        default=None, description="the NAME of the secret that is its URL"
    )
    service: ServiceName | None = None
    host: HostName | None = Field(
        default=None,
        description="the host that runs the service, or that reaches the URL; "
        "for a URL the first one without it",
    )
    image: ClientImage = Field(
        default="postgres:{major}",
        description="PostgreSQL's programs for a URL; {major} is the server's version",
    )
    migrations: Literal["drizzle"] | None = None
    folder: ImagePath | None = Field(
        default=None, description="the migrations in the image; without it, found by their journal"
    )
    apply: Annotated[
        Apply,
        BeforeValidator(_apply_in_short, json_schema_input_type=Literal["headway", "push"] | Apply),
    ] = Apply()
    lock_timeout: Annotated[Duration, Field(gt=0)] = 5.0
    statement_timeout: Annotated[Duration, Field(gt=0)] = 600.0
    backup: Backup = Backup()
    rehearsal: Rehearsal = Rehearsal()

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.service and not self.host:
            raise wrong("has service, but no host", "write host:")
        if self.host and not (self.service or self.url):
            raise wrong("has host, but no service", "write service:, or url:")
        if "image" in self.model_fields_set and self.url is None:
            raise wrong("has image, but no url", "a service has its programs in its own image")
        if "backup" in self.model_fields_set and not (self.service or self.url):
            raise wrong("has backup, but no way to the database", "write service: and host:")
        if "rehearsal" in self.model_fields_set and not self.migrations:
            raise wrong("has rehearsal, but no migrations", "write migrations: drizzle")
        if self.migrations and not (self.service or self.url):
            raise wrong("has migrations, but no way to the database", "write service: and host:")
        if self.folder and not self.migrations:
            raise wrong("has folder, but no migrations", "write migrations: drizzle")
        if "apply" in self.model_fields_set and not self.migrations:
            raise wrong("has apply, but no migrations", "write migrations: drizzle")
        for key in ("folder", "rehearsal"):
            if self.apply.by == "push" and key in self.model_fields_set:
                raise wrong(f"has {key}, and push knows no migrations", "leave one of them out")
        return self

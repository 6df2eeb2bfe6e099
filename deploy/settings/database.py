"""The section of a hosts file on the database, and those within it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from deploy.settings.kinds import (
    AgeKey,
    ClientImage,
    CopyFolder,
    Duration,
    HostName,
    ImagePath,
    SecretName,
    ServiceName,
    ShellCommand,
    Size,
    VariableName,
    at_least,
    shown,
    wrong,
)
from deploy.settings.sections import Section


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
    copy_to: list[Copy] = Field(default=[])
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


class Application(Section):
    """The running version, started on the copy and asked there. Its memory is in bytes."""

    service: ServiceName = Field(examples=["web"])
    url: VariableName = Field(
        examples=["DATABASE_URL"],
        description="the NAME of the service's variable that has the database's URL",
    )
    memory: Annotated[Size, at_least("32MB")] = 500_000_000


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
    application: Application | None = Field(
        default=None, description="the running version is started there, too"
    )

    @model_validator(mode="after")
    def _is_held(self) -> Self:
        if self.mode == "off" and self.application:
            raise wrong("has application, and is off", "leave one of them out")
        return self


_PUSH = "npx drizzle-kit push"
_IS_PUSH = re.compile(r"\bdrizzle-kit\b[^;&|\n]*\s[\"']?push(:pg)?[\"']?(?![^\s\"';&|])")
_IS_MIGRATE = re.compile(r"\bdrizzle-kit\b[^;&|\n]*\s[\"']?migrate[\"']?(?![^\s\"';&|])")
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

    @property
    def drizzle_kit(self) -> bool:
        """Whether it is drizzle-kit migrate, which runs all files in one transaction."""
        return self.by == "command" and _IS_MIGRATE.search(str(self.command)) is not None


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
    downs: Literal["required", "optional"] | None = Field(
        default=None, description="without it, required in the environment named production"
    )
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
        for key in ("downs", "rehearsal"):
            if key in self.model_fields_set and not self.migrations:
                raise wrong(f"has {key}, but no migrations", "write migrations: drizzle")
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


def downs_required(environment: str, written: object) -> bool:
    """Tell whether each migration must have a way back, as written, or by the name."""
    return environment == "production" if written is None else written == "required"

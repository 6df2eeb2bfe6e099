"""A whole hosts file, and the environment that it makes."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationInfo,
    field_validator,
)

from deploy.errors import Fault, SettingsError
from deploy.settings.cdn import CDN
from deploy.settings.database import Database, downs_required
from deploy.settings.kinds import (
    AppName,
    Context,
    FileBeside,
    FromFolder,
    FromRoot,
    HostName,
    HostPath,
    Person,
    Repository,
    SecretName,
    ServiceName,
    Url,
    Variable,
    VariableName,
)
from deploy.settings.notify import Notify
from deploy.settings.secret import Secret
from deploy.settings.sections import (
    SSH,
    HostEntry,
    Lease,
    Proxy,
    Registry,
    Rollout,
    Section,
    Service,
    proxy_in_short,
)
from deploy.settings.smoke import Smoke


def _by_service(value: object) -> str:
    return "<by service>" if isinstance(value, dict) else "<one>"


class HostsFile(Section):
    """All keys of a `hosts/ENVIRONMENT.yaml`."""

    app: AppName = Field(examples=["shop"])
    path: HostPath = Field(
        default="/srv/{app}", description="the application's folder on every host"
    )
    compose: FromRoot = Path("compose.yaml")
    image: Annotated[
        Annotated[Repository, Tag("<one>")]
        | Annotated[dict[ServiceName, Repository], Field(min_length=1), Tag("<by service>")],
        Discriminator(_by_service),
    ] = Field(examples=["ghcr.io/acme/shop"])
    registry: Registry | None = None
    url: Url | None = Field(default=None, description="where the site answers")
    env: dict[VariableName, Variable] = Field(default={}, description="lines of every host's .env")
    secrets: list[SecretName] = Field(
        default=[], description="NAMES of secrets for every host's .env"
    )
    files: list[FileBeside] = Field(default=[], description="what goes beside the compose file")
    ssh: SSH = SSH()
    hosts: Annotated[
        dict[HostName, HostEntry],
        Field(min_length=1),
        BeforeValidator(lambda v: v, json_schema_input_type=str | dict[str, HostEntry]),
    ] = Field(examples=["{web-1: {address: 203.0.113.11, roles: [web]}}"])
    services: Annotated[dict[ServiceName, Service], Field(min_length=1)] = Field(
        examples=["{web: {port: 3000}}"]
    )
    rollout: Rollout = Rollout()
    proxy: Annotated[
        Proxy, BeforeValidator(proxy_in_short, json_schema_input_type=Literal["caddy"] | Proxy)
    ] = Proxy()
    database: Database | None = None
    lease: Lease = Lease()
    approvers: list[Person] = Field(
        default=[], description="who approves a deploy; never the one who ordered it"
    )
    smoke: Annotated[
        Smoke | None,
        BeforeValidator(lambda v: v, json_schema_input_type=str | Smoke | None),
    ] = Field(default=None, description="what a deploy asks of the site afterwards")
    cdn: CDN = CDN()
    notify: Notify = Notify()
    dotenv: FromFolder = Field(
        default=Path("../.env.{environment}"),
        description="where the secrets are that are not in the environment",
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _keep(cls, value: Any, handler: Callable[[Any], Any], info: ValidationInfo) -> Any:
        """Remember what is right, so that it can be compared though other sections are wrong."""
        valid = handler(value)
        context: Context | None = info.context
        if context is not None and info.field_name is not None:
            context.sections[info.field_name] = valid
        return valid


class Environment(HostsFile):
    """One environment: its hosts file with absolute paths, and its secrets."""

    name: str
    file: Path
    root: Path
    _secrets: dict[str, Secret] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(
        cls, written: HostsFile, *, name: str, file: Path, root: Path, secrets: dict[str, Secret]
    ) -> Self:
        """Return the environment that a valid hosts file makes.

        Args:
            written: the hosts file.
            name: the environment's name.
            file: the hosts file's path.
            root: the repository.
            secrets: all that it names, by name.
        """
        environment = cls.model_construct(**dict(written), name=name, file=file, root=root)
        environment._secrets = dict(secrets)
        return environment

    def image_of(self, service: str) -> str | None:
        """Return the repository, without a tag, of a rolled service; None for any other."""
        entry = self.services.get(service)
        if entry is None or not entry.rolled:
            return None
        return self.image if isinstance(self.image, str) else self.image.get(service)

    @property
    def lease_host(self) -> str:
        """The host that keeps the lease, whichever hosts a run is about."""
        return self.lease.host or next(iter(self.hosts))

    @property
    def backup_required(self) -> bool:
        """Whether nothing is migrated without a backup: as written, else in production alone."""
        if self.database is None:
            return False
        written = self.database.backup.required
        return self.name == "production" if written is None else written

    @property
    def downs_required(self) -> bool:
        """Must each migration have a way back? As written, and else in production alone."""
        return downs_required(self.name, self.database.downs if self.database else "optional")

    @property
    def rehearsal_mode(self) -> str:
        """Where migrations are rehearsed: on data, on the schema alone, or not at all (off).

        As written; else on the data of the backup where one is required, and else on the schema.
        """
        if self.database is None:
            return "off"
        written = self.database.rehearsal.mode
        return written or ("data" if self.backup_required else "schema")

    @property
    def smoke_strict(self) -> bool:
        """Whether a smoke test that can't be tried counts as failed.

        As written; else in production alone.
        """
        written = self.smoke.strict if self.smoke else None
        return self.name == "production" if written is None else written

    @property
    def applied_by(self) -> str:
        """What changes the schema: headway, command or push; "" where nothing does."""
        if self.database is None or self.database.migrations is None:
            return ""
        return self.database.apply.by

    @property
    def secret_values(self) -> list[Secret]:
        """Every secret that the hosts file names."""
        return list(self._secrets.values())

    def secret(self, name: str) -> Secret:
        """Return a secret that the hosts file names.

        Raises:
            SettingsError: the hosts file doesn't name it.
        """
        if name in self._secrets:
            return self._secrets[name]
        where = str(self.file.relative_to(self.root)) if self.file.is_relative_to(self.root) else ""
        fault = Fault(where, "secrets", f"{name} is not among them", f"add {name} to secrets")
        raise SettingsError([fault])

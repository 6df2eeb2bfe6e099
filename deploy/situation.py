"""An environment as it is: its settings, its compose file, its hosts, and what is on them."""

from __future__ import annotations

import getpass
import hashlib
import platform
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from deploy import facts as facts_module
from deploy.bundle import OF_EACH_HOST, given_values
from deploy.checks import HASH_WITHOUT_DEPENDENCIES_FIXED, START_INTERVAL_KNOWN, version
from deploy.compose import file as compose_file
from deploy.compose.override import override, slots_network
from deploy.compose.placement import HEADWAY_PROXY, Placement, place
from deploy.errors import Fault, HeadwayError, Refused, SettingsError
from deploy.lease.keeper import Keeper
from deploy.plan import Wanted
from deploy.release import dotenv
from deploy.remote.arrows import Arrows
from deploy.remote.pool import each, hosts_of

if TYPE_CHECKING:
    from deploy.bundle import Beside
    from deploy.compose.file import ComposeFile
    from deploy.facts import HostFacts
    from deploy.release import Release
    from deploy.remote.host import Host
    from deploy.settings import Environment
    from deploy.smoke.result import Result

_LOCK_WAIT = 120
"""Seconds that a script waits for another one on its host: longer than most arrows take."""

_SCRIPT = "rollout.script_deadline"


def whoami(environ: Mapping[str, str]) -> str:
    """Who orders this: the person at a keyboard, or who started the workflow, or has again."""
    actor = environ.get("GITHUB_TRIGGERING_ACTOR") or environ.get("GITHUB_ACTOR")
    if actor:
        return f"{actor}@github"
    return f"{getpass.getuser()}@{platform.node()}"


def new_run() -> str:
    """A name for a run, which begins with the time, so that names sort as what they name."""
    return f"d-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


@dataclass
class Situation:
    """One environment with its open hosts. `facts` is empty until `gather`."""

    environment: Environment
    compose: ComposeFile
    placements: dict[str, Placement]
    hosts: Mapping[str, Host]
    facts: dict[str, HostFacts] = field(default_factory=dict)
    fence: int = 0
    """The number of the lease under which this environment is changed; 0 without one."""
    run: str = field(default_factory=new_run)
    """Names what is done in this process."""
    tested: list[Result] = field(default_factory=list)
    """What came of the smoke tests of a run, in the order in which they were asked."""
    left_out: tuple[str, ...] = ()
    """The hosts that are left as they are, whatever that is."""
    untried: tuple[Fault, ...] = ()
    """What keeps a smoke test from being tried, where a deploy goes on all the same."""
    misfits: tuple[Fault, ...] = ()
    """Why nobody can say what belongs where: nothing is placed then, and nothing can be done."""

    @classmethod
    def of(cls, environment: Environment, *, doubtful: bool = False) -> Situation:
        """Read the compose file and say what belongs where; no host is spoken to yet.

        Args:
            environment: the settings.
            doubtful: what does not fit is kept in `misfits`, for whoever looks at the rest too.

        Raises:
            SettingsError: the compose file and the hosts file do not fit together.
        """
        hosts = hosts_of(environment)
        compose = compose_file.nothing(environment.compose)
        try:
            compose = compose_file.read(environment.compose, environment.root)
            placements = place(environment, compose, given_values(environment))
        except SettingsError as error:
            if not doubtful:
                raise
            return cls(environment, compose, {}, hosts, misfits=error.faults)
        return cls(environment, compose, placements, hosts)

    def only(self, names: Sequence[str]) -> Situation:
        """The same with these hosts alone, before any is spoken to; others may even be down.

        The host that keeps the lease and the one that the database is reached from are read all the
        same, and nothing of the application is touched there.
        """
        asked = {*names, self.environment.lease_host}
        if self.environment.database:
            asked.add(self.environment.database.host or next(iter(self.environment.hosts)))
        return replace(
            self,
            placements={host: one for host, one in self.placements.items() if host in names},
            hosts={host: one for host, one in self.hosts.items() if host in asked},
            left_out=(*self.left_out, *(host for host in self.placements if host not in names)),
        )

    def close(self) -> None:
        """End all connections."""
        for host in self.hosts.values():
            host.close()

    def gather_what_answers(self, since: str = "") -> dict[str, HeadwayError]:
        """Read the hosts that can be read, and keep what was found.

        Args:
            since: read the journals back to then, as `2026-01-02T03:04:05Z`, or further.

        Returns:
            Host → why it can't be read.

        Raises:
            Refused: none of them can.
        """
        found = self.read(since=since)
        self.facts = {host: one for host, one in found.items() if not isinstance(one, HeadwayError)}
        if not self.facts:
            raise Refused("\n".join(map(str, found.values())))
        return {host: one for host, one in found.items() if isinstance(one, HeadwayError)}

    def gather(
        self, on_hosts: Sequence[str] = (), *, conclude: Mapping[str, str] | None = None
    ) -> dict[str, HostFacts]:
        """Read every host, all at once, and keep what was found.

        Args:
            on_hosts: paths in the application's folder that must be there.
            conclude: the settings of a run that has come to its end, which the hosts write down.

        Raises:
            Refused: a host cannot be read; all of those are named.
        """
        found = self.read(on_hosts, conclude=conclude)
        wrong = [error for error in found.values() if isinstance(error, HeadwayError)]
        if wrong:
            raise Refused("\n".join(str(error) for error in wrong))
        read = {name: one for name, one in found.items() if not isinstance(one, HeadwayError)}
        self.facts = {**self.facts, **read}
        return self.facts

    def read(
        self,
        on_hosts: Sequence[str] = (),
        *,
        conclude: Mapping[str, str] | None = None,
        since: str = "",
    ) -> dict[str, HostFacts | HeadwayError]:
        """The same, where a host that can't be read is no reason not to know of the others."""
        seconds = self.environment.rollout.script_deadline

        def one(host: Host) -> HostFacts:
            if conclude is None:
                asked = self.arrows(host.name, {"journal_since": since})
                lines = asked.read("facts", on_hosts, timeout=seconds, of=_SCRIPT)
                return facts_module.read(lines)
            # A recovery that goes back after all asks twice.
            token = f"{conclude['deploy']}.{conclude['verb']}.conclude"
            report = self.arrows(host.name, conclude).send(
                "conclude", on_hosts, token=token, timeout=seconds, of=_SCRIPT
            )
            return facts_module.understand(report)

        # What has come to its end has done so where it took place.
        hosts = self.hosts if conclude is None else self.placements
        return each([self.hosts[name] for name in hosts], one)

    @property
    def keeper(self) -> Keeper:
        """The host that keeps this environment's lease."""
        environment = self.environment
        arrows = self.arrows(environment.lease_host, {})
        lease = environment.lease
        return Keeper(arrows, lease.expires_after, lease.answer_timeout)

    def bar(self) -> None:
        """Wait on every host for what is still at work there, and bar what has an older lease.

        Raises:
            Refused: a host can't be asked; all of those are named.
        """
        token = f"{self.run}.fence"

        def one(host: Host) -> None:
            # A lock for each kind of script: roll, backup, rehearsal, migrate.
            self.arrows(host.name, {}).send("bar", token=token, timeout=_LOCK_WAIT * 4 + 30)

        found = each(list(self.hosts.values()), one)
        wrong = [error for error in found.values() if isinstance(error, HeadwayError)]
        if wrong:
            raise Refused("\n".join(str(error) for error in wrong))

    @property
    def registry_password(self) -> str:
        """The registry's password in the clear, "" without a registry; for standard input alone."""
        registry = self.environment.registry
        return self.environment.secret(registry.password).reveal() if registry else ""

    def arrows(self, host: str, settings: Mapping[str, str]) -> Arrows:
        """What sends scripts to a host; `settings` are those of a run."""
        environment = self.environment
        rollout = environment.rollout
        facts = self.facts.get(host)
        new_compose = facts and version(facts.compose) >= HASH_WITHOUT_DEPENDENCIES_FIXED
        own = environment.proxy.kind == "caddy"
        common = {
            "dir": environment.path,
            "project": environment.app,
            "network": slots_network(environment),
            "release": "",
            "deploy": "",
            "verb": "",
            "by": "",
            "commit": "",
            "journal_since": "",
            "token": "",
            "lock_wait": str(_LOCK_WAIT),
            "fence": str(self.fence),
            "keep": str(rollout.keep_releases),
            "no_deps": "--no-deps" if new_compose else "",
            "site": environment.url or "http://localhost",
            "proxy_service": HEADWAY_PROXY if own else str(environment.proxy.service),
            "min_healthy": _hundredths(rollout.min_healthy_time),
            "healthy_deadline": _hundredths(rollout.healthy_deadline),
            "probe_timeout": _hundredths(rollout.probe_timeout),
            "probe_deadline": _hundredths(rollout.probe_deadline),
            "bake": _hundredths(rollout.bake),
            "registry": environment.registry.server if environment.registry else "",
            "registry_user": environment.registry.username if environment.registry else "",
        }
        part = "haproxy" if environment.proxy.kind == "haproxy" else "caddy"
        return Arrows(
            self.hosts[host],
            common | dict(settings),
            part,
            ask_again_for=rollout.reconnect_deadline,
        )

    def files(
        self, host: str, release: Release, values: Mapping[str, str], shipped: Beside
    ) -> Files:
        """What one host gets of a release: its override and its `.env`, as text."""
        placement, facts = self.placements[host], self.facts[host]
        own = {OF_EACH_HOST: host} | self.environment.hosts[host].env
        return Files(
            override(
                self.environment,
                self.compose,
                placement,
                images=release.images,
                release=release.id,
                shipped=shipped.shipped,
                start_interval=version(facts.docker) >= START_INTERVAL_KNOWN,
            ),
            dotenv(release, self.environment.app, {**values, **own}),
        )


@dataclass(frozen=True)
class Files:
    """The two files of a release that differ by host."""

    override: str
    env: str = field(repr=False)

    def wanted(self, placement: Placement) -> Wanted:
        """What a host that has these files looks like."""
        return Wanted(placement, _sum(self.override), _sum(self.env))


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _hundredths(seconds: float) -> str:
    return str(round(seconds * 100))

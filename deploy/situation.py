"""An environment as it is: its settings, its compose file, its hosts, and what is on them."""

from __future__ import annotations

import getpass
import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy import facts as facts_module
from deploy.bundle import OF_EACH_HOST, given_values
from deploy.checks import HASH_WITHOUT_DEPENDENCIES_FIXED, START_INTERVAL_KNOWN, version
from deploy.compose import file as compose_file
from deploy.compose.override import override, slots_network
from deploy.compose.placement import HEADWAY_PROXY, Placement, place
from deploy.errors import HeadwayError, Refused
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

FACTS_TIMEOUT = 60.0
"""Seconds for reading one host; on a loaded VPS Docker alone takes some of them."""

_LOCK_WAIT = 120
"""Seconds that a script waits for another one on its host: longer than most arrows take."""


def whoami(environ: Mapping[str, str]) -> str:
    """Who orders this: the person at a keyboard, or who started the workflow."""
    actor = environ.get("GITHUB_ACTOR")
    if actor:
        return f"{actor}@github"
    return f"{getpass.getuser()}@{platform.node()}"


@dataclass
class Situation:
    """One environment with its open hosts. `facts` is empty until `gather`."""

    environment: Environment
    compose: ComposeFile
    placements: dict[str, Placement]
    hosts: Mapping[str, Host]
    facts: dict[str, HostFacts] = field(default_factory=dict)

    @classmethod
    def of(cls, environment: Environment) -> Situation:
        """Read the compose file and say what belongs where; no host is spoken to yet.

        Raises:
            SettingsError: the compose file and the hosts file do not fit together.
        """
        compose = compose_file.read(environment.compose, environment.root)
        placements = place(environment, compose, given_values(environment))
        return cls(environment, compose, placements, hosts_of(environment))

    def close(self) -> None:
        """End all connections."""
        for host in self.hosts.values():
            host.close()

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

        def one(host: Host) -> HostFacts:
            if conclude is None:
                lines = self.arrows(host.name, {}).read("facts", on_hosts, timeout=FACTS_TIMEOUT)
                return facts_module.read(lines)
            report = self.arrows(host.name, conclude).send(
                "conclude", on_hosts, token=f"{conclude['deploy']}.conclude", timeout=FACTS_TIMEOUT
            )
            return facts_module.understand(report)

        found = each(list(self.hosts.values()), one)
        wrong = [error for error in found.values() if isinstance(error, HeadwayError)]
        if wrong:
            raise Refused("\n".join(str(error) for error in wrong))
        self.facts = {name: one for name, one in found.items() if not isinstance(one, HeadwayError)}
        return self.facts

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
            "token": "",
            "lock_wait": str(_LOCK_WAIT),
            "keep": str(rollout.keep_releases),
            "no_deps": "--no-deps" if new_compose else "",
            "site": environment.url or "http://localhost",
            "proxy_service": HEADWAY_PROXY if own else str(environment.proxy.service),
            "min_healthy": _hundredths(rollout.min_healthy_time),
            "healthy_deadline": _hundredths(rollout.healthy_deadline),
            "bake": _hundredths(rollout.bake),
            "registry": environment.registry.server if environment.registry else "",
            "registry_user": environment.registry.username if environment.registry else "",
        }
        part = "haproxy" if environment.proxy.kind == "haproxy" else "caddy"
        return Arrows(self.hosts[host], common | dict(settings), part)

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

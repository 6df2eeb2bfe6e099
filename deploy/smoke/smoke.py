"""Every probe at every place that it is for, and then every journey, within one deadline."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.errors import HeadwayError
from deploy.redaction.redactor import Redactor
from deploy.remote.tunnel import Tunnel
from deploy.smoke import journeys
from deploy.smoke.ask import NoAnswer, ask
from deploy.smoke.judge import Hide, faults, seen
from deploy.smoke.probes import Probe, probes_of
from deploy.smoke.result import Outcome, Result, Verdict
from deploy.smoke.way import Way, answering, door

if TYPE_CHECKING:
    from deploy.compose.file import ComposeFile
    from deploy.compose.placement import Placement
    from deploy.remote.host import Host
    from deploy.settings import Environment
    from deploy.settings.smoke import Smoke

AT_ONCE = 8
"""Requests at the same time: a visitor or two more, not a load."""
PAUSE = 1.0
"""Seconds between two tries."""

Said = Callable[[Result], None]


@dataclass(frozen=True)
class Subject:
    """What is tested: an environment with its hosts; `run` names the run that orders it."""

    environment: Environment
    compose: ComposeFile
    placements: dict[str, Placement]
    hosts: Mapping[str, Host]
    run: str

    @property
    def answering(self) -> list[str]:
        """The hosts that can be asked through their own proxy."""
        return answering(self.environment, self.placements)

    @property
    def settings(self) -> Smoke | None:
        """The smoke tests of the settings; None: there are none."""
        return self.environment.smoke


@dataclass(frozen=True)
class _Job:
    probe: Probe
    way: Way | HeadwayError
    host: str
    tag: str


def smoke(
    subject: Subject, tags: Mapping[str, str], only: str = "", said: Said = lambda _result: None
) -> Verdict:
    """Ask everything, and return all results in the order of the settings.

    Args:
        subject: with smoke tests.
        tags: the release's tag, for each host that answers; one that is missing runs nothing.
        only: everything through the proxy of this host, and nothing else.
        said: told each result as it comes, from several threads.
    """
    settings = subject.settings
    assert settings is not None  # noqa: S101 - whoever asks for it has looked
    until = time.monotonic() + settings.deadline
    redactor = Redactor(one.reveal() for one in subject.environment.secret_values)
    with contextlib.ExitStack() as open_ones:
        way = _Ways(subject, open_ones)
        jobs = _jobs(subject, tags, only, way)
        pool = ThreadPoolExecutor(max_workers=AT_ONCE)

        def one(job: _Job) -> Result:
            result = _result(job, settings, subject.run, until, redactor.redact)
            # Before it is escaped for whatever it is written into.
            result = replace(result, reason=redactor.redact(result.reason))
            said(result)
            return result

        try:
            results = list(pool.map(one, jobs))
        finally:
            pool.shutdown(cancel_futures=True)
        failed = next((one for one in results if one.outcome is Outcome.FAILED), None)
        for file in journeys.files(settings.journeys) if settings.journeys else ():
            results.append(_journey(subject, file, way(only), until, redactor, failed))
            said(results[-1])
    return Verdict(results, strict=subject.environment.smoke_strict)


class _Ways:
    """The way to each host, opened when it is first asked for, and to the site ("")."""

    def __init__(self, subject: Subject, open_ones: contextlib.ExitStack) -> None:
        self._subject, self._open_ones = subject, open_ones
        self._url = subject.environment.url or ""
        self._ways: dict[str, Way | HeadwayError] = {"": Way(self._url)}

    def __call__(self, host: str) -> Way | HeadwayError:
        if host not in self._ways:
            self._ways[host] = self._opened(host)
        return self._ways[host]

    def _opened(self, host: str) -> Way | HeadwayError:
        subject = self._subject
        try:
            found = door(subject.environment, subject.compose, subject.placements[host])
        except HeadwayError as error:
            return error
        tunnel = self._open_ones.enter_context(Tunnel(subject.hosts[host], found.port))
        return Way(self._url, host, tunnel, found.tls)


def _jobs(subject: Subject, tags: Mapping[str, str], only: str, way: _Ways) -> list[_Job]:
    jobs = []
    for probe in probes_of(subject.environment):
        places = [only] if only else subject.answering if probe.per_host else [""]
        jobs += [_Job(probe, way(host), host, _tag(tags, host)) for host in places]
    return jobs


def _journey(
    subject: Subject,
    file: Path,
    way: Way | HeadwayError,
    until: float,
    redactor: Redactor,
    failed: Result | None,
) -> Result:
    settings = subject.settings
    assert settings is not None  # noqa: S101 - it has a folder of journeys
    left = until - time.monotonic()
    reason = ""
    if isinstance(way, HeadwayError):
        reason = way.message
    elif failed:
        # It would fail as well, and only after its whole time.
        reason = f"not tried, since {failed.name} failed"
    elif left <= 0:
        reason = f"not tried: the {settings.deadline:g} s for all of it are over"
    else:
        seconds = min(settings.journey_timeout, left)
        return journeys.walk(file, way, subject.environment, subject.run, seconds, redactor)
    return Result(
        file.stem, "" if isinstance(way, HeadwayError) else way.host, Outcome.INCONCLUSIVE, reason
    )


def _tag(tags: Mapping[str, str], host: str) -> str:
    """What a host, or the site, has to run; "" where nothing does, or not everything the same."""
    if host:
        return tags.get(host, "")
    found = set(tags.values())
    return found.pop() if len(found) == 1 else ""


def _result(job: _Job, settings: Smoke, run: str, until: float, hide: Hide) -> Result:
    probe, way = job.probe, job.way

    def result(
        outcome: Outcome,
        reason: str = "",
        seconds: float = 0.0,
        tries: int = 1,
        seen: str = "",
    ) -> Result:
        return Result(probe.name, job.host, outcome, reason, seconds, tries, seen=seen)

    if isinstance(way, HeadwayError):
        return result(Outcome.INCONCLUSIVE, way.message)
    if probe.version and not job.tag:
        reason = "nothing is deployed there" if job.host else "not every host is on one release"
        return result(Outcome.INCONCLUSIVE, reason)
    probe = probe.of(job.tag)
    for number in range(1, settings.retries + 2):
        left = until - time.monotonic()
        if left <= 0:
            over = f"not asked: the {settings.deadline:g} s for all of it are over"
            return result(Outcome.INCONCLUSIVE, over, tries=number)
        last = number > settings.retries or left <= PAUSE
        try:
            answer = ask(probe, way, run, min(settings.timeout, left))
        except NoAnswer as error:
            if error.again and not last:
                time.sleep(PAUSE)
                continue
            outcome = Outcome.INCONCLUSIVE if error.here else Outcome.FAILED
            return result(outcome, error.reason, tries=number)
        found = faults(answer, probe.expect, hide)
        if found and answer.status >= 500 and not last:
            time.sleep(PAUSE)
            continue
        outcome = Outcome.FAILED if found else Outcome.PASSED
        shown = seen(answer, hide) if found else ""
        return result(outcome, "; ".join(found), answer.seconds, number, shown)
    raise AssertionError("unreachable: the last try returns")

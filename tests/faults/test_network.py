"""SSH that is cut, reset or slow, and hosts that vanish, while a deploy is at work on them."""

from __future__ import annotations

import itertools
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from deploy.sandbox.breaking import breaking
from tests.faults.questions import ask
from tests.faults.watched import DOCKER, broken_at, end_of, gone_for, until
from tests.fleet.project import WEB, Project

if TYPE_CHECKING:
    from tests.fleet.conftest import Loads

pytestmark = pytest.mark.fleet

HOST = "web-2"
STEPS = ("stage", "switch", "settle")
SECONDS = {"ssh-cut": 11.0, "ssh-reset": 4.0}
"""Nothing tells of a cut: a connection is taken for gone after 8 to 10 s without a byte."""


LATE = "iptables -t nat -vxnL PREROUTING | awk '/redir ports 5022/ { print $1 }'"
"""How many connections have gone the long way."""


def losing(*some: tuple[str, str]) -> pytest.MarkDecorator:
    """Each way to lose SSH in each step; those that are not among `some` are thorough."""
    cases = [
        pytest.param(*case, marks=[] if case in some else pytest.mark.thorough)
        for case in itertools.product(SECONDS, STEPS)
    ]
    return pytest.mark.parametrize(("fault", "step"), cases)


@pytest.fixture
def watching(quick: Project) -> Project:
    """Each switch takes some seconds, so that there is something to cut, and a drain as well."""
    quick.change(rollout={"bake": "6s"})
    return quick


@losing(("ssh-cut", "stage"))
def test_ssh_is_lost_for_some_seconds(
    watching: Project, load: Loads, fault: str, step: str
) -> None:
    """What was begun goes on, on the host; it is asked again, and does nothing twice."""
    with load(slow=0.2) as traffic:
        done = broken_at(watching, f"· {HOST}     {step}", fault, HOST, SECONDS[fault])
    ask(watching, traffic, done, exit_code=0, version=watching.new)
    if step != "settle":  # which may have ended before the packets did
        assert f"{HOST}     the connection was lost; asking the host again" in done.text


@losing()
def test_ssh_is_lost_until_the_run_has_ended(
    watching: Project, load: Loads, fault: str, step: str
) -> None:
    """The others go back; the host goes on serving whatever it had come to, until it is asked."""
    with load(slow=0.2) as traffic:
        first = broken_at(watching, f"· {HOST}     {step}", fault, HOST)
        again, version = watching.inv("recover"), watching.old
        if step == "settle":
            # What has settled is a release like any other: only a deploy takes it to another one.
            apart, again, version = again, watching.deploy(watching.other), watching.other
            assert apart.exit_code == 5, apart.text
            assert f"; {HOST} on {watching.new}" in apart.text
    assert first.exit_code == 5, first.text
    assert f"{HOST} could not be put back; before, sandbox was on {watching.old}" in first.text
    ask(watching, traffic, again, exit_code=0, version=version, first=first)


@pytest.mark.thorough
def test_little_bandwidth(quick: Project, load: Loads) -> None:
    """128 kbit a second each way, and what is more is lost."""
    with load() as traffic, breaking(DOCKER, "slow", HOST):
        done = quick.deploy(quick.new)
    ask(quick, traffic, done, exit_code=0, version=quick.new)


@pytest.mark.thorough
def test_a_long_way(quick: Project, load: Loads) -> None:
    """A tenth of a second there and back, to each host."""
    with load() as traffic, ExitStack() as stack:
        for host in quick.hosts:
            stack.enter_context(breaking(DOCKER, "latency", host))
        done = quick.deploy(quick.new)
        came = [int(DOCKER("exec", f"headway-{host}", "sh", "-ec", LATE)) for host in quick.hosts]
    ask(quick, traffic, done, exit_code=0, version=quick.new)
    assert all(came), came


@pytest.mark.thorough
def test_a_host_vanishes_and_comes_back(quick: Project, load: Loads) -> None:
    """For ten seconds: what was sent to it meanwhile is answered late.

    But no POST is sent: its proxy and its application wake at once, and one that is under way on a
    connection which the other end has kept for too long by then is nobody's to repeat.
    """
    with load(rate=10, slow=0, post=0) as traffic:
        done = broken_at(quick, f"· {HOST}     stage", "vanish", HOST, 10)
    ask(quick, traffic, done, exit_code=0, version=quick.new)


@pytest.mark.thorough
def test_a_host_vanishes_until_the_run_has_ended(quick: Project, load: Loads) -> None:
    gone: list[tuple[float, float]] = []
    with load(rate=10) as traffic:
        process = quick.start("deploy", "--tag", quick.new)
        said = until(process, f"· {HOST}     stage")
        with gone_for(HOST, gone), breaking(DOCKER, "vanish", HOST):
            first = end_of(process, said)
        again = quick.deploy(quick.other)
    assert first.exit_code == 5, first.text
    assert f"{HOST} could not be put back; before, sandbox was on {quick.old}" in first.text
    ask(quick, traffic, again, exit_code=0, version=quick.other, first=first, gone=gone)


def test_a_host_is_not_there_from_the_start(quick: Project, load: Loads) -> None:
    """All of it is refused. The others are deployed to by themselves; the next takes it along."""
    others = [word for host in WEB if host != HOST for word in ("--only-host", host)]
    with load() as traffic:
        with breaking(DOCKER, "ssh-cut", HOST):
            began = time.monotonic()
            refused = quick.deploy(quick.new)
            seconds = time.monotonic() - began
            first = quick.inv("deploy", "--tag", quick.new, *others)
            away = quick.inv("status")
        between = quick.tags()
        mixed = quick.inv("status")
        done = quick.deploy(quick.new)
    assert refused.exit_code == 3, refused.text
    assert f"{HOST}: " in refused.text
    assert "Nothing has been changed." in refused.text
    assert seconds < 45
    assert first.exit_code == 0, first.text
    assert f"{HOST}, worker-1, db-1: left out" in first.text
    assert away.exit_code == 0, away.text
    assert f"{HOST}  ! " in away.text
    on_new = {host for host in WEB if between[host] == quick.new}
    assert on_new == {*WEB} - {HOST}
    assert "The hosts are not on one release" in mixed.text
    assert f"{HOST}     stage" in done.text
    assert "web-1     stage" not in done.text
    ask(quick, traffic, done, exit_code=0, version=quick.new, first=first)

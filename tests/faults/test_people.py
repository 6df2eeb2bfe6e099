"""More than one person, and runs that are stopped, suspended or asked to make way."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from deploy.sandbox.breaking import breaking
from deploy.sandbox.outside.told import entries
from tests.faults.questions import ask
from tests.faults.watched import DOCKER, end_of, until
from tests.fleet.project import ROOT

if TYPE_CHECKING:
    from tests.fleet.conftest import Loads
    from tests.fleet.project import Project

pytestmark = pytest.mark.fleet


def test_two_at_once(quick: Project, load: Loads) -> None:
    """A deploy against a deploy, and against the rollback from it: who came first goes on."""
    with load() as traffic:
        for words, what, bake in (
            (["deploy", "--tag", quick.new], f"deploy of {quick.new}", "0s"),
            # Which is through soon: the second one has to see that the first is still there.
            (["rollback"], "rollback", "4s"),
        ):
            quick.change(rollout={"bake": bake})
            first = quick.start(*words)
            said = until(first, "web-1     switch")
            second = quick.deploy(quick.other)
            assert second.exit_code == 6, second.text
            assert f"({what}, since" in second.text
            assert "Nothing has been changed." in second.text
            done = end_of(first, said)
            assert done.exit_code == 0, done.text
    ask(quick, traffic, done, exit_code=0, version=quick.old)


@pytest.mark.thorough
def test_a_second_deploy_that_waits(quick: Project, load: Loads) -> None:
    with load() as traffic:
        first = quick.start("deploy", "--tag", quick.new)
        said = until(first, "web-1     stage")
        second = quick.inv("deploy", "--tag", quick.other, "--wait", "5m")
        assert end_of(first, said).exit_code == 0
    assert "waiting for it for up to 300 s" in second.text
    ask(quick, traffic, second, exit_code=0, version=quick.other)


def test_a_rollback_preempts_a_deploy(quick: Project, load: Loads) -> None:
    """And Slack hears of all of it: the deploy, that somebody waits for it, and both ends."""
    written = yaml.safe_load((ROOT / "hosts" / "sandbox.yaml").read_text())
    quick.change(notify={"slack": written["notify"]["slack"]})
    before = len(entries(DOCKER))
    with load() as traffic:
        first = quick.start("deploy", "--tag", quick.new)
        said = until(first, "✓ web-1     switch")
        done = quick.inv("rollback", "--preempt")
        stopped = end_of(first, said)
    assert stopped.exit_code == 130, stopped.text
    assert "asks for the lease: rollback" in stopped.text
    sent = [one for one in entries(DOCKER)[before:] if one["to"] == "slack"]
    (waits,) = (one for one in sent if " waits, for " in one["body"]["text"])
    assert waits["said"] == "ok"
    assert waits["body"]["text"].endswith(" waits, for rollback")
    asked = json.dumps(waits["body"]["attachments"])
    assert f"deploy of {quick.new}" in asked
    assert "has the lease; asked to stop at the next safe point" in asked
    last = {one["message"]: one["body"]["text"] for one in sent}.values()
    assert any("cancelled after" in text for text in last), last
    assert any(text.startswith("✓") and "rollback" in text for text in last), last
    ask(quick, traffic, done, exit_code=0, version=quick.old)


def test_an_owner_who_wakes_up_changes_nothing(quick: Project, load: Loads) -> None:
    with load() as traffic:
        first = quick.start("deploy", "--tag", quick.new)
        said = until(first, "✓ web-1     stage")
        first.send_signal(signal.SIGSTOP)
        done = quick.deploy(quick.other)
        first.send_signal(signal.SIGCONT)
        woken = end_of(first, said)
    assert "has expired: taking it over" in done.text
    assert woken.exit_code == 6, woken.text
    ask(quick, traffic, done, exit_code=0, version=quick.other)


@pytest.mark.thorough
def test_the_ladder_of_a_cancelled_runner(quick: Project, load: Loads) -> None:
    """SIGINT, 7.5 s, SIGTERM, 2.5 s, SIGKILL: it has left before the last of them."""
    with load() as traffic:
        first = quick.start("deploy", "--tag", quick.new)
        said = until(first, "web-1     switch")
        first.send_signal(signal.SIGINT)
        began = time.monotonic()
        try:
            first.wait(timeout=7.5)
        except subprocess.TimeoutExpired:
            first.send_signal(signal.SIGTERM)
        stopped = end_of(first, said)
        assert time.monotonic() - began < 10
        assert stopped.exit_code == 130, stopped.text
        # Nobody has to wait for a lease to expire.
        done = quick.inv("recover")
    ask(quick, traffic, done, exit_code=0, version=quick.old)


@pytest.mark.thorough
def test_left_at_once_on_sigterm(quick: Project, load: Loads) -> None:
    with load() as traffic:
        first = quick.start("deploy", "--tag", quick.new)
        said = until(first, "web-2     stage")
        first.send_signal(signal.SIGTERM)
        began = time.monotonic()
        left = end_of(first, said)
        assert time.monotonic() - began < 2.5
        assert left.exit_code == 130
        assert "left at once, as asked" in left.text
        done = quick.inv("recover", "--finish")
    ask(quick, traffic, done, exit_code=0, version=quick.new)


@pytest.mark.thorough
def test_held_by_hand(quick: Project, load: Loads) -> None:
    with load() as traffic:
        held = quick.inv("lock", "--reason", "we move the DNS")
        other = quick.typed_by("ben", "deploy", "--tag", quick.new)
        refused = quick.typed_by("ben", "unlock", "--yes")
        own = quick.deploy(quick.new)
        free = quick.inv("unlock", "--yes")
        done = quick.typed_by("ben", "deploy", "--tag", quick.other)
    assert held.exit_code == 0, held.text
    assert other.exit_code == 6, other.text
    assert "we move the DNS" in other.text
    assert refused.exit_code == 6, refused.text
    assert "we move the DNS" in refused.text
    assert own.exit_code == 0, own.text
    assert free.exit_code == 0, free.text
    ask(quick, traffic, done, exit_code=0, version=quick.other, first=other)


def test_the_host_that_keeps_the_lease_is_down(quick: Project, load: Loads) -> None:
    with load() as traffic:
        began = time.time()
        with breaking(DOCKER, "vanish", "web-1"):
            first = quick.deploy(quick.new)
        gone = [(began, time.time())]
        done = quick.deploy(quick.new)
    assert first.exit_code == 3, first.text
    assert "web-1" in first.text
    ask(quick, traffic, done, exit_code=0, version=quick.new, first=first, gone=gone)

"""Whole runs over a fleet in memory, before a Slack, a webhook and a Cloudflare that listen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.events import Event, Outcome, StepFailed, Stream, Warned
from deploy.notify.choose import notifier
from deploy.settings import load
from deploy.views.lines import subject

from ..stand_in import StandIn, hangs, says, stand_in
from .faulty import Course, Fault
from .fleet import Fleet

TOKEN = "hunter2-hunter2"


@dataclass
class Told:
    """A fleet, and who hears of it."""

    fleet: Fleet
    slack: StandIn
    cloudflare: StandIn
    heard: list[Event]

    def run(self, tag: str | None, course: Course | None = None) -> Any:
        self.slack.seen.clear()
        self.cloudflare.seen.clear()
        self.heard.clear()
        return self.fleet.run(tag, course or Course()).ended

    @property
    def last(self) -> tuple[str, str]:
        """The text of the last message, and all the rest of it."""
        message = self.slack.seen[-1].json
        return message["text"], json.dumps(message["attachments"], ensure_ascii=False)

    @property
    def warnings(self) -> list[str]:
        return [event.text for event in self.heard if isinstance(event, Warned)]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    fleet = Fleet.new(tmp_path, {})
    file = tmp_path / "hosts/staging.yaml"
    posted = says({"ok": True, "channel": "C9", "ts": "1.1"})
    with stand_in(posted) as slack, stand_in(says({"success": True})) as cloudflare:
        purge = {"zone": "a1", "token": "TOKEN", "purge": {"tags": ["html"]}}
        written = yaml.safe_load(file.read_text()) | {
            "notify": {"slack": {"token": "TOKEN", "channel": "C1", "api": slack.url}},
            "cdn": {"cloudflare": purge | {"api": cloudflare.url}},
        }
        file.write_text(yaml.safe_dump(written))
        fleet.environment = load(tmp_path, "staging", {"TOKEN": TOKEN})
        heard: list[Event] = []

        def stream() -> Stream:
            one = Stream()
            listener = notifier(fleet.environment, {}, one)
            assert listener
            one.listen(listener)
            one.listen(heard.append)
            return one

        monkeypatch.setattr("tests.faults.fleet.Stream", stream)
        yield Told(fleet, slack, cloudflare, heard)


def test_a_deploy_and_a_rollback(told: Told) -> None:
    assert told.run("v1").outcome is Outcome.DONE
    text, rest = told.last
    assert text.startswith("✓ shop · staging · first deploy of v1: done in ")
    assert "*Ordered by*\\nana@github" in rest
    assert "*Hosts done*\\n4 of 4" in rest
    assert "The changelog is not whole: the image does not say its commit" in rest
    assert [seen.json for seen in told.cloudflare.seen] == [{"tags": ["html"]}]
    assert told.run("v2").outcome is Outcome.DONE
    assert "v1 → v2" in told.last[0]
    assert told.run(None).outcome is Outcome.DONE
    assert told.last[0].startswith("✓ shop · staging · rollback v2 → v1: done in ")
    assert len(told.cloudflare.seen) == 1
    assert told.warnings == []
    paths = [seen.path for seen in told.slack.seen]
    assert (paths[0], paths[-1]) == ("/chat.postMessage", "/chat.update")


def test_nothing_to_do_is_not_told(told: Told) -> None:
    told.run("v1")
    assert told.run("v1").outcome is Outcome.NOTHING
    assert (told.slack.seen, told.cloudflare.seen) == ([], [])


def test_a_failure_is_told_and_purged_if_a_host_had_switched(told: Told) -> None:
    """Each command of a run refuses, from the first that prepares to the last that looks."""
    told.run("v1")
    settled = told.fleet
    purged: dict[bool, int] = {True: 0, False: 0}
    for number in range(8, 26):
        told.fleet = settled.copy()
        ended = told.run("v2", Course({number: Fault("refuse")}))
        if ended is None or ended.outcome is not Outcome.REVERTED:
            continue
        switched = any(getattr(event, "step", "") == "switch" for event in told.heard)
        purged[switched] += 1
        assert len(told.cloudflare.seen) == int(switched), number
        text, rest = told.last
        assert text.startswith("✗ shop · staging · v1 → v2: failed, and reverted in ")
        failed = next(event for event in told.heard if isinstance(event, StepFailed))
        assert f"*{subject(failed.step, failed.host)}*" in rest
        assert "staging is on v1" in rest
    assert purged[True] >= 3
    assert purged[False] >= 1


def test_whoever_is_away_the_run_ends_as_it_would(told: Told) -> None:
    told.run("v1")
    told.slack.replies = [hangs]
    told.cloudflare.replies = [says({"success": False, "errors": []})]
    began = time.monotonic()
    ended = told.run("v2")
    assert time.monotonic() - began < 8
    assert (ended.outcome, ended.exit_code) == (Outcome.DONE, 0)
    (purge, *slack) = told.warnings
    assert purge == (
        "cloudflare was not purged: its answer does not say success; again: inv cdn.staging"
    )
    assert slack
    assert all(text.startswith("notify.slack: ") for text in slack)


def test_no_secret_is_told(told: Told) -> None:
    told.run("v1")
    bodies = b"".join(seen.body for seen in [*told.slack.seen, *told.cloudflare.seen])
    assert TOKEN.encode() not in bodies
    assert TOKEN not in repr([replace(event, at=0) for event in told.heard])

"""Slack's two ways, against a real HTTP server that stands for it."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy import git
from deploy.events import Outcome, RunEnded, StepStarted
from deploy.notify import notifier as module
from deploy.notify.choose import tell_waiting

from ..settings.repository import GOOD, refused
from ..stand_in import (
    Reply,
    Request,
    breaks_off,
    closes,
    hangs,
    nobody,
    says,
    stand_in,
    trickles,
)
from ..views.sequences import CASES
from .render import known
from .told import SECRETS, environment, tell

POSTED = says({"ok": True, "channel": "C9", "ts": "1790000000.000100"})
OK = says(b"ok")
RUN = known(CASES["success"]())
BUSY = says({"ok": False, "error": "ratelimited"}, 429, Retry_After="0")
SECRET = SECRETS["TOKEN"]


def bot(root: Path, url: str) -> Any:
    return environment(root, f"slack: {{token: TOKEN, channel: '#deploys', api: '{url}'}}")


def webhook(root: Path, url: str) -> Any:
    return environment(root, "slack: {webhook: HOOK}", {"HOOK": f"{url}/services/T0/B0/hunter2"})


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GAP", 0.05)


# --- a bot: one message ---------------------------------------------------------------------------


def slowly(one: Any, events: Any) -> list[str]:
    """As a run that takes its time, so that there is something to edit."""

    class Slow(list[Any]):
        def __iter__(self) -> Any:
            for event in list.__iter__(self):
                yield event
                time.sleep(0.03)

    return tell(one, Slow(events))[0]


def test_one_message_is_posted_and_edited(tmp_path: Path) -> None:
    with stand_in(POSTED) as server:
        assert slowly(bot(tmp_path, server.url), RUN) == []
    paths = [seen.path for seen in server.seen]
    assert paths[0] == "/chat.postMessage"
    assert len(paths) > 2
    assert set(paths[1:]) == {"/chat.update"}
    assert {seen.headers["authorization"] for seen in server.seen} == {f"Bearer {SECRET}"}
    first, *_, last = (seen.json for seen in server.seen)
    assert first["channel"] == "#deploys"
    assert (last["channel"], last["ts"]) == ("C9", "1790000000.000100")
    assert first["text"] == "… shop · production · v1.4.2 → v1.5.0: under way"
    assert last["text"] == "✓ shop · production · v1.4.2 → v1.5.0: done in 39.5 s"
    assert "bo@github" in json.dumps(last["attachments"])
    assert first["unfurl_links"] is first["unfurl_media"] is False


def test_steps_that_come_quickly_are_told_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GAP", 2.0)
    with stand_in(POSTED) as server:
        warned, seconds = tell(bot(tmp_path, server.url), RUN)
    assert (warned, len(server.seen)) == ([], 2)
    assert seconds < 2, "the end does not wait for the gap"


def test_what_could_not_be_posted_is_posted_with_the_next(tmp_path: Path) -> None:
    with stand_in(says({"ok": False, "error": "fatal_error"}), POSTED) as server:
        assert slowly(bot(tmp_path, server.url), RUN) == []
    paths = [seen.path for seen in server.seen]
    assert paths[:2] == ["/chat.postMessage"] * 2
    assert set(paths[2:]) == {"/chat.update"}


def test_slack_says_no(tmp_path: Path) -> None:
    with stand_in(says({"ok": False, "error": "channel_not_found"})) as server:
        warned, _ = tell(bot(tmp_path, server.url), RUN)
    assert warned == ["notify.slack: answered channel_not_found"]


def test_slack_is_no_slack(tmp_path: Path) -> None:
    with stand_in(says(b"<html>come in</html>")) as server:
        ((words,), _) = tell(bot(tmp_path, server.url), RUN)
    assert words.startswith("notify.slack: ")
    assert SECRET not in words


# --- a webhook: two -------------------------------------------------------------------------------


def test_two_messages(tmp_path: Path) -> None:
    with stand_in(OK) as server:
        warned, _ = tell(webhook(tmp_path, server.url), RUN)
    assert warned == []
    assert [seen.path for seen in server.seen] == ["/services/T0/B0/hunter2"] * 2
    assert [seen.json["text"].partition(": ")[2] for seen in server.seen] == [
        "under way",
        "done in 39.5 s",
    ]


@pytest.mark.parametrize("verb", ["reverted", "needs-person", "cancelled", "refused"])
def test_every_end_is_told(tmp_path: Path, verb: str) -> None:
    events = CASES[verb]()
    with stand_in(OK) as server:
        tell(webhook(tmp_path, server.url), events)
    assert server.seen[-1].json["text"].startswith("✗ shop · production")


def test_nothing_to_do_is_nothing_to_tell(tmp_path: Path) -> None:
    with stand_in(OK) as server:
        tell(webhook(tmp_path, server.url), CASES["nothing"]())
    assert server.seen == []


def test_a_webhook_that_is_gone(tmp_path: Path) -> None:
    with stand_in(says(b"no_service", 404)) as server:
        warned, _ = tell(webhook(tmp_path, server.url), RUN)
    assert warned == ["notify.slack: answered 404: no_service"]


def test_an_address_that_is_none(tmp_path: Path) -> None:
    one = environment(tmp_path, "slack: {webhook: TOKEN}")
    ((words,), _) = tell(one, RUN)
    assert SECRET not in words


# --- whoever stands there -------------------------------------------------------------------------

BAD = {
    "hangs": (hangs, "gave no answer in time"),
    "trickles": (trickles, "gave no answer in time"),
    "closes": (closes, "closed the connection early (2 times)"),
    "breaks off": (breaks_off, ""),
    "is busy": (BUSY, "answered 429 (2 times)"),
    "is busy for an hour": (says({"ok": False}, 429, Retry_After="3600"), "answered 429"),
    "breaks": (says({"ok": False}, 500), "answered 500 (2 times)"),
    "breaks without JSON": (says(b"oops", 502), "answered 502 (2 times)"),
}


@pytest.mark.parametrize("way", [bot, webhook])
@pytest.mark.parametrize("case", BAD)
def test_a_run_is_never_held_up_for_long(
    tmp_path: Path, way: Any, case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    reply, words = BAD[case]
    with stand_in(reply) as server:
        warned, seconds = tell(way(tmp_path, server.url), RUN)
    assert seconds < 5.5
    assert warned
    assert any(words in text for text in warned) or "no time left" in warned[-1]
    assert "hunter2" not in "".join(warned)
    # The SDK has a logger of its own, and what it says passes no sink.
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("way", [bot, webhook])
def test_nobody_there(tmp_path: Path, way: Any, capfd: pytest.CaptureFixture[str]) -> None:
    warned, seconds = tell(way(tmp_path, nobody()), RUN)
    assert seconds < 5.5
    words = "cannot be reached: ConnectionRefusedError (2 times)"
    assert warned == [f"notify.slack: {words}"]
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("passing", [BUSY, says({"ok": False}, 500), closes])
def test_a_second_try_is_enough(tmp_path: Path, passing: Any) -> None:
    with stand_in(passing, OK) as server:
        assert tell(webhook(tmp_path, server.url), RUN)[0] == []
    assert len(server.seen) == 3


@pytest.mark.parametrize("way", [bot, webhook])
def test_a_second_try_comes_when_slack_says(tmp_path: Path, way: Any) -> None:
    asked: list[float] = []

    def noted(reply: Reply) -> Reply:
        def answer(request: Request) -> None:
            asked.append(time.monotonic())
            reply(request)

        return answer

    busy = says({"ok": False, "error": "ratelimited"}, 429, Retry_After="1")
    with stand_in(noted(busy), noted(OK if way is webhook else POSTED)) as server:
        warned, _ = tell(way(tmp_path, server.url), RUN)
    assert warned == []
    assert server.seen[0] == server.seen[1]
    # Without a word from Slack it would be half a second.
    assert 1.0 <= asked[1] - asked[0] < 2.5


def test_a_cancelled_run_has_no_five_seconds(tmp_path: Path) -> None:
    """Its runner kills it after some seconds more."""
    with stand_in(hangs) as server:
        _, seconds = tell(webhook(tmp_path, server.url), CASES["cancelled"]())
    assert seconds < 2


def test_a_step_is_not_held_up_at_all(tmp_path: Path) -> None:
    with stand_in(hangs) as server:
        _, seconds = tell(bot(tmp_path, server.url), [*RUN[:1], StepStarted(step="pull")])
    assert seconds < 0.5


def test_what_was_told_is_what_was_then(tmp_path: Path) -> None:
    """The first message waits for the server, while the run comes to its end."""
    free = threading.Event()

    def late(request: Request) -> None:
        free.wait(5)
        POSTED(request)

    with stand_in(late) as server:
        threading.Timer(0.5, free.set).start()
        tell(webhook(tmp_path, server.url), RUN)
    assert server.seen[0].json["text"].startswith("… ")


def test_the_last_event_has_its_secrets_masked(tmp_path: Path) -> None:
    end = RunEnded(outcome=Outcome.DONE, exit_code=0, seconds=1, message=f"with {SECRET}")
    with stand_in(POSTED) as server:
        tell(bot(tmp_path, server.url), [*RUN[:3], end])
    assert b"with ********" in server.seen[-1].body
    assert not any(SECRET.encode() in seen.body for seen in server.seen)


def test_a_secret_in_a_commit_is_masked(tmp_path: Path) -> None:
    """What git says passes no stream."""
    words = ["-c", "user.name=Ana hunter2-hunter2", "-c", "user.email=a@example.org"]
    commits = []
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for subject in ("First", "Take hunter2-hunter2 out (#3)"):
        commit = ["commit", "-q", "--allow-empty", "-m", subject]
        subprocess.run(["git", "-C", str(tmp_path), *words, *commit], check=True)
        found = git.commit(tmp_path)
        assert found
        commits.append(found.sha)
    start = replace(RUN[0], commit_before=commits[0], commit=commits[1])  # type: ignore[call-arg]
    with stand_in(POSTED) as server:
        tell(bot(tmp_path, server.url), [start, *RUN[1:]])
    said = server.seen[-1].json["attachments"][0]["blocks"]
    assert "*What comes*\\n• Take ******** out (#3)" in json.dumps(said, ensure_ascii=False)
    assert "*Written by*\\nAna ********" in json.dumps(said)
    assert not any(SECRET.encode() in seen.body for seen in server.seen)


# --- who waits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", [bot, webhook])
def test_who_waits_for_whom(tmp_path: Path, way: Any) -> None:
    with stand_in(OK if way is webhook else POSTED) as server:
        one = way(tmp_path, server.url)
        began = time.monotonic()
        tell_waiting(one, "bo@github", "deploy of <!here>", "ana (deploy of v2) has the lease")
        assert time.monotonic() - began < 1
        until = time.monotonic() + 5
        while not server.seen and time.monotonic() < until:
            time.sleep(0.02)
    (seen,) = server.seen
    words = "… shop · production: bo@github waits, for deploy of &lt;!here&gt;"
    assert seen.json["text"] == words
    assert "ana (deploy of v2) has the lease" in json.dumps(seen.json["attachments"])


def test_who_waits_waits_though_slack_is_away(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tell_waiting(bot(tmp_path, nobody()), "bo", "deploy", "ana has the lease")
    tell_waiting(environment(tmp_path, "hooks: {}"), "bo", "deploy", "ana has the lease")
    time.sleep(1)
    assert "".join(capfd.readouterr()) == ""


# --- what is written ------------------------------------------------------------------------------

WRONG = {
    "both": (
        "slack: {token: TOKEN, channel: C1, webhook: TOKEN}",
        "8  notify.slack: has token and webhook; leave one of them out",
    ),
    "neither": (
        "slack: {channel: C1}",
        "8  notify.slack: has neither token nor webhook; write the NAME of the secret",
    ),
    "no channel": (
        "slack: {token: TOKEN}",
        "8  notify.slack: has a token, but no channel to post in; write channel:",
    ),
    "a channel for a webhook": (
        "slack: {webhook: TOKEN, channel: C1}",
        "8  notify.slack: has channel and webhook; a webhook knows its channel: leave it out",
    ),
    "the address itself": (
        "slack: {webhook: 'https://hooks.slack.com/services/T/B/x'}",
        "8  notify.slack.webhook: is not the name of a secret (A-Z, 0-9 and _); write a name such "
        "as API_TOKEN here, and its value where the secrets are",
    ),
    "an address on which others listen": (
        "slack: {token: TOKEN, channel: C1, api: 'http://slack.example/api'}",
        "8  notify.slack.api: is 'http://slack.example/api', and a token goes there; "
        "write https://",
    ),
    "a secret without a value": (
        "webhook: {url: 'https://a.example', key: OTHER}",
        "8  notify.webhook.key: the secret OTHER is not set; set OTHER in the environment or in "
        ".env.production",
    ),
    "a hook that there is not": (
        "hooks: {before_host: ls}",
        "8  notify.hooks.before_host: no such key; did you mean before_deploy?",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_in_the_section(tmp_path: Path, case: str) -> None:
    text, fault = WRONG[case]
    found = refused(tmp_path, f"{GOOD}notify: {{{text}}}\n", SECRETS)
    assert found == [f"hosts/production.yaml:{fault}"]

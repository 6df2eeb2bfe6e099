"""Deploys with all of it on: smoke tests with a journey, Slack, a webhook, a CDN, a summary.

One story, told once: a first deploy while all who are told misbehave, one in Actions, one whose
login is broken, a rollback, and four of one host while they misbehave in other ways. The tests look
at what each of them left.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from deploy.notify.webhook import signature
from deploy.sandbox import elsewhere, images, provide
from deploy.sandbox.breaking import breaking
from deploy.sandbox.home import Home
from deploy.sandbox.outside.shown import message
from deploy.sandbox.outside.told import Entry, entries
from tests.fleet.project import ROOT, WEB, Done, Project, on_host

if TYPE_CHECKING:
    from deploy.sandbox.docker import Docker

PAGE = "https://github.com/acme/shop"
ROLLBACK = f"{PAGE}/actions/workflows/rollback.yml"
TROUBLE = (
    {"slack": "close", "webhook": "answer-500", "cloudflare": "say-no"},
    {"slack": "gone"},  # with it, all three
    {"slack": "answer-429", "webhook": "hang"},
    {"slack": "answer-500", "webhook": "close"},
)
"""How those who are told misbehave, by their service, in a run each."""
LATEST = 8.0
"""Seconds from the last step to the end of a run: five, on a machine with much to do."""
ACTIONS = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_ACTOR": "cleo",
    "GITHUB_REPOSITORY": "acme/shop",
    "GITHUB_RUN_ID": "7",
    "GITHUB_SERVER_URL": "https://github.com",
}


@dataclass(frozen=True)
class Ran:
    """A run, and what Slack, Cloudflare and the webhook were sent meanwhile."""

    done: Done
    told: list[Entry]

    def to(self, service: str) -> list[Entry]:
        return [one for one in self.told if one["to"] == service]

    @property
    def last(self) -> str:
        """Slack's message in its last state, as it reads."""
        return "\n".join(message(self.to("slack")[-1]["body"]))

    @property
    def record(self) -> dict[str, Any]:
        """What the webhook was sent at the end."""
        body: dict[str, Any] = self.to("webhook")[-1]["body"]
        return body


@dataclass(frozen=True)
class Story:
    """The runs; `commits` are those of the good versions and of the bad one, in order."""

    commits: tuple[str, ...]
    troubled: Ran
    good: Ran
    summary: str
    broken: Ran
    back: Ran
    page: str
    """Of the one that was reverted, asked for after the rollback."""
    good_page: str
    hooked: str
    """What the hook has written, a line for each host."""
    trouble: tuple[tuple[Mapping[str, str], Ran], ...]
    """Service → how it misbehaved, and the run meanwhile."""


def commit(folder: Path, author: str, subject: str) -> str:
    words = ["-c", f"user.name={author}", "-c", "user.email=somebody@example.org"]
    git = ["git", "-C", str(folder), *words]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", subject], check=True)
    said = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return said.stdout.strip()


def pushed(docker: Docker, folder: Path, tag: str, sha: str, behaviour: str = "") -> None:
    """The shop as the version `tag`, built from that commit as far as anybody can tell."""
    folder.mkdir()
    lines = ["FROM localhost:5050/shop:v1", f"ENV SHOP_VERSION={tag} SHOP_BEHAVIOUR={behaviour}"]
    lines.append(f"LABEL org.opencontainers.image.revision={sha}")
    (folder / "Dockerfile").write_text("\n".join(lines) + "\n")
    name = f"localhost:5050/shop:{tag}"
    docker("build", "--quiet", "--tag", name, str(folder))
    with images.login(docker, Home().secret("REGISTRY_PASSWORD")) as pusher:
        pusher("push", "--quiet", name)


@pytest.fixture(scope="module")
def story(release: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Told in a minute or so; each run is the next one's beginning."""
    release("v1")
    docker = provide.running()
    assert docker is not None
    folder = tmp_path_factory.mktemp("all-on")
    written = yaml.safe_load((ROOT / "hosts" / "sandbox.yaml").read_text())
    body = elsewhere.settings(
        smoke="smoke.yaml",
        notify={
            **written["notify"],
            "repository": PAGE,
            "rollback": ROLLBACK,
            "hooks": {"after_host": 'echo "$HEADWAY_AFTER $HEADWAY_HOST" >>hooked'},
        },
        cdn=written["cdn"],
    )
    body["rollout"]["bake"] = "1s"
    shop = Project(folder / "repository", "sandbox", body)
    shutil.copy(ROOT / "hosts" / "smoke.yaml", shop.folder / "hosts")
    shutil.copytree(ROOT / "journeys", shop.folder / "journeys")

    subprocess.run(["git", "init", "-q", str(shop.folder)], check=True)
    commits = (
        commit(shop.folder, "Ana", "A shop"),
        commit(shop.folder, "Bo", "Coupons can be combined (#212)"),
        commit(shop.folder, "Bo", "A new login (#213)"),
    )
    for tag, sha in zip(("all-1", "all-2"), commits, strict=False):
        pushed(docker, folder / tag, tag, sha)
    pushed(docker, folder / "all-bad", "all-bad", commits[-1], "no-login")

    def ran(verb: str, *words: str) -> Ran:
        before = len(entries(docker))
        done = shop.inv(verb, *words)
        return Ran(done, entries(docker)[before:])

    shop.change(smoke={"probes": {"home": {"kind": "home"}}}, rollout={"strategy": "blue-green"})
    with (
        breaking(docker, "hang", "slack"),
        breaking(docker, "answer-500", "cloudflare"),
        breaking(docker, "answer-429", "webhook"),
    ):
        troubled = ran("deploy", "--tag", "all-1")
    shop.write(body)

    summary = folder / "summary.md"
    shop.given = {**ACTIONS, "GITHUB_STEP_SUMMARY": str(summary)}
    good = ran("deploy", "--tag", "all-2")
    shop.given = {}
    broken = ran("deploy", "--tag", "all-bad")
    back = ran("rollback", "--reason", "coupons are too cheap")
    pages = []
    for told in (broken, good):
        report = shop.inv("report", told.record["id"], "--out", "report.html")
        assert report.exit_code == 0, report.text
        pages.append((shop.folder / "report.html").read_text())
    hooked = (shop.folder / "hooked").read_text()

    shop.change(smoke={"probes": {"home": {"kind": "home"}}})
    trouble = []
    for number, faults in enumerate(TROUBLE):
        with ExitStack() as stack:
            for service, fault in faults.items():
                stack.enter_context(breaking(docker, fault, service))
            tag = "all-1" if number % 2 else "all-2"
            trouble.append((faults, ran("deploy", "--tag", tag, "--only-host", "web-1")))
    return Story(
        commits,
        troubled,
        good,
        summary.read_text() if summary.exists() else "",
        broken,
        back,
        *pages,
        hooked,
        tuple(trouble),
    )


def settled_at(host: str, run: str) -> float:
    """When a host was settled in that run, by its own journal, which has whole seconds."""
    lines = on_host(host, "cat /srv/shop/.headway/journal.jsonl").split("\n")
    ours = [one for one in map(json.loads, lines) if one["deploy"] == run]
    found = [one for one in ours if one["what"] == "settled"]
    assert len(found) == 1, f"{host}: {ours}"
    return datetime.fromisoformat(found[0]["at"]).timestamp()


def assert_purged_after_the_last_host(ran: Ran) -> None:
    (purge,) = ran.to("cloudflare")
    assert (purge["what"], purge["zone"], purge["said"]) == ("purge", "sandbox", "ok")
    assert purge["body"] == {"tags": ["html"]}
    lines = [line for _, line in ran.done.lines if line.startswith("  ✓")]
    step = next(number for number, line in enumerate(lines) if re.match(r"  ✓ purge\b", line))
    settled = [number for number, line in enumerate(lines) if re.search(r"\bsettle\b", line)]
    assert len(settled) >= len(WEB)
    assert max(settled) < step
    last = max(settled_at(host, ran.record["id"]) for host in WEB)
    assert last <= purge["at"] <= last + 20


# --- who is told misbehaves ----------------------------------------------------------------------


def test_nobody_who_misbehaves_fails_a_deploy(story: Story) -> None:
    ran = story.troubled
    assert ran.done.exit_code == 0, ran.done.text
    assert {one["said"] for one in ran.to("slack")} == {"nothing"}
    assert [one["status"] for one in ran.to("cloudflare")] == [500] * 3
    assert {one["status"] for one in ran.to("webhook")} == {429}
    warned = [line for _, line in ran.done.lines if line.startswith("  ! ")]
    assert any(line.startswith("  ! notify.slack: ") for line in warned), warned
    assert any(line.startswith("  ! notify.webhook: answered 429") for line in warned), warned
    purge = "  ! cloudflare was not purged: answered 500 (3 times); again: inv cdn.sandbox"
    assert purge in warned
    assert "retry_scheduled" not in ran.done.text, "its tries are told by that line alone"


def test_in_no_way_does_anybody_fail_a_deploy_or_hold_it_up(story: Story) -> None:
    for faults, ran in story.trouble:
        assert ran.done.exit_code == 0, ran.done.text
        warned = [line for _, line in ran.done.lines if line.startswith("  ! ")]
        silent = {"slack", "webhook"} if "gone" in faults.values() else {*faults} - {"cloudflare"}
        for service in silent:
            assert any(line.startswith(f"  ! notify.{service}: ") for line in warned), warned
        steps = [at for at, line in ran.done.lines if line.startswith(("  ✓", "  ! cloudflare"))]
        assert ran.done.lines[-1][0] - steps[-1] < LATEST, ran.done.lines


# --- a deploy in Actions -------------------------------------------------------------------------


def test_slack_has_one_message_that_says_it_all(story: Story) -> None:
    ran = story.good
    assert ran.done.exit_code == 0, ran.done.text
    slack = ran.to("slack")
    assert [one["what"] for one in slack[:2]] == ["chat.postMessage", "chat.update"]
    assert {one["what"] for one in slack[2:]} <= {"chat.update"}
    assert {one["said"] for one in slack} == {"ok"}
    assert len({one["message"] for one in slack}) == 1
    assert slack[0]["body"]["text"] == "… shop · sandbox · all-1 → all-2: under way"
    lines = ran.last.split("\n")
    assert lines[0].startswith("✓ shop · sandbox · all-1 → all-2: done in ")
    fields = dict(re.findall(r"^(\w[\w ]+): +(\S.*)$", ran.last, re.MULTILINE))
    older, newer, _ = story.commits
    assert fields["Commit"] == f"{newer[:7]} ({PAGE}/commit/{newer})"
    assert (fields["Written by"], fields["Ordered by"]) == ("Bo", "cleo@github")
    assert re.fullmatch(r"(\d+) of \1", fields["Hosts done"])
    assert "passed" in fields["Smoke"]
    assert "What comes" in lines
    assert f"• Coupons can be combined (#212 ({PAGE}/pull/212))" in lines
    assert f"[Run] {PAGE}/actions/runs/7" in lines
    assert f"[Compare] {PAGE}/compare/{older}...{newer}" in lines
    assert f"[Roll back] {ROLLBACK}" in lines
    assert "[Site] http://127.0.0.1:8080" in lines


def test_the_webhook_has_the_record_signed(story: Story) -> None:
    posts = story.good.to("webhook")
    assert [one["what"] for one in posts] == ["started", "ended"]
    key = Home().secret("SANDBOX_WEBHOOK_KEY")
    for one in posts:
        assert one["said"] == "ok"
        assert one["headers"]["headway-signature"] == signature(key, one["raw"].encode())
    record = story.good.record
    assert (record["before"], record["after"], record["outcome"]) == ("all-1", "all-2", "done")
    assert {host["name"] for host in record["hosts"] if host["settled"]} >= set(WEB)


def test_the_job_has_a_summary(story: Story) -> None:
    assert story.summary.startswith("### ✓   shop · sandbox · all-1 → all-2   done in ")
    who = f"{story.commits[1][:7]} Coupons can be combined (\\#212) · Bo · ordered by cleo\\@github"
    assert f"\n\n{who}\n\n" in story.summary
    for host in (*WEB, "worker-1"):
        assert f"| ✓ | {host} |" in story.summary
    assert re.search(r"\| ✓ \| smoke \| .* \| \d+ passed", story.summary)
    assert re.search(r"\| ✓ \| purge \| .* \| cloudflare: tag html \|", story.summary)
    assert "```mermaid\ngantt" in story.summary
    assert story.summary.count("Coupons can be combined") == 2, "in the head, and what comes"


def test_its_page_has_what_came_and_what_was_asked(story: Story) -> None:
    text = html.unescape(re.sub(r"<[^>]+>", "", story.good_page))
    for words in ("all-1 → all-2", "Coupons can be combined (#212)"):
        assert words in text, words
    row = r'<td>([^<]+)</td><td>([^<]+)</td><td class="number">[^<]+</td><td>✓ passed</td>'
    asked = set(re.findall(row, story.good_page))
    assert {("login", "web-1"), ("order", "web-1"), ("order", "the site")} <= asked, asked


def test_a_hook_is_called_for_each_host(story: Story) -> None:
    lines = story.hooked.splitlines()
    assert {f"all-2 {host}" for host in WEB} <= set(lines)


def test_the_site_was_asked_and_somebody_ordered_in_a_browser(story: Story) -> None:
    smoke = [line for _, line in story.good.done.lines if re.match(r"  ✓ .*\bsmoke\b", line)]
    assert len(smoke) == 2, story.good.done.text
    assert "5 passed" in smoke[0]
    assert f"{3 + 2 * len(WEB)} passed" in smoke[1]


def test_the_cdn_is_purged_once_all_hosts_serve_it(story: Story) -> None:
    assert_purged_after_the_last_host(story.good)


# --- a broken login ------------------------------------------------------------------------------


def test_a_broken_login_is_put_back_and_slack_says_why(story: Story) -> None:
    ran = story.broken
    assert ran.done.exit_code == 4, ran.done.text
    assert ran.last.startswith("✗ shop · sandbox · all-2 → all-bad: failed, and reverted in ")
    lines = ran.last.split("\n")
    reason = next(line for line in lines if line.startswith("web-1 smoke: "))
    assert "login on web-1: failed on try 3, answered 500, expected 2xx" in reason
    assert any(line.startswith("↩ web-1: ") for line in lines), ran.last
    assert f"• A new login (#213 ({PAGE}/pull/213))" in lines
    assert ran.record["outcome"] == "reverted"
    assert ran.record["exit_code"] == 4
    # web-1 had answered with it, so what a CDN has kept may be of it.
    (purge,) = ran.to("cloudflare")
    assert purge["said"] == "ok"


def test_its_page_tells_it_again(story: Story) -> None:
    text = html.unescape(re.sub(r"<[^>]+>", "", story.page))
    for words in (
        "failed, and put back",
        "login on web-1: failed on try 3, answered 500, expected 2xx",
        "A new login (#213)",
        "all-2 → all-bad",
        "Exit code4",
    ):
        assert words in text, words
    assert story.page.count('class="failed"') >= 1


# --- a rollback ----------------------------------------------------------------------------------


def test_a_rollback_is_told_and_purged_after_its_last_host(story: Story) -> None:
    ran = story.back
    assert ran.done.exit_code == 0, ran.done.text
    assert ran.last.startswith("✓ shop · sandbox · rollback all-2 → all-1: done in ")
    assert "What goes" in ran.last.split("\n")
    assert f"• Coupons can be combined (#212 ({PAGE}/pull/212))" in ran.last
    assert_purged_after_the_last_host(ran)


# --- and none of it tells a secret ---------------------------------------------------------------


def test_nobody_was_told_a_secret(story: Story) -> None:
    held = dict(
        line.partition("=")[::2] for line in (ROOT / ".sandbox" / "env").read_text().splitlines()
    )
    told = [
        story.troubled,
        story.good,
        story.broken,
        story.back,
        *(ran for _, ran in story.trouble),
    ]
    text = json.dumps([ran.told for ran in told], ensure_ascii=False) + story.summary
    text += story.page + story.good_page
    text += "".join(ran.done.text for ran in told)
    assert [name for name, value in held.items() if value in text] == []

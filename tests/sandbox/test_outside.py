"""What stands for Slack, Cloudflare and a webhook: the server, asked by what a deploy asks."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from invoke.context import Context
from invoke.exceptions import Exit
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from deploy.cdn.cdn import purge
from deploy.cdn.choose import cdns
from deploy.notify import notifier as module
from deploy.notify.webhook import signature
from deploy.sandbox import fleet, provide
from deploy.sandbox.containers import NO_REQUEST
from deploy.sandbox.home import Home
from deploy.sandbox.machines import OUTSIDE_SECRETS, OUTSIDE_SERVER, outside
from deploy.sandbox.outside.faults import FAULTS, FOLDER
from deploy.sandbox.outside.shown import plain, shown
from deploy.tasks import sandbox as task
from tests.notify.render import LINKS, MANY, RUNS, known, message, tally_of
from tests.notify.told import tell
from tests.settings.repository import GOOD, loaded
from tests.views.sequences import CASES

SECRETS = {
    "SANDBOX_SLACK_TOKEN": "sandbox-slack",
    "SANDBOX_SLACK_WEBHOOK": "http://127.0.0.1:5051/slack/services/abc",
    "SANDBOX_CLOUDFLARE_TOKEN": "sandbox-cloudflare",
    "SANDBOX_WEBHOOK_KEY": "sandbox-key",
}
RUN = known(CASES["success"]())


@dataclass
class Server:
    """The server as a process of this machine, and what it has written."""

    port: int
    log: Path
    faults: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().split("\n") if line]

    def sh(self, shell: str, service: str) -> None:
        argv = ["sh", "-euc", shell.replace(FOLDER, str(self.faults)), "sh", service]
        subprocess.run(argv, check=True)

    def environment(self, root: Path, slack: str = "") -> Any:
        """A hosts file that speaks to it as hosts/sandbox.yaml does to the one of the sandbox."""
        way = (
            slack or f"token: SANDBOX_SLACK_TOKEN, channel: '#deploys', api: '{self.url}/slack/api'"
        )
        text = (
            f"notify: {{slack: {{{way}}}, "
            f"webhook: {{url: '{self.url}/webhook', key: SANDBOX_WEBHOOK_KEY}}}}\n"
            "cdn: {cloudflare: {zone: sandbox, token: SANDBOX_CLOUDFLARE_TOKEN, "
            f"purge: {{tags: [html]}}, api: '{self.url}/cloudflare/client/v4'}}}}\n"
        )
        address = f"{self.url}/slack/services/abc"
        return loaded(root, GOOD + text, {**SECRETS, "SANDBOX_SLACK_WEBHOOK": address})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """As its container runs it, with the files that the container has."""
    home = Home(tmp_path / "home")
    home.path.mkdir()
    home.env.write_text("".join(f"{name}={value}\n" for name, value in SECRETS.items()))
    files = fleet.contents(outside(), home)
    secrets = tmp_path / "secrets.json"
    secrets.write_bytes(files[OUTSIDE_SECRETS].content)
    code = tmp_path / "server.mjs"
    code.write_bytes(files[OUTSIDE_SERVER].content)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    one = Server(port, tmp_path / "log", tmp_path / "faults")
    node, _, _, _, _, _ = outside().command
    argv = [node, str(code), "127.0.0.1", str(port), str(secrets), str(one.faults)]
    with one.log.open("wb") as log, subprocess.Popen(argv, stdout=log) as process:
        until = time.monotonic() + 20
        while not _answers(port):
            assert time.monotonic() < until
            assert process.poll() is None
            time.sleep(0.05)
        yield one
        process.terminate()
        assert process.wait(10) == 0


def _answers(port: int) -> bool:
    """What `up` asks of it."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(NO_REQUEST)
            return connection.recv(16)[9:12] == b"400"
    except OSError:
        return False


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GAP", 0.05)


def test_what_up_asks_is_no_request(server: Server) -> None:
    assert server.told == []


# --- as a run speaks to them ---------------------------------------------------------------------


def test_a_run_is_written_down(tmp_path: Path, server: Server) -> None:
    one = server.environment(tmp_path)
    assert tell(one, RUN)[0] == []
    assert [str(found) for found in purge(cdns(one), "d-1")] == ["cloudflare: tag html"]
    slack = [seen for seen in server.told if seen["to"] == "slack"]
    assert [seen["what"] for seen in slack] == [
        "chat.postMessage",
        *["chat.update"] * (len(slack) - 1),
    ]
    assert len({seen["message"] for seen in slack}) == 1
    assert slack[-1]["body"]["text"] == "✓ shop · production · v1.4.2 → v1.5.0: done in 39.5 s"
    (purged,) = (seen for seen in server.told if seen["to"] == "cloudflare")
    assert (purged["what"], purged["zone"], purged["body"]) == (
        "purge",
        "sandbox",
        {"tags": ["html"]},
    )
    posts = [seen for seen in server.told if seen["to"] == "webhook"]
    assert [seen["what"] for seen in posts] == ["started", "ended"]
    for seen in posts:
        signed = signature(SECRETS["SANDBOX_WEBHOOK_KEY"], seen["raw"].encode())
        assert seen["headers"]["headway-signature"] == signed
        assert json.loads(seen["raw"]) == seen["body"]
    assert {(seen["said"], seen["status"]) for seen in server.told} == {("ok", 200)}
    assert all(abs(time.time() - seen["at"]) < 60 for seen in server.told)
    written = server.log.read_text()
    assert not [value for value in SECRETS.values() if value in written]


def test_slacks_webhook(tmp_path: Path, server: Server) -> None:
    one = server.environment(tmp_path, "webhook: SANDBOX_SLACK_WEBHOOK")
    assert tell(one, RUN)[0] == []
    slack = [seen for seen in server.told if seen["to"] == "slack"]
    assert [(seen["what"], seen["said"]) for seen in slack] == [("webhook", "ok")] * 2
    assert slack[-1]["body"]["text"].startswith("✓ shop")


def test_wrong_tokens_are_refused_and_not_written_down(server: Server) -> None:
    client = WebClient("wrong-token", base_url=f"{server.url}/slack/api/")
    with pytest.raises(SlackApiError, match="invalid_auth"):
        client.chat_postMessage(channel="#deploys", text="x")
    wrong = {"Authorization": "Bearer wrong-token"}
    zone = f"{server.url}/cloudflare/client/v4/zones/sandbox/purge_cache"
    no = requests.post(zone, json={"tags": ["a"]}, headers=wrong, timeout=9)
    assert (no.status_code, no.json()["success"]) == (403, False)
    unsigned = requests.post(f"{server.url}/webhook", data="{}", timeout=9)
    forged = {"Headway-Signature": signature("wrong-token", b"{}")}
    other = requests.post(f"{server.url}/webhook", data="{}", headers=forged, timeout=9)
    gone = requests.post(f"{server.url}/slack/services/wrong-token", json={"text": "x"}, timeout=9)
    assert (unsigned.status_code, other.status_code, gone.status_code) == (401, 401, 404)
    assert [seen["status"] for seen in server.told] == [200, 403, 401, 401, 404]
    assert "wrong-token" not in server.log.read_text()


def test_what_is_no_message_of_slacks(server: Server) -> None:
    client = WebClient(SECRETS["SANDBOX_SLACK_TOKEN"], base_url=f"{server.url}/slack/api/")
    sent = client.chat_postMessage(channel="#deploys", text="x")
    edited = client.chat_update(channel=sent["channel"], ts=sent["ts"], text="y")
    assert edited["ts"] == sent["ts"]
    with pytest.raises(SlackApiError, match="message_not_found"):
        client.chat_update(channel=sent["channel"], ts="1.000001", text="y")
    with pytest.raises(SlackApiError, match="unknown_method"):
        client.api_call("auth.nothing", json={"channel": "x"})


@pytest.mark.parametrize("path", ["/", "/slackers/api", "/constructor", "/webhooks"])
def test_an_address_that_is_nobodys(server: Server, path: str) -> None:
    assert requests.post(f"{server.url}{path}", data=b"\xff{", timeout=9).status_code == 404
    (seen,) = server.told
    assert (seen["to"], seen["what"], seen["status"]) == ("", f"POST {path}", 404)


# --- as they misbehave ---------------------------------------------------------------------------

MISBEHAVED = {
    "hang": ("gave no answer in time", "nothing", None),
    "close": ("closed the connection early", "hung up", None),
    "answer-429": ("answered 429", "too many requests", 429),
    "answer-500": ("answered 500", "internal error", 500),
    "say-no": ("", None, None),
}


@pytest.mark.parametrize("name", MISBEHAVED)
def test_slack_misbehaves_and_the_run_goes_on(tmp_path: Path, server: Server, name: str) -> None:
    words, said, status = MISBEHAVED[name]
    one = server.environment(tmp_path)
    for _ in range(2):
        server.sh(FAULTS[name].make, "slack")
    warned, seconds = tell(one, RUN)
    assert seconds < 5.5
    words = words or "answered account_inactive"
    assert [text for text in warned if words in text or "no time left" in text]
    assert all(text.startswith("notify.slack: ") for text in warned), "the webhook is as it was"
    seen = next(seen for seen in server.told if seen["to"] == "slack")
    if said:
        assert (seen["said"], seen["status"]) == (said, status)
    # Mending another one changes nothing, mending this one twice is mending it once.
    server.sh(FAULTS["hang" if name != "hang" else "close"].mend, "slack")
    assert (server.faults / "slack").exists()
    for _ in range(2):
        server.sh(FAULTS[name].mend, "slack")
    assert tell(one, RUN)[0] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("close", "closed the connection early (3 times)"),
        ("answer-429", "answered 429 (3 times)"),
        ("answer-500", "answered 500 (3 times)"),
        ("say-no", "Unable to purge (1134)"),
    ],
)
def test_cloudflare_misbehaves(tmp_path: Path, server: Server, name: str, words: str) -> None:
    server.sh(FAULTS[name].make, "cloudflare")
    (found,) = purge(cdns(server.environment(tmp_path)), "d-1")
    assert found.error == words


@pytest.mark.parametrize("name", MISBEHAVED)
def test_the_webhook_misbehaves(tmp_path: Path, server: Server, name: str) -> None:
    server.sh(FAULTS[name].make, "webhook")
    warned, seconds = tell(server.environment(tmp_path), RUN)
    assert seconds < 5.5
    assert warned
    assert all(text.startswith("notify.webhook: ") for text in warned)


# --- as people read it ---------------------------------------------------------------------------


def entry(**more: Any) -> dict[str, Any]:
    return {"at": 1790000000.5, "said": "ok", "status": 200, **more}


def test_it_reads_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    events = RUNS["reverted"][0]
    first, last = (message(tally_of(known(some)), MANY, LINKS) for some in (events[:3], events))
    slack = {"to": "slack", "message": "1.000001"}
    text = shown(
        [
            entry(**slack, what="chat.postMessage", body=first),
            entry(to="cloudflare", what="purge", zone="sandbox", body={"tags": ["html", "css"]}),
            entry(to="webhook", what="ended", body={"verb": "deploy", "app": "shop", "id": "d-1"}),
            entry(**slack, what="chat.update", body=last),
            {**entry(to="slack", what="chat.update", body={"text": "no"}), "status": 429},
        ]
    )
    lines = text.split("\n")
    assert lines[:6] == [
        "14:13:20  slack       chat.postMessage  ok",
        "          … shop · production · v1.4.2 → v1.5.0: under way",
        "14:13:20  cloudflare  purge             ok",
        "          tags: html, css",
        "14:13:20  webhook     ended             ok",
        "          deploy · shop · d-1",
    ]
    assert (
        "          Commit:       bbbbbbb (https://github.com/acme/shop/commit/" + "b" * 40 + ")"
        in lines
    )
    assert "          • Change 1 (#1 (https://github.com/acme/shop/pull/1))" in lines
    assert "          What comes" in lines
    assert "          [Site] https://shop.example" in lines
    assert lines[-2:] == ["14:13:20  slack       chat.update       ok (429)", "          no"]
    assert shown([]) == "Nobody was told anything yet. inv deploy.sandbox tells them."


class Engine:
    """A Docker with the server's container, which has written these lines; or without it."""

    def __init__(self, log: str | None) -> None:
        self.log = log

    def __call__(self, *argv: str) -> str:
        assert argv == ("logs", "headway-outside")
        assert self.log is not None
        return self.log

    def works(self, *_argv: str) -> bool:
        return self.log is not None


def test_it_is_typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        json.dumps(entry(to="cloudflare", what="purge", body={"tags": [name]}), ensure_ascii=False)
        for name in ("a", "b\u2028c")
    ]
    engine = Engine("\n".join(["(node:1) a warning", *lines]))
    monkeypatch.setattr(provide, "running", lambda: engine)
    task.told(Context())
    out = capsys.readouterr().out
    assert out.index("tags: a\n") < out.index("tags: b")
    task.told(Context(), json=True, last=1)
    (last,) = capsys.readouterr().out.splitlines()
    assert json.loads(last)["body"] == {"tags": ["b\u2028c"]}
    engine.log = None
    with pytest.raises(Exit, match=r"inv sandbox\.up") as none:
        task.told(Context())
    assert none.value.code == 2


def test_slacks_markup_as_it_looks() -> None:
    text = "*bold* 2*3*4 &lt;b&gt; &amp;amp; <https://a.example|a> ```x *y*\n<z|w>```"
    assert plain(text) == ("bold 2*3*4 <b> &amp; a (https://a.example)   | x *y*\n  | <z|w>")

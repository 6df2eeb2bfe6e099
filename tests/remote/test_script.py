"""What is sent to a host: exact texts, values that come through whole, and shell that is clean."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.remote.script import CALL, PARTS, Report, script
from deploy.remote.ssh import MAX_COMMAND

PACKAGE = Path(__file__).resolve().parents[2] / "deploy"
PROXIES = sorted(path.stem for path in (PACKAGE / "proxy").glob("*.sh"))
LOCKED = (
    "prepare",
    "recall",
    "stage",
    "switch",
    "switch_back",
    "settle",
    "place",
    "abandon",
    "conclude",
    "note",
    "bar",
)
ARROWS = [*((arrow, True) for arrow in LOCKED), ("facts", False)]

SETTINGS = {
    "dir": "/srv/shop",
    "project": "shop",
    "network": "shop_default",
    "release": "v2-0a1b2c3d",
    "deploy": "d-1",
    "verb": "deploy",
    "by": "ada@laptop",
    "commit": "c" * 40,
    "journal_since": "",
    "token": "d-1.deploy.stage",
    "lock_wait": "120",
    "keep": "5",
    "no_deps": "",
    "site": "https://shop.example",
    "proxy_service": "proxy",
    "min_healthy": "500",
    "healthy_deadline": "6000",
    "probe_timeout": "500",
    "probe_deadline": "1000",
    "bake": "1000",
    "registry": "ghcr.io",
    "registry_user": "acme",
}
"""All that a situation gives to an arrow (`Situation.arrows`)."""


def test_there_is_a_proxy_part() -> None:
    assert "caddy" in PROXIES


def test_the_text_is_settings_then_parts_then_the_call() -> None:
    text = script({"b": "it's", "a": "x y", "c": ""}, "caddy", "stage", ["one two", "-v"])
    lines = text.splitlines()
    assert lines[:4] == ["a='x y'", "b='it'\"'\"'s'", "c=''", "set -u"]
    assert lines[-3:] == ["begin", "stage 'one two' -v", "finish $?"]
    assert text.endswith("finish $?\n")
    places = [
        text.index(f"\n{name}() {{") for name in ("say", "unwell", "receive", "stage_service")
    ]
    assert places == sorted(places)
    assert text.index("\nproxy_inflight() {") > text.index("\nfacts() {")


def test_reading_takes_no_lock() -> None:
    lines = script(SETTINGS, "caddy", "facts", ["data/uploads"], locked=False).splitlines()
    assert lines[-1] == "facts data/uploads"
    assert "begin" not in lines
    assert "finish $?" not in lines


def test_comments_stay_at_home() -> None:
    text = script(SETTINGS, "caddy", "stage")
    found = [line for line in text.splitlines() if re.match(r"\s*#", line) or not line]
    assert found == [CALL]


def test_every_part_is_sent() -> None:
    """A new `*.sh` in the folder belongs into PARTS; what stands alone is named here."""
    assert sorted({*PARTS, "lease", "story", "gate", "setup"}) == sorted(
        path.stem for path in (PACKAGE / "remote").glob("*.sh")
    )


@pytest.fixture
def asked_on_a_host(tmp_path: Path) -> Iterator[Callable[[int, bytes], dict[str, Any]]]:
    """A failing probe of a container that runs, and what the script knows of it afterwards."""
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho running 0 false 0 healthy then blue\n")
    docker.chmod(0o755)
    replies: list[tuple[int, bytes]] = []

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = replies[-1]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def ask(status: int, body: bytes) -> dict[str, Any]:
        replies.append((status, body))
        url = f"http://127.0.0.1:{server.server_port}/healthz"
        words = ["web", "1", "through the proxy", "/healthz", url]
        given_ = SETTINGS | {"dir": str(tmp_path), "probe_deadline": "1"}
        text = script(given_, "caddy", "probe", words, locked=False)
        text += 'say failed reason "$reason" detail "$detail" answer "$got"\n'
        path = f"{tmp_path}:{os.environ['PATH']}"
        done = subprocess.run(
            ["/bin/sh", "-c", text],
            capture_output=True,
            timeout=20,
            check=False,
            env={"PATH": path},
        )
        return Report().add(done.stdout.decode().splitlines()[-1]) or {}

    yield ask
    server.shutdown()
    server.server_close()


def test_a_probe_that_fails_says_what_it_was_answered(
    asked_on_a_host: Callable[[int, bytes], dict[str, Any]],
) -> None:
    found = asked_on_a_host(500, b'\n  {"status":"error"}\nmore\n')
    assert found["reason"].startswith("/healthz through the proxy answered 500 (")
    assert found["answer"] == '500   {"status":"error"}'
    assert "more" in found["detail"]
    assert asked_on_a_host(503, b"")["answer"].strip() == "503"
    # What is cut in its middle may be a secret, of which the rest is not known any more.
    long = asked_on_a_host(502, b"password " * 400 + b"\n<p>Bad gateway</p>\n")
    assert long["answer"] == "502 ... <p>Bad gateway</p>"


VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


@settings(deadline=None, max_examples=60)
@given(values=st.lists(VALUES, min_size=1, max_size=12))
def test_values_come_through_a_shell_as_they_are(values: list[str]) -> None:
    names = {f"v{number}": value for number, value in enumerate(values)}
    head = script(names, "caddy", "true").split("set -u\n", 1)[0]
    asked = "".join(f"printf '%s\\0' \"${name}\"\n" for name in names)
    done = subprocess.run(
        ["/bin/sh", "-c", head + asked], capture_output=True, timeout=20, check=True
    )
    assert done.stdout.decode().split("\0")[:-1] == values


@settings(deadline=None, max_examples=40)
@given(arguments=st.lists(VALUES, min_size=1, max_size=6))
def test_arguments_come_through_a_shell_as_they_are(arguments: list[str]) -> None:
    text = script({}, "caddy", "shown", arguments, locked=False)
    call = text.split("\nproxy_flip() ", 1)[1]
    call = call[call.rindex("\nshown ") + 1 :]
    function = 'shown() { printf "%s\\0" "$@"; }\n'
    done = subprocess.run(
        ["/bin/sh", "-c", function + call], capture_output=True, timeout=20, check=True
    )
    assert done.stdout.decode().split("\0")[:-1] == arguments


HOSTILE = [
    "$(touch /tmp/x)",
    "`id`",
    "'; rm -rf / #",
    '"',
    "a\nb",
    "-n",
    "~",
    "*",
    "\\",
    "${HOME}",
    "!!",
    "ä€\u2028",
    " ",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_is_text(value: str) -> None:
    head = script({"by": value}, "caddy", "true").split("set -u\n", 1)[0]
    assert head == f"by={shlex.quote(value)}\n"
    done = subprocess.run(
        ["/bin/sh", "-c", f'{head}printf %s "$by"'], capture_output=True, timeout=20, check=True
    )
    assert done.stdout.decode() == value


@pytest.mark.parametrize("proxy", PROXIES)
@pytest.mark.parametrize(("arrow", "locked"), ARROWS, ids=[name for name, _ in ARROWS])
def test_the_whole_is_clean(arrow: str, locked: bool, proxy: str, tmp_path: Path) -> None:
    text = script(SETTINGS, proxy, arrow, ["argument"], locked=locked)
    # An argument of the login shell and a file for shellcheck are the same text.
    file = tmp_path / "whole.sh"
    file.write_text("#!/bin/sh\n" + text)
    for shell in ("sh", "dash", "bash"):
        if shutil.which(shell):
            subprocess.run([shell, "-n", str(file)], check=True, timeout=20)
    # Far from the limit: the words `timeout … sh -c` come on top, and quotes are quoted again.
    assert len(shlex.quote(text).encode()) < MAX_COMMAND // 2


@pytest.mark.parametrize("proxy", PROXIES)
def test_shellcheck_finds_nothing_in_the_whole(proxy: str, tmp_path: Path) -> None:
    """With every rule: in one text each name must be assigned and each assignment used."""
    whole = script(SETTINGS, proxy, "true", locked=False).removesuffix(f"{CALL}\ntrue\n")
    # The functions whose names are handed to each_service and the like get seven fields.
    named = sorted(set(re.findall(r"\beach_\w+ (\w+)", whole)))
    calls = [
        "begin",
        "guarded",
        *(f"{one} 1 2 3 4 5 6 7" for one in (*LOCKED, "facts", *named)),
        "finish $?",
    ]
    file = tmp_path / "whole.sh"
    # Directives are comments, which are not sent; here they have to count.
    file.write_text("#!/bin/sh\n" + with_directives(whole, proxy) + "\n".join(calls) + "\n")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("shellcheck")), "--norc", "-s", "sh", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == ""
    assert done.returncode == 0


def with_directives(whole: str, proxy: str) -> str:
    """The same text with the files' own `shellcheck disable` lines put back."""
    head = whole.split("set -u\n", 1)[0]
    files = [*(PACKAGE / "remote" / f"{part}.sh" for part in PARTS)]
    files.append(PACKAGE / "proxy" / f"{proxy}.sh")
    kept = [
        line
        for file in files
        for line in file.read_text().splitlines()
        if line and (not line.lstrip().startswith("#") or "shellcheck disable=" in line)
    ]
    sent = [line for line in kept if "shellcheck disable=" not in line]
    assert "\n".join(sent) + "\n" == whole.removeprefix(head)
    for line in kept:
        if "shellcheck disable=" in line:
            assert not {"SC2154", "SC2034"} & set(re.findall(r"SC\d+", line)), line
    return head + "\n".join(kept) + "\n"


@pytest.mark.parametrize(
    ("line", "event"),
    [
        ('{"event":"said","text":"x"}', {"event": "said", "text": "x"}),
        ("pulling…", None),
        ("", None),
        ("[1]", None),
        ('"event"', None),
        ("5", None),
        ('{"text":"x"}', None),
        ('{"event":"said","te', None),
    ],
)
def test_lines_that_are_no_events_are_passed_over(line: str, event: dict[str, str] | None) -> None:
    report = Report()
    assert report.add(line) == event
    assert report.events == ([event] if event else [])


def test_a_report_finds_by_name() -> None:
    report = Report()
    for number in range(3):
        report.add(json.dumps({"event": "odd" if number % 2 else "even", "n": number}))
    assert [event["n"] for event in report.all("even")] == [0, 2]
    assert report.last("even") == {"event": "even", "n": 2}
    assert report.last("odd") == {"event": "odd", "n": 1}
    assert report.last("none") is None

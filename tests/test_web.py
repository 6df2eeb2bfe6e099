"""A POST: tried again where that is worth it, and over in time, against a real server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from deploy import web

from .stand_in import breaks_off, closes, hangs, nobody, says, stand_in, trickles

BUSY = says({}, 503, Retry_After="0")


def post(url: str, *, tries: int = 3, each: float = 5.0, limit: float = 10.0) -> web.Answer:
    until = time.monotonic() + limit
    return web.post(url, b"{}", {"X-Key": "k"}, tries=tries, each=each, until=until)


def refused(url: str, *, tries: int = 3, each: float = 5.0, limit: float = 10.0) -> str:
    with pytest.raises(web.NoAnswer) as caught:
        post(url, tries=tries, each=each, limit=limit)
    return str(caught.value)


def test_an_answer() -> None:
    with stand_in(says({"a": 1})) as server:
        answer = post(f"{server.url}/x?y=1")
    assert (answer.status, answer.content, answer.good) == (200, b'{"a": 1}', True)
    (seen,) = server.seen
    assert (seen.path, seen.body, seen.headers["x-key"]) == ("/x?y=1", b"{}", "k")


def test_a_no_is_an_answer_and_is_not_asked_again() -> None:
    with stand_in(says({}, 403)) as server:
        assert not post(server.url).good
    assert len(server.seen) == 1


def test_a_redirect_is_not_followed() -> None:
    with stand_in() as other, stand_in(says({}, 307, Location=other.url)) as server:
        assert (post(server.url).status, other.seen) == (307, [])


@pytest.mark.parametrize("bad", [BUSY, says({}, 429, Retry_After="0"), closes, breaks_off])
def test_what_passes_is_asked_again(bad: object) -> None:
    with stand_in(bad, bad, says({})) as server:  # type: ignore[arg-type]
        assert post(server.url).good
    assert len(server.seen) == 3


def test_the_tries_are_counted() -> None:
    with stand_in(BUSY) as server:
        assert refused(server.url, tries=2) == "answered 503 (2 times)"
    assert len(server.seen) == 2


def test_a_try_is_not_told_past_the_sink() -> None:
    """In a process of its own: pytest has a handler for what is logged here."""
    with stand_in(says({}, 429, Retry_After="0"), says({})) as server:
        code = (
            "import sys, time; from deploy import web\n"
            "until = time.monotonic() + 10\n"
            "print(web.post(sys.argv[1], b'', {}, tries=2, each=5, until=until).status)"
        )
        words = [sys.executable, "-c", code, server.url]
        environ = os.environ | {"PYTHONPATH": str(Path(web.__file__).parents[1])}
        done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    assert len(server.seen) == 2
    assert (done.stdout, done.stderr) == ("200\n", "")


def test_retry_after_is_waited_for() -> None:
    with stand_in(says({}, 429, Retry_After="1"), says({})) as server:
        began = time.monotonic()
        assert post(server.url).good
    assert 1 <= time.monotonic() - began < 3


def test_a_retry_after_beyond_the_limit_is_not() -> None:
    with stand_in(says({}, 429, Retry_After="3600")) as server:
        began = time.monotonic()
        assert refused(server.url) == "answered 429"
    assert time.monotonic() - began < 2
    assert len(server.seen) == 1


@pytest.mark.parametrize("bad", [hangs, trickles])
def test_who_never_comes_to_an_end_is_left(bad: object) -> None:
    with stand_in(bad) as server:  # type: ignore[arg-type]
        began = time.monotonic()
        assert refused(server.url, each=0.3) == "gave no answer in time (3 times)"
        assert time.monotonic() - began < 4
        began = time.monotonic()
        refused(server.url, each=30, limit=0.5)
        assert time.monotonic() - began < 2


def test_nobody_there() -> None:
    assert refused(nobody(), tries=1) == "cannot be reached: ConnectionError"


def test_the_reason_does_not_name_the_address() -> None:
    """A webhook's address is a secret."""
    with stand_in(closes) as server:
        assert refused(f"{server.url}/T0/B0/hunter2", tries=1) == "closed the connection early"


def test_a_netrc_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with stand_in() as server:
        post(server.url)
        until = time.monotonic() + 5
        web.post(server.url, b"", {"Authorization": "Bearer t"}, tries=1, each=5, until=until)
    assert [one.headers.get("authorization") for one in server.seen] == [None, "Bearer t"]


def test_a_long_answer_is_cut() -> None:
    with stand_in(says(b"x" * 10_000_000)) as server:
        assert len(post(server.url).content) < 100_000


def test_retry_after_in_its_forms() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    assert 15 < web.retry_after(soon) <= 20
    assert web.retry_after("7") == 7
    assert web.retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    for nonsense in (None, "", "soon", "-1", "٣", "1e9"):
        assert web.retry_after(nonsense) == 0.5

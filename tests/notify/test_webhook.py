"""The signed webhook, against a real HTTP server."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest

from deploy.notify.webhook import signature

from ..stand_in import breaks_off, closes, hangs, nobody, says, stand_in, trickles
from ..views.sequences import CASES
from .render import known
from .told import SECRETS, environment, tell

RUN = known(CASES["reverted"]())
KEY = SECRETS["KEY"]


def webhook(root: Path, url: str) -> Any:
    return environment(root, f"webhook: {{url: '{url}/deploys', key: KEY}}")


def test_the_record_at_both_ends(tmp_path: Path) -> None:
    with stand_in(says(b"", 204)) as server:
        assert tell(webhook(tmp_path, server.url), RUN)[0] == []
    first, last = server.seen
    assert first.path == "/deploys"
    assert (first.json["event"], last.json["event"]) == ("started", "ended")
    assert (first.json["outcome"], last.json["outcome"]) == (None, "reverted")
    assert (last.json["v"], last.json["exit_code"], last.json["by"]) == (1, 4, "bo@github")
    assert last.json["failures"][0]["host"] == "web-2"
    assert [host["name"] for host in last.json["hosts"]] == ["web-1", "web-2", "web-3", "worker-1"]
    assert last.json["changelog"]["lacking"] == "there is no checkout here to read the commits from"


def test_the_signature_is_of_the_body_that_came(tmp_path: Path) -> None:
    with stand_in() as server:
        tell(webhook(tmp_path, server.url), RUN)
    for seen in server.seen:
        digest = hmac.new(KEY.encode(), seen.body, hashlib.sha256).hexdigest()
        assert seen.headers["headway-signature"] == f"sha256={digest}"
        assert seen.headers["headway-event"] == seen.json["event"]


def test_a_known_signature() -> None:
    # RFC 4231, test case 2.
    assert signature("Jefe", b"what do ya want for nothing?") == (
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_both_tries_are_the_same(tmp_path: Path) -> None:
    with stand_in(says({}, 500), says({})) as server:
        assert tell(webhook(tmp_path, server.url), RUN)[0] == []
    first, again, last = server.seen
    assert (first.body, first.headers["headway-delivery"]) == (
        again.body,
        again.headers["headway-delivery"],
    )
    assert last.headers["headway-delivery"] == "d-20261122-1904-ended"


BAD = {
    "hangs": hangs,
    "trickles": trickles,
    "closes": closes,
    "breaks off": breaks_off,
    "is busy": says({}, 429, Retry_After="0"),
    "is busy for an hour": says({}, 429, Retry_After="3600"),
    "breaks": says({}, 500),
    "says no": says({}, 403),
    "sends us elsewhere": says({}, 307, Location="http://127.0.0.1:9/"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_run_is_never_held_up_for_long(tmp_path: Path, case: str) -> None:
    with stand_in(BAD[case]) as server:
        warned, seconds = tell(webhook(tmp_path, server.url), RUN)
    assert seconds < 5.5
    assert warned
    assert all(text.startswith("notify.webhook: ") for text in warned)


def test_nobody_there(tmp_path: Path) -> None:
    warned, seconds = tell(webhook(tmp_path, nobody()), RUN)
    assert seconds < 5.5
    assert warned == ["notify.webhook: cannot be reached: ConnectionError (2 times)"]


def test_who_hangs_keeps_nobody_else_from_being_told(tmp_path: Path) -> None:
    with stand_in(hangs) as bad, stand_in(says(b"ok")) as good:
        section = f"webhook: {{url: '{bad.url}', key: KEY}}, slack: {{webhook: HOOK}}"
        one = environment(tmp_path, section, {"HOOK": good.url})
        warned, seconds = tell(one, RUN)
    assert seconds < 5.5
    assert len(good.seen) == 2
    assert not [text for text in warned if text.startswith("notify.slack")]

"""The running version started on a copy: what its host is sent, and what comes of what it says."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from deploy.database.rehearsal.answers import Answers
from deploy.database.rehearsal.application import Application
from deploy.errors import CommandFailed, Gated, HostError, TimedOut
from deploy.redaction.redactor import Redactor
from deploy.remote.arrows import Arrows
from deploy.remote.fake import Call, FakeHost, says

if TYPE_CHECKING:
    from deploy.database.rehearsal.server import Throwaway
    from deploy.remote.fake import Answer

URL = "postgresql://web:s3cr3t-word@db.internal:6432/shop"
DESCRIBED = {"services": {"web": {"environment": {"DATABASE_URL": URL}, "command": ["serve"]}}}


@dataclass(frozen=True)
class Named:
    """A question with a name, that takes one answer for good."""

    name: str

    @property
    def request(self) -> bytes:
        return f"GET {self.name}".encode()

    def fault(self, reply: bytes, seconds: float) -> str:
        return "" if reply == b"yes" else f"{reply.decode()} in {seconds:g} s"


@dataclass
class Copy:
    """A throw-away server that remembers what it was asked, or says no."""

    asked: list[str] = field(default_factory=list)
    refuses: HostError | None = None
    gone: HostError | None = None

    @property
    def server(self) -> Throwaway:
        def superuser(sql: str, **_: object) -> str:
            self.asked.append(sql)
            if self.refuses:
                raise self.refuses
            return ""

        def psql(sql: str, **_: object) -> str:
            if self.gone:
                raise self.gone
            return sql

        access = SimpleNamespace(psql=superuser, settings={"database": "copy"})
        found: Any = SimpleNamespace(container="box-1", psql=psql, superuser=access)
        return found  # type: ignore[no-any-return]


def calls(function: str) -> Any:
    return lambda call: call.argv[2].endswith(f"\n{function} web\n")


def answered(*replies: str) -> Answer:
    """What the script says when it has asked all of it."""
    lines = [
        json.dumps(
            {"event": "answered", "took": "12", "reply": base64.b64encode(one.encode()).decode()}
        )
        for one in replies
    ]
    ended = {"event": "ended", "said": "listening as s3cr3t-word\nwith hunter22-key"}
    return says("\n".join([*lines, json.dumps(ended)]))


def application(tried: Answer, config: Answer | None = None, image: str = "shop@sha256:0") -> Any:
    """The host, and the application on it."""
    described = config or says(json.dumps(DESCRIBED, indent=2))
    host = FakeHost("db-1", [(calls("described"), described), (calls("try_version"), tried)])
    settings = {"healthy_deadline": "6000", "probe_deadline": "1000", "probe_timeout": "500"}
    one = Application(
        Arrows(host, settings, "caddy"),
        "v1-0",
        "web",
        image,
        "DATABASE_URL",
        3000,
        100_000_000,
        "t0ken",
        [Named("/healthz"), Named("login")],
        Redactor(["hunter22-key"]),
    )
    return host, one


def settings_of(call: Call) -> dict[str, str]:
    lines = call.argv[2].partition("\nset -u")[0].splitlines()
    return dict(line.partition("=")[::2] for line in lines)


def test_it_is_read_once_and_started_as_often_as_it_is_asked_for() -> None:
    host, one = application(answered("yes", "500"))
    copy = Copy()
    start = one.starter()
    expected = Answers(
        {"/healthz": "", "login": "500 in 0.12 s"}, said="listening as ********\nwith ********"
    )
    assert [start(copy.server), start(copy.server)] == [expected, expected]
    read, *tried = host.calls
    assert read.stdin == b"t0ken\n"
    assert len(tried) == 2
    compose, *requests = [base64.b64decode(line) for line in tried[0].stdin.splitlines()]
    assert requests == [b"GET /healthz", b"GET login"]
    web = json.loads(compose)["services"]["web"]
    assert web["network_mode"] == "container:box-1"
    assert web["environment"]["DATABASE_URL"] == "postgresql://web:s3cr3t-word@127.0.0.1:5432/copy"
    known = settings_of(tried[0])
    assert {key: known[key] for key in ("app", "box", "release", "port", "memory_kb")} == {
        "app": "box-1-app",
        "box": "box-1",
        "release": "v1-0",
        "port": "3000",
        "memory_kb": "100000",
    }
    # The script's own deadlines come first, then the one that ends it, then its label's.
    assert tried[0].timeout > 2 * (60 + 2 * (10 + 5)) + 65
    assert int(known["limit"]) > tried[0].timeout
    assert copy.asked[::2] == ['alter role "web" login'] * 2
    assert ["pg_terminate_backend" in sql for sql in copy.asked[1::2]] == [True] * 2
    # What is secret is in no argument.
    assert not [call for call in host.calls if "s3cr3t" in call.line or "t0ken" in call.line]


def event(name: str, **more: str) -> Answer:
    return says(json.dumps({"event": name, **more}) + "\n")


UNTRIED = {
    "no image of it": (
        application(answered(), image=""),
        "the running release has no image of web",
    ),
    "a release that is elsewhere": (
        application(answered(), says(exit_code=1, stderr="the release v1-0 is not on this host\n")),
        "the release v1-0 is not on this host",
    ),
    "a host that does not describe it": (
        application(answered(), says("no JSON")),
        "Compose did not describe the release's files in JSON",
    ),
    "a file without the variable": (
        application(answered(), says('{"services": {"web": {}}}')),
        "web has no variable DATABASE_URL in the release's compose file",
    ),
    "a container that Docker does not make": (
        application(event("untried", reason="it could not be started", detail="s3cr3t-word\nx")),
        "it could not be started: ******** x",
    ),
    "no room": (
        application(event("untried", reason="the host has 1 MB", detail="")),
        "the host has 1 MB",
    ),
    "a key that may not": (
        application(Gated("db-1", "this key may not run it")),
        "this key may not run it",
    ),
    "a host that hangs": (
        application(TimedOut("db-1", "it did not end")),
        "try_version did not end within 400 s, and the host has ended it",
    ),
    "a host that says half of it": (
        application(answered("yes")),
        "the host did not say what it answered",
    ),
}


@pytest.mark.parametrize(("made", "why"), UNTRIED.values(), ids=UNTRIED)
def test_what_could_not_be_tried_says_nothing_of_the_migrations(made: Any, why: str) -> None:
    _, one = made
    assert one.starter()(Copy().server) == Answers(untried=why)


def test_a_role_that_the_copy_does_not_have() -> None:
    _, one = application(answered("yes", "yes"))
    error = CommandFailed("db-1", "no", exit_code=3, stderr='ERROR:  role "web" does not exist\n')
    found = one.starter()(Copy(refuses=error).server)
    assert found == Answers(untried='ERROR:  role "web" does not exist')


def test_one_that_does_not_become_ready() -> None:
    said = says(
        '{"event":"unready","reason":"web is unhealthy"}\n{"event":"ended","said":"no Redis"}\n'
    )
    _, one = application(said)
    assert one.starter()(Copy().server) == Answers(unready="web is unhealthy", said="no Redis")


def test_what_is_lost_with_the_server_is_nothing_that_a_migration_did() -> None:
    _, one = application(answered("500", "500"))
    gone = HostError("db-1", "the throw-away server was ended: it needed more than its 1.0 GB")
    with pytest.raises(HostError, match="was ended"):
        one.starter()(Copy(gone=gone).server)

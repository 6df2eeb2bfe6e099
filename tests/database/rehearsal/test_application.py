"""The running version on a real copy: it answers or no longer does, and nothing of it stays."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy.database.migrations.folder import Format
from deploy.database.migrations.script import Limits
from deploy.database.rehearsal.answers import Answers, Lived
from deploy.database.rehearsal.application import Application
from deploy.database.rehearsal.course import Pending, rehearse
from deploy.database.rehearsal.source import Data
from deploy.database.rehearsal.throwaway import throwaway
from deploy.redaction.redactor import Redactor
from deploy.remote.arrows import Arrows
from deploy.settings.smoke import Expect
from deploy.smoke.plain import Plain
from deploy.smoke.probes import Probe
from tests.backup.conftest import Heard, asked
from tests.database.command.project import processes
from tests.database.conftest import IMAGE, docker
from tests.database.migrations import hidden, migration
from tests.localhost import LocalHost

from .conftest import BOUNDS, MINE

if TYPE_CHECKING:
    from deploy.database.backup.backups import Backups
    from deploy.database.backup.manifest import Manifest
    from deploy.database.rehearsal.rehearsed import Rehearsed

pytestmark = pytest.mark.fleet

WORD = "s3cret-of-web"
SERVER = r"""
use IO::Socket::INET;
$| = 1;
die "no key\n" unless -s "/run/secrets/key" && !-e "/data";
my @on = (Listen => 5, LocalAddr => "0.0.0.0", LocalPort => 3000, ReuseAddr => 1);
my $port = IO::Socket::INET->new(@on) or die $!;
while (my $visitor = $port->accept) {
  my ($line, $length) = (scalar <$visitor>, 0);
  while (my $header = <$visitor>) {
    $length = $1 if $header =~ /^Content-Length: (\d+)/i;
    last if $header eq "\r\n";
  }
  read $visitor, my $body, $length;
  my $sql = "select 1";
  $sql = "select \"Na\xc3\xafve name\" from small where id = 1" if $line =~ m{ /login };
  my $said = `psql -XqAt -d "\$DATABASE_URL" -c '$sql' 2>&1`;
  my $status = $? ? "500 No" : "200 OK";
  print STDERR "$status: $said";
  print $visitor "HTTP/1.1 $status\r\nContent-Length: ", length $said, "\r\n\r\n$said";
}
"""
COMPOSE = """\
services:
  web:
    image: localhost:5050/none:none
    profiles: [on-another-host]
    entrypoint: [perl, -e, {server}]
    environment: {{DATABASE_URL: "${{DATABASE_URL:?}}", PGAPPNAME: web}}
    user: nobody
    depends_on: [elsewhere]
    ports: ["1:1"]
    volumes: [data:/data]
    secrets: [key]
  elsewhere:
    image: localhost:5050/none:none
secrets: {{key: {{environment: KEY}}}}
volumes: {{data: {{}}}}
"""
URL = f"postgresql://web:{WORD}@db.internal:6432/of-the-pooler?sslmode=require"
LOGIN = Probe(
    "login",
    "POST",
    "/login",
    {},
    {"password": "hunter22"},
    per_host=False,
    expect=Expect(text=":x"),
)
HEALTH = Probe("/healthz", "GET", "/healthz", {}, None, per_host=True, expect=Expect())
SETTINGS = {
    "project": "hw-none",
    "network": "hw-none-slots",
    "registry": "",
    "registry_user": "",
    "healthy_deadline": "2000",
    "probe_deadline": "300",
    "probe_timeout": "500",
}


@dataclass
class Place:
    """A database with a role of the application's own, and a release on its host."""

    backups: Backups
    made: Manifest
    application: Application
    role: str

    def rehearsed(self, *texts: str) -> Rehearsed:
        found = [migration(f"{n:04}_m", n + 1, text) for n, text in enumerate(texts)]
        pending = Pending(found, Format.V0, Limits(5, 60))
        start = self.application.starter()
        with throwaway(self.backups, Data(self.made), BOUNDS, say=Heard()) as server:
            return rehearse(
                server, pending, superuser=server.superuser, started=partial(start, server)
            )

    def lived(self, *texts: str) -> Lived:
        found = self.rehearsed(*texts)
        assert found.failed is None
        assert found.lived is not None
        return found.lived


@pytest.fixture
def place(backups: Backups, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Place]:
    role = f"web_{secrets.token_hex(3)}"
    asked(
        backups.access,
        f"create role {role} login password '{WORD}'; grant select on small to {role}",
    )
    folder = tmp_path / "host" / ".headway" / "releases" / "v1-0"
    folder.mkdir(parents=True)
    (folder / "compose.yaml").write_text(
        COMPOSE.format(server=json.dumps(SERVER.replace("$", "$$")))
    )
    (folder / "host.yaml").write_text("services: {}\n")
    (folder / ".env").write_text(
        f"DATABASE_URL={URL.replace('web:', f'{role}:')}\nKEY=k3y-secret\n"
    )
    redactor = Redactor(["hunter22"])
    questions = [
        Plain(one, "http://shop.example", "d-1", redactor.redact) for one in (HEALTH, LOGIN)
    ]
    settings = SETTINGS | {"dir": str(tmp_path / "host")}
    application = Application(
        Arrows(LocalHost("db-1"), settings, ""),
        "v1-0",
        "web",
        IMAGE,
        "DATABASE_URL",
        3000,
        200_000_000,
        "",
        questions,
        redactor,
    )
    try:
        yield Place(backups, request.getfixturevalue("made"), application, role)
    finally:
        asked(backups.access, f"drop owned by {role}; drop role {role}")


def test_it_is_as_well_as_before(place: Place) -> None:
    found = place.lived("alter table small add column more text;")
    assert found == Lived(("start", "/healthz", "login"), {}, (), found.said)
    # It has been asked twice in each of its lives, and each of them was one of its own.
    assert found.said.count("200 OK") == 2


BREAKS = {
    "a column": ('alter table small rename "Naïve name" to name;', 'column "Naïve name" does not'),
    "a right": ("revoke all on small from {role};", "permission denied for table small"),
    "rows": ("update small set \"Naïve name\" = 'other';", 'does not say ":x" (200 other)'),
}


@pytest.mark.parametrize(("text", "why"), BREAKS.values(), ids=BREAKS)
def test_what_breaks_it_is_found(place: Place, text: str, why: str) -> None:
    found = place.lived(hidden(text.format(role=place.role).rstrip(";")))
    assert found.answered == ("start", "/healthz")
    assert list(found.broken) == ["login"]
    assert why in found.broken["login"]
    assert WORD not in f"{found}"


def test_one_that_is_not_well_alone_says_nothing(place: Place) -> None:
    """As one that needs a file, a cache or somebody's API that is not there."""
    env = Path(place.application.arrows.settings["dir"]) / ".headway/releases/v1-0/.env"
    env.write_text(env.read_text().replace("KEY=k3y-secret", "KEY="))
    found = place.lived('alter table small rename "Naïve name" to name;')
    (why,) = found.untried
    assert why.startswith("web ended with exit code ")
    assert why.endswith("before the migrations as well: no key")
    assert (found.answered, found.broken) == ((), {})


@pytest.mark.thorough
def test_a_server_that_does_not_share_its_port(place: Place) -> None:
    """It can't have it for a minute, since the first one closed its connections."""
    compose = Path(place.application.arrows.settings["dir"]) / ".headway/releases/v1-0/compose.yaml"
    compose.write_text(compose.read_text().replace(", ReuseAddr => 1", ""))
    found = place.lived("alter table small add column more text;")
    assert (found.answered, found.untried) == (("start", "/healthz", "login"), ())


WITHOUT: dict[str, tuple[Callable[[Application], Application], str]] = {
    "its release": (
        lambda one: replace(one, release="v0-0"),
        "the release v0-0 is not on this host",
    ),
    "its image": (
        lambda one: replace(one, image="127.0.0.1:9/none@sha256:" + "0" * 64),
        "could not pull 127.0.0.1:9/none",
    ),
    "memory": (lambda one: replace(one, memory=10**15), "it may use 1000000000 MB of memory, and"),
}


@pytest.mark.parametrize(("change", "why"), WITHOUT.values(), ids=WITHOUT)
def test_what_it_cannot_be_started_without(
    place: Place, change: Callable[[Application], Application], why: str
) -> None:
    start = change(place.application).starter()
    with throwaway(place.backups, Data(place.made), BOUNDS, say=Heard()) as server:
        found = start(server)
    assert found == Answers(untried=found.untried)
    assert found.untried.startswith(why)


@contextlib.contextmanager
def watched() -> Iterator[tuple[list[dict[str, Any]], set[str]]]:
    """Collects what Docker says of the version's container, and the lines of every process."""
    seen: list[dict[str, Any]] = []
    lines: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            lines.update(processes().splitlines())
            words = ["docker", "ps", "-q", "--filter", f"name=^headway-rehearsal-{MINE}-.*-app$"]
            for id_ in subprocess.run(
                words, capture_output=True, text=True, check=True
            ).stdout.split():
                words = ["docker", "inspect", id_]
                done = subprocess.run(words, capture_output=True, text=True, check=False)
                seen.extend(json.loads(done.stdout))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen, lines
    finally:
        over.set()
        thread.join()


def test_it_has_no_more_than_it_is_given(place: Place) -> None:
    networks = docker("network", "ls", "-q")
    with watched() as (seen, lines):
        place.lived("select 1;")
    assert docker("network", "ls", "-q") == networks
    assert len({one["Id"] for one in seen}) == 2
    for one in seen:
        host = one["HostConfig"]
        assert host["NetworkMode"].startswith("container:")
        assert (host["Binds"], host["PortBindings"]) == (None, {})
        # What its image names by itself is its own, and goes with it.
        assert [mount["Destination"] for mount in one["Mounts"]] == ["/var/lib/postgresql/data"]
        assert host["Memory"] == host["MemorySwap"] == 200_000_000
        assert (host["OomScoreAdj"], host["RestartPolicy"]["Name"]) == (900, "no")
        assert int(one["Config"]["Labels"]["headway.rehearsal"]) > time.time()
        assert one["Config"]["Labels"]["com.docker.compose.project"].endswith("-app")
    # The application of this test gives its URL to psql in an argument; Headway gives it to nobody.
    told = [line for line in lines if "psql -XqAt -d" not in line]
    assert told
    assert not [line for line in told if WORD in line or "hunter22" in line or "k3y-secret" in line]

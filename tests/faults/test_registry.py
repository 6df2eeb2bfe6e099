"""A registry that is down, refuses a host, moves a tag, or has an image no longer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
import requests

from deploy.sandbox import release as releases
from deploy.sandbox.breaking import breaking, broken, mended
from deploy.sandbox.faults import FAULTS
from deploy.sandbox.home import Home
from tests.faults.questions import ask
from tests.faults.watched import DOCKER, end_of, forget_images, until
from tests.fleet.project import WEB, Project, on_host

if TYPE_CHECKING:
    from tests.fleet.conftest import Loads

pytestmark = pytest.mark.fleet

HOST = "web-2"
MANIFESTS = "http://127.0.0.1:5050/v2/shop/manifests"
ACCEPT = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)


def ask_registry(
    method: str, name: str, body: requests.Response | None = None
) -> requests.Response:
    answer = requests.request(
        method,
        f"{MANIFESTS}/{name}",
        auth=("sandbox", Home().secret("REGISTRY_PASSWORD")),
        headers={"Accept": ACCEPT}
        | ({"Content-Type": body.headers["Content-Type"]} if body else {}),
        data=body.content if body else None,
        timeout=10,
    )
    answer.raise_for_status()
    return answer


class Busy:
    """A registry that answers 503, and counts how often."""

    def __init__(self) -> None:
        self.asked = 0
        busy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                busy.asked += 1
                self.send_error(503)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def busy() -> Iterator[Busy]:
    made = Busy()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_it_is_not_available(quick: Project, load: Loads, busy: Busy) -> None:
    """Asked three times from here, and no host has been asked for anything but what it is."""
    name = f"127.0.0.1:{busy.port}"
    quick.change(image=f"{name}/shop", registry={"server": name})
    with load() as traffic:
        done = quick.deploy(quick.new)
    ask(quick, traffic, done, exit_code=3, version=quick.old)
    assert busy.asked == 3
    assert f"the registry {name} answered 503 (3 times)" in done.text
    assert "Nothing has been changed." in done.text


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(
            "registry-503",
            "the registry localhost:5050 could not be logged in to (3 times)",
            marks=pytest.mark.thorough,
        ),
        ("registry-401", "the registry localhost:5050 refused the login of sandbox"),
    ],
    ids=["not available", "refuses the login"],
)
def test_it_answers_all_hosts_but_one(quick: Project, load: Loads, fault: str, reason: str) -> None:
    forget_images(HOST)
    with load() as traffic:
        with breaking(DOCKER, fault, HOST):
            first = quick.deploy(quick.new)
        before = set(quick.tags().values())
        again = quick.deploy(quick.new)
    assert first.exit_code == 4, first.text
    assert f"✗ {HOST}     pull      {reason}" in first.text
    assert f"{quick.new} was not started on any" in first.text
    assert before == {quick.old}
    ask(quick, traffic, again, exit_code=0, version=quick.new, first=first)


@pytest.mark.thorough
def test_a_tag_moves_between_two_hosts(quick: Project, load: Loads, release) -> None:
    """One host pulls when the tag stands for something else, and gets what the others have."""
    release("moving")
    meant = ask_registry("GET", "moving")
    releases.release("moving", "never-healthy")
    other = ask_registry("GET", "moving")
    ask_registry("PUT", "moving", meant)
    digest = meant.headers["Docker-Content-Digest"]
    assert digest != other.headers["Docker-Content-Digest"]
    forget_images(HOST)
    with load() as traffic:
        broken(DOCKER, FAULTS["registry-503"], f"headway-{HOST}")
        try:
            process = quick.start("deploy", "--tag", "moving")
            said = until(process, f"· {HOST}     pull")
            ask_registry("PUT", "moving", other)
        finally:
            mended(DOCKER, FAULTS["registry-503"], f"headway-{HOST}")
        done = end_of(process, said)
    ask(quick, traffic, done, exit_code=0, version="moving")
    find = "docker ps -q --filter label=com.docker.compose.service=web"
    for host in WEB:
        image = on_host(host, f"docker inspect -f '{{{{.Config.Image}}}}' $({find})")
        assert image == f"localhost:5050/shop@{digest}", host


@pytest.mark.thorough
def test_an_image_is_gone_before_a_rollback(quick: Project, load: Loads, release) -> None:
    """From the hosts and from the registry: it ends before anything has changed."""
    quick.on(release("gone"))
    digest = ask_registry("GET", "gone").headers["Docker-Content-Digest"]
    quick.on(quick.new)
    ask_registry("DELETE", digest)
    for host in (*WEB, "worker-1"):
        forget_images(host)
    with load() as traffic:
        done = quick.inv("rollback")
    ask(quick, traffic, done, exit_code=4, version=quick.new)
    assert f"could not pull localhost:5050/shop@{digest}" in done.text
    assert "gone was not started on any" in done.text

"""A roll as it should go, and what plain Compose makes of it afterwards."""

from __future__ import annotations

import http.client
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

import pytest

from deploy.sandbox.images import OFFERED

from .conftest import SERVICES, WEB, MakeProject
from .project import APP, Given, Project, docker, service
from .visitor import Visitor

pytestmark = pytest.mark.fleet


def sums(project: Project) -> dict[str, str]:
    """What a person who types `docker compose` there goes by, file by file."""
    names = ("compose.yaml", ".env", ".headway/host.yaml")
    return {name: sha256((project.dir / name).read_bytes()).hexdigest() for name in names}


def test_first_deploy_then_a_roll_and_the_way_back(project: Project) -> None:
    v1 = project.release("v1")
    project.write_compose(f"{WEB}# a newer one\n")
    v2 = project.release("v2", MORE="1")
    project.roll(v1)
    project.assert_settled(v1)
    assert project.live() == "green"
    before, volumes = sums(project), project.volumes()
    assert len(volumes) == 1
    with Visitor(project.port) as visitor:
        project.roll(v2)
    project.assert_settled(v2)
    assert project.live() == "blue"
    assert visitor.failures == []
    assert visitor.answers["v1"] > 0
    assert visitor.ask() == "v2"
    assert project.journal() == [(v1.id, "deploy", "settled"), (v2.id, "deploy", "settled")]
    assert not {name for name in before if sums(project)[name] == before[name]}
    volumes |= project.volumes()
    assert len(volumes) == 2, "each container has one of its own"
    # As after a deploy that failed on a later host.
    for arrow in ("stage", "switch", "settle"):
        project.send(arrow, v1, verb="revert")
    assert sums(project) == before
    project.assert_settled(v1)
    assert visitor.ask() == "v1"
    assert volumes & set(docker("volume", "ls", "-q").split()) == set()


def test_what_is_there_between_the_arrows(project: Project) -> None:
    v1, v2 = project.release("v1"), project.release("v2")
    with umask(0):
        project.roll(v1)
    for path in (project.dir / ".env", project.dir / ".headway" / "releases" / v1.id / ".env"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700, "from its first byte on"
    before = (project.dir / ".env").read_text()
    project.deliver(v2)
    project.send("stage", v2)
    assert [(box.slot, box.version) for box in project.boxes()] == [("blue", "v2"), ("green", "v1")]
    assert (project.next(), project.live()) == ("staged", "green")
    project.send("switch", v2)
    assert [(box.slot, box.version) for box in project.boxes()] == [("blue", "v2"), ("green", "v1")]
    assert (project.next(), project.live()) == ("switched", "blue")
    assert (project.dir / ".env").read_text() == before
    assert project.facts().unfinished is not None
    project.send("settle", v2)
    project.assert_settled(v2)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """A host whose user has made everything open to everybody."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


EVERYTHING = f"""\
services:
  web:
{service(ports='["127.0.0.1:PORT:3000"]', env_file=".env", deploy="{replicas: 2}")}
    depends_on:
      prepare: {{condition: service_completed_successfully}}
      cache: {{condition: service_started}}
  prepare:
    image: ${{APP_IMAGE:?}}
    command: ["bash", "-c", "echo prepared; exit 0"]
    environment: {{BEHAVIOUR: "${{BEHAVIOUR:-}}"}}
  worker:
{service(command='["node", "app.mjs"]', env_file="[.env]")}
  cache:
    image: {OFFERED["node"]}
    command: ["sleep", "infinity"]
    stop_grace_period: 0s
"""


@pytest.mark.thorough
def test_compose_up_changes_nothing_afterwards(make: MakeProject) -> None:
    """With env_file, two replicas, a one-shot dependency, a worker, and Headway's own Caddy."""
    project = make(EVERYTHING, SERVICES + "worker: {}\n", None)
    for release in (project.release("v1"), project.release("v2", EXTRA="a 'b' $c")):
        project.roll(release)
        project.assert_settled(release, replicas=2)
        project.assert_settled(release, of="worker")
        before = project.ids()
        assert len(before) == 2 + 1 + 1 + 1 + 1
        project.compose("up", "-d")
        assert project.ids() == before
        project.assert_settled(release, replicas=2)


def test_the_same_release_again_restarts_nothing(make: MakeProject) -> None:
    project = make(EVERYTHING, SERVICES + "worker: {}\n", None)
    v1 = project.release("v1")
    project.roll(v1)
    before = {
        box.id: docker("inspect", "-f", "{{.State.StartedAt}}", box.id) for box in project.boxes("")
    }
    live = project.live()
    project.roll(v1)
    project.assert_settled(v1, replicas=2)
    after = {
        box.id: docker("inspect", "-f", "{{.State.StartedAt}}", box.id) for box in project.boxes("")
    }
    assert after == before
    assert project.live() == live


def test_only_the_service_that_differs_is_rolled(make: MakeProject) -> None:
    """Each has an image of its own under the one tag."""
    other = "hw-test/api"
    docker("build", "-q", "-t", f"{other}:v1", "-", stdin=f"FROM {APP}:v1\nENV OTHER=1\n")
    api = service().replace("APP_IMAGE", "API_IMAGE")
    two = f"{WEB}  api:\n{api}\n    command: [node, app.mjs, '${{API:-1}}']\n"
    services = SERVICES + "api: {port: 3000, health: /healthz, drain: 5s}\n"
    project = make(two, services, None, image=f"{{web: {APP}, api: {other}}}")
    older, newer = project.release("v1"), project.release("v1", API="2")
    project.roll(older)
    web_box, api_box = (project.boxes(name)[0] for name in ("web", "api"))
    runs = "{{.Config.Image}}"
    assert docker("inspect", "-f", runs, web_box.id, api_box.id).split() == [
        f"{APP}:v1",
        f"{other}:v1",
    ]
    project.roll(newer)
    project.assert_settled(newer, of="web")
    project.assert_settled(newer, of="api")
    assert project.boxes("web")[0].id == web_box.id
    assert project.boxes("api")[0].id != api_box.id


def test_a_deaf_container_is_killed_with_a_warning(project: Project) -> None:
    v1, v2 = project.release("v1", BEHAVIOUR="deaf"), project.release("v2")
    project.roll(v1)
    project.deliver(v2)
    project.send("stage", v2)
    project.send("switch", v2)
    report = project.send("settle", v2)
    assert [one["text"] for one in report.all("warned")] == [
        "web did not end by itself when it was asked to (SIGTERM) and was killed"
    ]
    project.assert_settled(v2)


@pytest.mark.thorough
def test_requests_that_outlive_the_drain_are_counted(make: MakeProject) -> None:
    project = make(WEB, SERVICES.replace("drain: 5s", "drain: 1s"))
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    project.deliver(v2)
    project.send("stage", v2)
    slow = http.client.HTTPConnection("127.0.0.1", project.port)
    slow.request("POST", "/slow?ms=20000", body="x")
    time.sleep(0.3)
    project.send("switch", v2)
    report = project.send("settle", v2)
    assert [one["text"] for one in report.all("warned")] == [
        "web: 1 requests were still open after 1 s and are cut"
    ]
    slow.close()


def with_image_of_its_own(project: Project, number: int) -> Given:
    """A release whose image no other test uses, since it may be removed."""
    image = f"{project.name}:{number}"
    docker("build", "-q", "-t", image, "-", stdin=f"FROM hw-test/app:v1\nENV N={number}\n")
    return project.release("v1", image=image, N=str(number))


def kept(project: Project) -> tuple[set[str], set[str]]:
    """The releases that the host still has, and its images of them; these go now."""
    releases = {path.name for path in (project.dir / ".headway" / "releases").iterdir()}
    images = set(docker("image", "ls", "--format", "{{.Tag}}", project.name).split())
    for image in images:
        docker("image", "rm", "-f", f"{project.name}:{image}")
    return releases, images


def test_old_releases_and_their_images_go(make: MakeProject) -> None:
    project = make()
    given = [with_image_of_its_own(project, number) for number in range(3)]
    for one in given:
        project.roll(one, keep="2")
    assert kept(project) == ({one.id for one in given[1:]}, {"1", "2"})


@pytest.mark.thorough
def test_what_was_only_tried_pushes_no_release_out(make: MakeProject) -> None:
    """However many deploys have failed since, what a rollback goes to is still there."""
    project = make()
    before, *bad, after = (with_image_of_its_own(project, number) for number in range(5))
    project.roll(before, keep="2")
    # This one came to its end here, and was taken back since another host had failed.
    project.roll(bad[0], keep="2")
    for arrow in ("stage", "switch", "settle"):
        project.send(arrow, before, verb="revert", keep="2")
    for one in bad[1:]:
        project.deliver(one)
        project.send("stage", one)
        project.send("abandon", one)
    project.roll(after, keep="2")
    project.roll(before, verb="rollback", keep="2")
    project.assert_settled(before)
    assert kept(project) == ({before.id, after.id}, {"0", "4"})

"""HAProxy in the team's own compose file, under traffic, through restarts, and misused."""

from __future__ import annotations

import subprocess
import time

import pytest

from deploy.compose.placement import Rolled
from deploy.proxy import haproxy
from deploy.remote.arrows import ArrowFailed
from deploy.sandbox.images import OFFERED

from .conftest import SERVICES, WEB, MakeProject
from .project import APP, Project, docker
from .traffic import rolls_lose_nothing
from .visitor import Visitor, wait_for

pytestmark = pytest.mark.fleet

OWN = """\
global
	log stdout format raw local0

defaults
	mode http
	timeout connect 5s
	timeout client 60s
	timeout server 60s
	timeout tunnel 1h

frontend site
	bind :80
	option forwardfor
	default_backend web
"""
"""The team's own configuration."""

COMPOSE = f"""\
{WEB.replace('    ports: ["127.0.0.1:PORT:3000"]', "    # REPLICAS")}
  proxy:
    image: {OFFERED["haproxy"]}
    command: [haproxy, -W, -db, -f, /usr/local/etc/haproxy/haproxy.cfg, -f, /etc/headway]
    ports: ["127.0.0.1:PORT:80"]
    volumes: ["./haproxy.cfg:/usr/local/etc/haproxy/haproxy.cfg:ro"]
    restart: unless-stopped
"""


WITH_HEADWAY = ", -f, /etc/headway"


def behind_haproxy(make: MakeProject, compose: str = COMPOSE) -> Project:
    project = make(compose, SERVICES, "proxy: {kind: haproxy, service: proxy}")
    (project.repository / "haproxy.cfg").write_text(OWN)
    return project


def restart_proxy(project: Project) -> None:
    """With the signal that ends it at once, whatever is in flight."""
    project.compose("kill", "-s", "KILL", "proxy")
    project.compose("up", "-d", "--wait", "proxy")


def test_rolls_under_traffic_lose_nothing(make: MakeProject) -> None:
    rolls_lose_nothing(behind_haproxy(make))


def test_a_restart_finds_the_live_slot(make: MakeProject) -> None:
    project = behind_haproxy(make)
    for release in (project.release("v1"), project.release("v2")):  # green, then blue
        project.roll(release)
        restart_proxy(project)
        wait_for(project.port, release.release.tag)
        answers = {Visitor(project.port).ask() for _ in range(20)}
        assert answers == {release.release.tag}
        live = project.live()
        assert (project.dir / ".headway/proxy/slots.map").read_text() == f"web {live}\n"


@pytest.mark.thorough
def test_a_restart_while_two_slots_run_finds_the_live_one(make: MakeProject) -> None:
    project = behind_haproxy(make)
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    project.deliver(v2)
    for arrow, answers in (("stage", "v1"), ("switch", "v2")):
        project.send(arrow, v2)
        restart_proxy(project)
        wait_for(project.port, answers)
        assert {Visitor(project.port).ask() for _ in range(20)} == {answers}
    project.send("settle", v2)
    project.assert_settled(v2)


def test_two_replicas(make: MakeProject) -> None:
    project = behind_haproxy(make, COMPOSE.replace("# REPLICAS", "deploy: {replicas: 2}"))
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    with Visitor(project.port) as visitor:
        project.roll(v2)
    project.assert_settled(v2, replicas=2)
    assert visitor.failures == []
    stat = runtime(project, "show stat web 4 -1")
    total = {
        row[1]: int(row[7])
        for row in (line.split(",") for line in stat.splitlines())
        if len(row) > 8 and row[1] in {"blue1", "blue2"}
    }
    for _ in range(30):
        visitor.ask()
    stat = runtime(project, "show stat web 4 -1")
    grown = {
        row[1]: int(row[7]) - total[row[1]]
        for row in (line.split(",") for line in stat.splitlines())
        if len(row) > 8 and row[1] in total
    }
    assert sum(grown.values()) == 30
    assert min(grown.values()) > 0


def runtime(project: Project, command: str) -> str:
    (proxy,) = [box.id for box in project.boxes("proxy")]
    return docker(
        "exec",
        proxy,
        "bash",
        "-c",
        f"exec 3<>/dev/tcp/127.0.0.1/9999; echo '{command}' >&3; cat <&3",
    )


@pytest.mark.thorough
def test_the_other_slot_answers_when_the_live_one_dies(make: MakeProject) -> None:
    project = behind_haproxy(make)
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    project.deliver(v2)
    project.send("stage", v2)
    project.send("switch", v2)
    (new,) = [box.id for box in project.boxes() if box.version == "v2"]
    docker("kill", new)  # what is in flight at this moment is lost, so nobody visits until then
    with Visitor(project.port) as visitor:
        time.sleep(4)
    assert visitor.failures == []
    assert visitor.answers["v1"] > 0
    project.send("abandon", v2)
    project.assert_settled(v1)


@pytest.mark.thorough
def test_what_a_person_made_by_hand_answers(make: MakeProject) -> None:
    project = behind_haproxy(make)
    v1 = project.release("v1")
    project.roll(v1)
    project.compose("up", "-d", "--force-recreate", "web")
    wait_for(project.port, "v1")
    project.roll(project.release("v2"))
    wait_for(project.port, "v2")


@pytest.mark.thorough
def test_a_cut_between_flag_and_map_is_put_right(make: MakeProject) -> None:
    project = behind_haproxy(make)
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    project.deliver(v2)
    project.send("stage", v2)
    (project.dir / "slots" / "web.green").unlink()
    next_file = project.dir / ".headway" / "next"
    next_file.write_text(next_file.read_text().replace("phase staged", "phase switched"))
    with Visitor(project.port) as visitor:
        assert visitor.ask() == "v1"
        project.send("settle", v2)
        assert visitor.ask() == "v2"
    assert visitor.failures == []
    project.assert_settled(v2)


def test_a_haproxy_without_the_backend_is_not_switched(make: MakeProject) -> None:
    """It runs on the team's file alone, and finds the service by its name."""
    project = behind_haproxy(make, COMPOSE.replace(WITH_HEADWAY, ""))
    own = OWN + "backend web\n\tserver web web:3000 init-addr none resolvers d\n"
    own += "resolvers d\n\tnameserver d 127.0.0.11:53\n"
    (project.repository / "haproxy.cfg").write_text(own)
    v1 = project.release("v1")
    project.deliver(v1)
    project.send("stage", v1)
    with pytest.raises(ArrowFailed) as caught:
        project.send("switch", v1)
    assert caught.value.reason == (
        "HAProxy says nothing of a backend web: does it run with -f /etc/headway?"
    )
    project.send("abandon", v1)
    assert project.next() == ""


@pytest.mark.thorough
def test_a_haproxy_from_before_is_made_anew_by_a_person(make: MakeProject) -> None:
    """It would not follow the map; and when it is made anew, it finds what ran before, too."""
    project = behind_haproxy(make)
    compose = (project.repository / "compose.yaml").read_text()
    (project.dir / "compose.yaml").write_text(compose.replace(WITH_HEADWAY, ""))
    (project.dir / ".env").write_text(f"APP_IMAGE={APP}:v1\nCOMPOSE_PROJECT_NAME={project.name}\n")
    own = OWN + "backend web\n\tserver web web:3000 init-addr none resolvers d\n"
    own += "resolvers d\n\tnameserver d 127.0.0.11:53\n"
    (project.dir / "haproxy.cfg").write_text(own)
    project.compose("up", "-d", "--wait")
    v2 = project.release("v2")
    with pytest.raises(ArrowFailed, match="does not see the slots yet") as caught:
        project.deliver(v2)
    wait_for(project.port, "v1")
    (project.dir / "haproxy.cfg").write_text(OWN)
    command = caught.value.detail.partition("\n")[2]
    subprocess.run(["sh", "-c", command], check=True, capture_output=True)
    wait_for(project.port, "v1")
    with Visitor(project.port) as visitor:
        project.roll(v2)
    assert visitor.failures == []
    project.assert_settled(v2)
    before = project.ids()
    project.compose("up", "-d")
    assert project.ids() == before


def one(replicas: int) -> Rolled:
    return Rolled("web", "start-first", 3000, 30, replicas)


def test_the_backend_of_one_container() -> None:
    assert (
        haproxy.snippets([one(1)])["web.cfg"]
        == """\
# Written by Headway.
backend web
	use-server %[str(web),map(/etc/headway/slots.map,blue)]1 if TRUE
	option redispatch 1
	default-server resolvers headway init-addr none
	default-server check inter 10s fastinter 1s downinter 500ms fall 2 rise 1
	server-template blue 1 web-blue:3000
	server-template green 1 web-green:3000
	server-template other 1 web:3000 backup
"""
    )


def test_the_backend_of_two_containers() -> None:
    text = haproxy.backend(one(2))
    assert (
        "use-server %[str(web),map(/etc/headway/slots.map,blue)]%[rand(2),add(1)] if TRUE" in text
    )
    assert "server-template green 2 web-green:3000" in text

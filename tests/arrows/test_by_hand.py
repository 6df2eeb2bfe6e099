"""People who type on a host in the middle of a roll, and hosts that ran without Headway before."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import textwrap
import time

import pytest

from deploy.remote.arrows import ArrowFailed

from .at_once import at_once, some
from .conftest import SERVICES, WEB, MakeProject
from .project import APP, Given, Project, docker, service
from .visitor import Visitor, wait_for

pytestmark = pytest.mark.fleet

WHAT = {
    "up": ["up", "-d"],
    "restart": ["restart", "-t", "0"],
    "down": ["down"],
    "stop": ["stop", "-t", "0"],
    "scale": ["up", "-d", "--no-recreate", "--scale", "web=3"],
}
PHASES = ["staged", "switched"]


def roll_to(project: Project, phase: str) -> tuple[Given, Given]:
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    project.deliver(v2)
    project.send("stage", v2)
    if phase == "switched":
        project.send("switch", v2)
    assert project.next() == phase
    return v1, v2


def test_abandon_goes_back_whatever_somebody_typed(
    make: MakeProject, request: pytest.FixtureRequest
) -> None:
    def check(typed: str, phase: str) -> None:
        project = make()
        v1, v2 = roll_to(project, phase)
        project.compose(*WHAT[typed])
        project.send("abandon", v2)
        project.assert_settled(v1)
        wait_for(project.port, "v1")

    at_once(check, some(request, itertools.product(WHAT, PHASES)))


def test_the_next_roll_converges_whatever_somebody_typed(
    make: MakeProject, request: pytest.FixtureRequest
) -> None:
    def check(typed: str, phase: str) -> None:
        project = make()
        roll_to(project, phase)
        project.compose(*WHAT[typed])
        v3 = project.release("v3")
        project.roll(v3)
        project.assert_settled(v3)
        wait_for(project.port, "v3")

    at_once(check, some(request, itertools.product(["up", "down"], PHASES)))


@pytest.mark.parametrize(
    "typed", ["docker stop -t 6 {0} && docker rm -f {0}", "docker restart -t 6 {0}"]
)
def test_abandon_does_not_go_back_to_what_somebody_is_ending(project: Project, typed: str) -> None:
    """It runs and answers for as long as its grace goes on; then it is gone, or comes again."""
    v1, v2 = project.release("v1", BEHAVIOUR="deaf"), project.release("v2")
    project.roll(v1)
    (old,) = project.boxes()
    project.deliver(v2)
    project.send("stage", v2)
    project.send("switch", v2)
    taken = subprocess.Popen(["sh", "-c", typed.format(old.id)])
    end = time.monotonic() + 5
    while not docker("events", "--since", "1m", "--until", "0s", *killed(old.id)):
        assert time.monotonic() < end
    project.send("abandon", v2)
    assert taken.wait(timeout=30) == 0
    project.assert_settled(v1)
    wait_for(project.port, "v1")


def test_abandon_starts_anew_what_is_removed_as_it_is_started(project: Project) -> None:
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    (old,) = project.boxes()
    project.deliver(v2)
    project.send("stage", v2)
    project.send("switch", v2)
    docker("stop", "-t", "0", old.id)
    gone = f'case "$name $1" in "docker start") docker rm -f {old.id} ;; esac'
    project.send("abandon", v2, before=gone)
    project.assert_settled(v1)
    wait_for(project.port, "v1")


def killed(box: str) -> list[str]:
    return ["--filter", f"container={box}", "--filter", "event=kill"]


@pytest.mark.thorough
def test_what_has_restarted_before_is_rolled_and_taken_back(project: Project) -> None:
    """Docker counts the restarts for as long as a container lives, be it for years."""
    v1, v2, v3 = (project.release(tag) for tag in ("v1", "v2", "v3"))
    project.roll(v1)
    for box in project.boxes(""):
        os.kill(int(docker("inspect", "-f", "{{.State.Pid}}", box.id)), signal.SIGKILL)
    restarted = ["inspect", "-f", "{{.RestartCount}} {{.State.Status}}", *project.ids()]
    end = time.monotonic() + 20
    while set(docker(*restarted).splitlines()) != {"1 running"}:
        assert time.monotonic() < end
        time.sleep(0.1)
    wait_for(project.port, "v1")
    project.deliver(v2)
    project.send("stage", v2)
    project.compose("stop", "-t", "0", "web")
    project.send("abandon", v2)
    wait_for(project.port, "v1")
    project.roll(v3)
    project.assert_settled(v3)


@pytest.mark.thorough
def test_what_somebody_took_away_is_not_switched_to(
    make: MakeProject, request: pytest.FixtureRequest
) -> None:
    def check(typed: str) -> None:
        project = make()
        v1, v2 = roll_to(project, "staged")
        project.compose(*WHAT[typed])
        with pytest.raises(ArrowFailed, match=r"new containers|ended with exit code"):
            project.send("switch", v2)
        project.send("abandon", v2)
        project.assert_settled(v1)

    at_once(check, some(request, [("up",), ("down",), ("stop",)]))


@pytest.mark.thorough
def test_settle_leaves_something_that_runs(
    make: MakeProject, request: pytest.FixtureRequest
) -> None:
    def check(typed: str) -> None:
        project = make()
        _, v2 = roll_to(project, "switched")
        project.compose(*WHAT[typed])
        project.send("settle", v2)
        project.assert_settled(v2)

    at_once(check, some(request, [("up",), ("down",), ("stop",)]))


@pytest.mark.thorough
def test_a_settled_host_is_rolled_whatever_somebody_typed(
    make: MakeProject, request: pytest.FixtureRequest
) -> None:
    def check(typed: str) -> None:
        project = make()
        v1, v2 = project.release("v1"), project.release("v2")
        project.roll(v1)
        project.compose(*WHAT[typed])
        if typed == "scale":
            assert len(project.boxes()) == 3
        project.roll(v2)
        project.assert_settled(v2)

    at_once(check, some(request, [(typed,) for typed in WHAT]))


@pytest.mark.thorough
def test_a_container_made_anew_by_hand_is_taken_as_the_live_one(project: Project) -> None:
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    project.compose("up", "-d", "--force-recreate", "web")
    made = project.boxes()
    assert [box.slot for box in made] == [""]
    with Visitor(project.port) as visitor:
        project.deliver(v2)
        project.send("stage", v2)
        assert {(box.slot, box.version) for box in project.boxes()} == {
            ("green", "v1"),
            ("blue", "v2"),
        }
        assert made[0].id in project.ids()
        project.send("switch", v2)
        project.send("settle", v2)
    project.assert_settled(v2)
    assert visitor.failures == []


@pytest.mark.thorough
def test_a_flag_that_somebody_removed_is_put_right(project: Project) -> None:
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    (project.dir / "slots" / "web.green").unlink()
    with Visitor(project.port) as visitor:
        assert visitor.ask() == "v1"  # by the fallback to the other slot
        project.roll(v2)
    project.assert_settled(v2)
    assert visitor.failures == []


# Hosts that ran the project already

PLAIN = f"""\
services:
  web:
{textwrap.indent(textwrap.dedent(service(ports='["127.0.0.1:PORT:3000"]')), "    ")}
    container_name: NAME-web
  worker:
{textwrap.indent(textwrap.dedent(service(command="node app.mjs")), "    ")}
"""


def running_without_headway(make: MakeProject) -> tuple[Project, dict[str, str]]:
    """A project that a person started in the folder, with its published port and its name."""
    project = make(PLAIN, SERVICES + "worker: {}\n")
    text = (project.repository / "compose.yaml").read_text().replace("NAME", project.name)
    project.write_compose(text)
    (project.dir / "compose.yaml").write_text(text)
    (project.dir / ".env").write_text(f"APP_IMAGE={APP}:v1\nCOMPOSE_PROJECT_NAME={project.name}\n")
    project.compose("up", "-d", "--wait")
    assert docker("port", f"{project.name}-web") != ""
    return project, {box.service: box.id for box in project.boxes("")}


def test_a_published_port_is_taken_over(make: MakeProject) -> None:
    project, old = running_without_headway(make)
    v2, v3 = project.release("v2"), project.release("v3")
    with Visitor(project.port) as visitor:
        project.deliver(v2)
        project.send("stage", v2)
        assert old["web"] in project.ids()
        assert visitor.ask() == "v1"
        assert visitor.failures == []
    project.send("switch", v2)
    project.send("settle", v2)
    project.assert_settled(v2)
    project.assert_settled(v2, of="worker")
    assert old["web"] not in project.ids()
    before = project.ids()
    project.compose("up", "-d")
    assert project.ids() == before
    with Visitor(project.port) as visitor:
        project.roll(v3)
        assert visitor.ask() == "v3"
    project.assert_settled(v3)
    assert visitor.failures == []


def test_a_first_deploy_over_it_that_fails_gives_everything_back(make: MakeProject) -> None:
    def check(phase: str) -> None:
        project, old = running_without_headway(make)
        bad = project.release("v2", BEHAVIOUR="exit" if phase == "stage" else "proxied-500")
        project.deliver(bad)
        if phase == "switch":
            project.send("stage", bad)
        with pytest.raises(ArrowFailed):
            project.send(phase, bad)
        project.send("abandon", bad)
        assert project.next() == ""
        assert {box.service: box.status for box in project.boxes("")} == {
            "web": "running",
            "worker": "running",
        }
        assert project.boxes("web")[0].id == old["web"]
        assert [box.version for box in project.boxes("worker")] == ["v1"]
        wait_for(project.port, "v1")
        assert f"APP_IMAGE={APP}:v1\n" in (project.dir / ".env").read_text()
        good = project.release("v3")
        project.roll(good)
        project.assert_settled(good)

    at_once(check, [("stage",), ("switch",)])


@pytest.mark.thorough
def test_a_first_deploy_over_it_in_which_somebody_types(
    make: MakeProject, request: pytest.FixtureRequest
) -> None:
    def check(typed: str, phase: str) -> None:
        project, _ = running_without_headway(make)
        v2 = project.release("v2")
        project.deliver(v2)
        project.send("stage", v2)
        if phase == "switched":
            project.send("switch", v2)
        project.compose(*WHAT[typed], check=False)
        project.send("abandon", v2)
        assert project.next() == ""
        for name in ("web", "worker"):
            assert [(box.status, box.version) for box in project.boxes(name)] == [("running", "v1")]
        wait_for(project.port, "v1")

    at_once(check, some(request, itertools.product(["up", "down"], PHASES)))


@pytest.mark.thorough
def test_two_replicas_that_ran_before_are_all_taken(make: MakeProject) -> None:
    replicas = WEB.replace('ports: ["127.0.0.1:PORT:3000"]', "deploy: {replicas: 2}")
    project = make(replicas, "web: {order: start-first, drain: 5s}")
    (project.dir / "compose.yaml").write_text((project.repository / "compose.yaml").read_text())
    (project.dir / ".env").write_text(f"APP_IMAGE={APP}:v1\nCOMPOSE_PROJECT_NAME={project.name}\n")
    project.compose("up", "-d", "--wait")
    old = project.ids()
    v2 = project.release("v2")
    project.deliver(v2)
    project.send("stage", v2)
    assert [(box.slot, box.version) for box in project.boxes()] == [
        ("blue", "v1"),
        ("blue", "v1"),
        ("green", "v2"),
        ("green", "v2"),
    ]
    project.send("abandon", v2)
    assert {box.id for box in project.boxes()} == old

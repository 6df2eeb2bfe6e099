"""Releases that are no good: found out at once, said why, and the host is as it was before."""

from __future__ import annotations

import re
import time

import pytest

from deploy.remote.arrows import ArrowFailed

from .at_once import at_once
from .conftest import SERVICES, WEB, MakeProject
from .project import APP, Box, Given, Project, docker
from .visitor import Visitor

pytestmark = pytest.mark.fleet

QUICK = 30.0
"""Seconds: half of the deadline for becoming healthy, and plenty on a busy machine."""


class Before:
    """A host on v1, and how it was."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.v1 = project.release("v1")
        project.roll(self.v1)
        self.boxes: list[Box] = project.boxes("")
        self.live = project.live()

    def assert_still_so(self, journal: list[tuple[str, str, str]]) -> None:
        self.project.assert_settled(self.v1)
        assert {box.id for box in self.project.boxes("")} == {box.id for box in self.boxes}
        assert self.project.live() == self.live
        assert self.project.journal() == [(self.v1.id, "deploy", "settled"), *journal]


def fails_to_stage(project: Project, bad: Given, **how: str) -> tuple[str, str, float]:
    """Stage it; return the reason, the detail, and how many seconds it took."""
    project.deliver(bad)
    began = time.monotonic()
    with pytest.raises(ArrowFailed) as caught:
        project.send("stage", bad, **how)  # type: ignore[arg-type]
    failed = caught.value.report.last("failed")
    assert failed is not None
    assert failed["undone"] == "yes"
    return failed["reason"], caught.value.detail, time.monotonic() - began


NOT_STAGED: list[tuple[str, str, str, dict[str, str]]] = [
    ("exit", "web ended with exit code 3", "cannot find its settings", {}),
    ("sick", "web was not healthy within 9 s", "answers 503", {"healthy_deadline": "900"}),
    ("error-500", "/ on the new container answered 500 (", "the template is missing", {}),
    ("crash=3000", "web ended with exit code 1", "out of luck", {"min_healthy": "900"}),
    ("silent", "web was not healthy within 9 s", "refused", {"healthy_deadline": "900"}),
]


def test_a_bad_release_is_not_staged(make: MakeProject) -> None:
    def check(behaviour: str, reason: str, log: str, settings: dict[str, str]) -> None:
        project = make()
        before = Before(project)
        bad = project.release("v2", BEHAVIOUR=behaviour)
        with Visitor(project.port) as visitor:
            said, detail, seconds = fails_to_stage(project, bad, **settings)
        # Docker may have started a crashed container again by the time that it is looked at.
        assert said.startswith((reason, "web has restarted", "web was started again"))
        assert log in detail
        assert "version v2 starts" in detail
        assert seconds < QUICK
        before.assert_still_so([(bad.id, "deploy", "failed")])
        assert visitor.failures == []
        assert set(visitor.answers) == {"v1"}

    at_once(check, NOT_STAGED)


@pytest.mark.thorough
def test_unhealthy_is_found_out_at_once(make: MakeProject) -> None:
    check = WEB.replace("start_period: 10s", "start_period: 0s").replace("retries: 2", "retries: 8")
    project = make(check.replace("interval: 5s", "interval: 300ms"))
    before = Before(project)
    bad = project.release("v2", BEHAVIOUR="sick")
    said, detail, seconds = fails_to_stage(project, bad)
    assert said == "web is unhealthy by its own health check"
    assert "answers 503" in detail
    assert seconds < QUICK
    before.assert_still_so([(bad.id, "deploy", "failed")])


@pytest.mark.thorough
def test_another_image_than_the_releases_is_not_staged(project: Project) -> None:
    """Somebody moves the name between the pull and the start."""
    before = Before(project)
    name = f"{project.name}:moving"
    docker("tag", f"{APP}:v2", name)
    bad = project.release("v2", image=name)
    project.deliver(bad)
    moved = project.dir / "moved"
    hook = f"""
case "$name $*" in *" network "*connect*) exit 1 ;; esac
case "$name $*" in "docker image inspect"*) docker tag {APP}:v3 {name}; touch {moved} ;; esac
"""
    with pytest.raises(ArrowFailed) as caught:
        project.send("stage", bad, before=hook)
    docker("image", "rm", name)
    assert moved.exists()
    assert caught.value.reason == f"web was started from another image than {name}"
    before.assert_still_so([(bad.id, "deploy", "failed")])


def test_an_image_that_is_gone_is_not_pulled_by_compose(project: Project) -> None:
    before = Before(project)
    name = f"{project.name}:gone"
    docker("tag", f"{APP}:v2", name)
    bad = project.release("v2", image=name)
    project.deliver(bad)
    docker("image", "rm", name)
    with pytest.raises(ArrowFailed, match="docker compose could not start web") as caught:
        project.send("stage", bad)
    assert name in caught.value.detail
    before.assert_still_so([(bad.id, "deploy", "failed")])


TAKEN_BACK = [
    ("proxied-500", "/ through the proxy answered 500 (", "the template is missing"),
    ("proxied-version", "/healthz through the proxy does not say version v2", '"version":"v0"'),
    ("crash=3000", "web ended with exit code 1", "out of luck"),
    ("sick=2500", "web is unhealthy by its own health check", r"503|\"sick\""),
]


def test_a_release_that_turns_out_bad_is_switched_back(make: MakeProject) -> None:
    def check(behaviour: str, reason: str, log: str) -> None:
        project = make()
        before = Before(project)
        bad = project.release("v2", BEHAVIOUR=behaviour)
        project.deliver(bad)
        project.send("stage", bad)
        with pytest.raises(ArrowFailed) as caught:
            project.send("switch", bad, bake="800")
        # Which of the signs of a crash is seen first is a matter of a tenth of a second.
        seen = (reason, "web has restarted", "web was started again", "/healthz through the proxy")
        assert caught.value.reason.startswith(seen)
        assert re.search(log, caught.value.detail)
        assert "version v2 starts" in caught.value.detail
        assert project.live() == before.live
        assert {box.slot for box in project.boxes()} == {"blue", "green"}
        with pytest.raises(ArrowFailed, match="is not switched"):
            project.send("settle", bad)
        with Visitor(project.port) as visitor:
            project.send("abandon", bad)
        before.assert_still_so([(bad.id, "deploy", "failed"), (bad.id, "deploy", "reverted")])
        assert visitor.failures == []
        assert set(visitor.answers) == {"v1"}

    at_once(check, TAKEN_BACK)


@pytest.mark.thorough
def test_what_answers_well_in_the_end_is_kept(project: Project) -> None:
    """A process that has just begun may be too busy for its first seconds."""
    Before(project)
    late = project.release("v2", BEHAVIOUR="proxied-late=4000")
    project.deliver(late)
    project.send("stage", late)
    project.send("switch", late, probe_deadline="1000")
    project.send("settle", late)
    project.assert_settled(late)


def test_a_first_deploy_that_fails_leaves_nothing(project: Project) -> None:
    bad = project.release("v1", BEHAVIOUR="exit")
    fails_to_stage(project, bad)
    assert project.boxes() == []
    assert project.next() == ""
    assert not (project.dir / ".env").exists()
    good = project.release("v2")
    project.roll(good)
    project.assert_settled(good)


def test_files_that_do_not_arrive_whole_are_no_release(project: Project) -> None:
    v1 = project.release("v1")
    with pytest.raises(ArrowFailed, match="did not arrive whole"):
        project.send("prepare", v1, stdin=b"\nhalf a tar")
    assert list((project.dir / ".headway" / "releases").iterdir()) == []


def test_a_worker_is_replaced_and_put_back(make: MakeProject) -> None:
    project = make(
        WEB.replace("  web:", "  worker:").replace(
            'ports: ["127.0.0.1:PORT:3000"]', "command: node app.mjs"
        ),
        "worker: {}",
    )
    v1, v2 = project.release("v1"), project.release("v2")
    project.roll(v1)
    project.roll(v2)
    project.assert_settled(v2, of="worker")
    bad = project.release("v3", BEHAVIOUR="crash=1500")
    project.deliver(bad)
    project.send("stage", bad)
    assert [box.version for box in project.boxes("worker")] == ["v2"]
    with pytest.raises(ArrowFailed) as caught:
        project.send("switch", bad, bake="600")
    assert "out of luck" in caught.value.detail
    project.send("abandon", bad)
    project.assert_settled(v2, of="worker")
    before = project.ids()
    project.compose("up", "-d")
    assert project.ids() == before


@pytest.mark.thorough
def test_a_one_shot_that_fails_stops_the_roll(make: MakeProject) -> None:
    compose = (
        WEB
        + """
    depends_on: {prepare: {condition: service_completed_successfully}}
  prepare:
    image: ${APP_IMAGE:?}
    command: ["bash", "-c", "echo preparing; exit ${CODE:-0}"]
"""
    )
    project = make(compose, SERVICES)
    v1, v2 = project.release("v1"), project.release("v2", CODE="4")
    project.roll(v1)
    project.deliver(v2)
    with pytest.raises(ArrowFailed) as caught:
        project.send("stage", v2)
    assert caught.value.reason == "prepare did not end well (exit 4)"
    assert "preparing" in caught.value.detail
    project.assert_settled(v1)
    v3 = project.release("v3")
    project.roll(v3)
    project.assert_settled(v3)

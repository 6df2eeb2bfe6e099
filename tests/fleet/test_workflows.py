"""The workflows on the fleet: from a push to a deploy, a plan that is approved, a rollback.

A run that is cancelled is not act's: it kills at once. The runner's own ladder (actions/runner,
ProcessInvoker.cs) is played to the very text of the step.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from deploy.sandbox.home import Home
from tests.act import ROOT, Act, example
from tests.fleet.conftest import Loads, no_failure

if TYPE_CHECKING:
    from tests.fleet.project import Project

LADDER = ((0.0, signal.SIGINT), (7.5, signal.SIGTERM), (2.5, signal.SIGKILL))
BUILT = f"env PYTHONPATH={ROOT} {sys.executable} -m tests.fleet.built"


@pytest.fixture(scope="module")
def act(fleet: None, shop: Project, tmp_path_factory: pytest.TempPathFactory) -> Act:
    """The shop's repository at GitHub, with the workflows that a team copies."""
    here = Home().path
    folder = tmp_path_factory.mktemp("github")
    app = folder / "shop"
    workflows = app / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (app / "hosts").mkdir()
    probes = yaml.safe_load((ROOT / "hosts" / "smoke.yaml").read_text())["probes"]
    body = shop.body | {"approvers": [], "smoke": {"probes": probes}}
    (app / "hosts" / "sandbox.yaml").write_text(yaml.safe_dump(body))
    (app / "tasks.py").write_text("from deploy import namespace\n\nns = namespace()\n")
    image = {"image": "localhost:5050/shop", "environment": "sandbox"}
    (workflows / "staging.yml").write_text(example("staging.yml", **image))
    (workflows / "production.yml").write_text(example("production.yml", **image))
    (workflows / "people.yml").write_text(example("production.yml", approval="people", **image))
    (workflows / "rollback.yml").write_text(
        example("rollback.yml").replace("- staging", "- sandbox")
    )
    return Act(
        app,
        folder / "act",
        secrets={
            "DEPLOY_SSH_KEY": (here / "id_ed25519").read_text(),
            "DEPLOY_DOTENV": (here / "env").read_text(),
        },
        variables={"DEPLOY_KNOWN_HOSTS": (here / "known_hosts").read_text()},
        build=f"{BUILT} build",
        find=f"{BUILT} find",
    )


def tag_git(act: Act) -> str:
    """Tag the commit with a version of which the registry has no image, whatever was run before."""
    tag = f"r{time.time_ns()}"
    subprocess.run(["git", "-C", str(act.app), "tag", tag], check=True)
    return tag


def approvers(act: Act, *people: str) -> None:
    file = act.app / "hosts" / "sandbox.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"approvers": [*people]}))


def tags(shop: Project) -> set[str]:
    return set(shop.tags().values())


def no_secret_in(log: str) -> None:
    for line in (Home().path / "env").read_text().splitlines():
        value = line.partition("=")[2].strip("'\"")
        assert not value or value not in log
    assert "PRIVATE KEY" not in log


def test_a_push_is_built_and_deployed_and_one_click_takes_it_back(
    act: Act, shop: Project, release: Callable[..., str], load: Loads
) -> None:
    shop.on(release("v1"))
    with load() as traffic:
        began = time.monotonic()
        ran = act.run("push", "staging.yml", ref="refs/heads/main")
        seconds = time.monotonic() - began
        assert ran.exit_code == 0, ran.log
        assert tags(shop) == {act.commit}
        assert ran.result("Recover") == ""
        assert "serves" in ran.step("Deploy")
        assert re.search(r"smoke .*\d passed", ran.step("Deploy")), ran.step("Deploy")
        inputs = {"environment": "sandbox", "tag": "", "reason": "it's slow"}
        began = time.monotonic()
        back = act.run("workflow_dispatch", "rollback.yml", number=2, inputs=inputs)
        back_seconds = time.monotonic() - began
    assert back.exit_code == 0, back.log
    assert tags(shop) == {"v1"}
    no_failure(traffic)
    for one in (ran, back):
        no_secret_in(one.log)
    print(
        f"staging, from the push: {seconds:.0f} s; rollback, from the click: {back_seconds:.0f} s"
    )
    assert seconds < 300
    assert back_seconds < 300


def test_a_push_that_fails_is_reverted_and_recovered(
    act: Act, shop: Project, release: Callable[..., str]
) -> None:
    """The image of another commit of the shop's repository, which is broken."""
    shop.on(release("v1"))
    (act.app / "CHANGES").write_text("broken\n")
    words = ["-c", "user.name=Bo", "-c", "user.email=bo@acme.test", "commit", "-qm", "broken"]
    subprocess.run(["git", "-C", str(act.app), "add", "-A"], check=True)
    subprocess.run(["git", "-C", str(act.app), *words], check=True)
    release(act.commit, "error-500")
    good, act.build = act.build, f"{BUILT} find"
    try:
        ran = act.run("push", "staging.yml", number=3, ref="refs/heads/main")
    finally:
        act.build = good
    assert ran.exit_code != 0
    assert ran.result("Deploy") == "Failure"
    assert "exit 4" in ran.step("Deploy")
    assert ran.result("Recover") == "Success"
    assert "nothing was left in its middle" in ran.step("Recover")
    assert tags(shop) == {"v1"}
    # A click that leads nowhere is red, and looked after like it.
    inputs = {"environment": "sandbox", "tag": "never-built", "reason": "it's slow"}
    back = act.run("workflow_dispatch", "rollback.yml", number=10, inputs=inputs)
    assert back.exit_code != 0
    assert back.result("Roll back") == "Failure"
    assert "never-built" in back.step("Roll back")
    assert back.result("Recover") == "Success"
    assert "nothing was left in its middle" in back.step("Recover")
    assert tags(shop) == {"v1"}
    for one in (ran, back):
        no_secret_in(one.log)


def test_a_release_is_planned_and_exactly_that_is_deployed(
    act: Act, shop: Project, release: Callable[..., str]
) -> None:
    """Nobody is asked for an approval by act: the plan goes to the deploy as it does after one."""
    shop.on(release("v1"))
    tag = tag_git(act)
    event: dict[str, Any] = {"release": {"tag_name": tag}, "action": "published"}
    ran = act.run("release", "production.yml", number=4, **event)
    assert ran.exit_code == 0, ran.log
    assert "There is none yet: it is built now." in ran.step("Find the image")
    assert "--plan-file" in ran.step("Plan")
    assert (act.home / "artifacts" / "4" / "plan.json").exists()
    assert tags(shop) == {tag}
    # Once more: the image is there, and there is nothing to do.
    again = act.run("release", "production.yml", number=5, **event)
    assert again.exit_code == 0, again.log
    assert "There is none yet" not in again.log
    assert "Nothing to do" in again.step("Plan")
    assert again.result("Deploy") == ""
    no_secret_in(ran.log + again.log)


def test_people_approve_and_what_has_moved_is_refused(
    act: Act, shop: Project, release: Callable[..., str]
) -> None:
    shop.on(release("v1"))
    approvers(act, "ana", "bo")
    tag = tag_git(act)
    event: dict[str, Any] = {"release": {"tag_name": tag}, "action": "published"}
    planned = act.run("release", "people.yml", number=6, actor="ana", **event)
    assert planned.exit_code == 0, planned.log
    assert planned.result("Deploy") == ""
    assert tags(shop) == {"v1"}
    inputs = {"tag": tag, "plan-run": "6"}
    own = act.run("workflow_dispatch", "people.yml", number=7, actor="ana", inputs=inputs)
    assert own.exit_code != 0
    assert "has ordered it, and can't approve it" in own.step("Deploy")
    assert tags(shop) == {"v1"}
    # Somebody else deploys in between.
    shop.on(release("v2"))
    late = act.run("workflow_dispatch", "people.yml", number=8, actor="bo", inputs=inputs)
    assert late.exit_code != 0
    assert "this is not what was planned any more" in late.step("Deploy")
    assert late.result("Recover") == "Success"
    assert tags(shop) == {"v2"}
    shop.on("v1")
    good = act.run("workflow_dispatch", "people.yml", number=9, actor="bo", inputs=inputs)
    assert good.exit_code == 0, good.log
    assert tags(shop) == {tag}


def test_a_run_that_is_cancelled_by_the_runner(shop: Project, release: Callable[..., str]) -> None:
    old, new = shop.on_one_of(release("v1"), release("v2"))
    process = step_of("Deploy", shop, new)
    assert process.stdout is not None
    for line in process.stdout:
        if "web-1" in line and "switch" in line:
            break
    began = time.monotonic()
    for seconds, number in LADDER:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        if process.poll() is not None:
            break
        # The first process of the step, and no other: that is why it is `inv` itself.
        process.send_signal(number)
    process.wait(2.5)
    assert time.monotonic() - began < 13
    assert process.returncode == 130
    recover = step_of("Recover", shop, new)
    said, _ = recover.communicate(timeout=300)
    assert recover.returncode == 0, said
    assert len(tags(shop)) == 1
    assert tags(shop) <= {old, new}


def step_of(name: str, shop: Project, tag: str) -> subprocess.Popen[str]:
    """A step of deploy-staging.yml, begun as a runner begins it."""
    file = ROOT / ".github" / "workflows" / "deploy-staging.yml"
    steps = yaml.safe_load(file.read_text())["jobs"]["deploy"]["steps"]
    text = next(step["run"] for step in steps if step.get("name") == name)
    script = shop.folder / f"{name}.sh"
    script.write_text(text)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
        cwd=shop.folder,
        env=shop.environ
        | {"PATH": path, "ENVIRONMENT": shop.name, "GITHUB_SHA": tag, "DIGEST": ""},
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )

"""A workflow executed where it can reach nobody: what is refused, and that it is recovered.

The same with hosts, and with an image that is built, is in `tests/fleet/test_workflows.py`.
What runs this project's own tests is executed with another `script/test`: these are among them.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from .act import ROOT, Act, example

if TYPE_CHECKING:
    from pathlib import Path

HOSTS = """\
app: shop
image: localhost:9/shop
secrets: [SESSION_KEY]
ssh: {connect_timeout: 2s}
hosts:
  web-1: {address: 127.0.0.1, port: 9, roles: [web]}
services:
  web: {role: web, port: 3000}
"""
COMPOSE = """\
services:
  web:
    image: ${SHOP_IMAGE:?}
    environment: {SESSION_KEY: "${SESSION_KEY:?}"}
    ports: ["80:3000"]
"""
DIGEST = f"sha256:{'0' * 64}"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def act(tmp_path: Path, kept: Path) -> Act:
    app = tmp_path / "shop"
    (app / ".github" / "workflows").mkdir(parents=True)
    (app / "hosts").mkdir()
    (app / "hosts" / "staging.yaml").write_text(HOSTS)
    (app / "compose.yaml").write_text(COMPOSE)
    (app / "tasks.py").write_text("from deploy import namespace\n\nns = namespace()\n")
    workflows = {
        "staging.yml": example("staging.yml", image="localhost:9/shop", extras="cloudfront"),
        "production.yml": example("production.yml", image="", environment="staging"),
        "rollback.yml": example("rollback.yml"),
    }
    for name, text in workflows.items():
        (app / ".github" / "workflows" / name).write_text(text)
    build = tmp_path / "build"
    build.write_text(f'#!/bin/sh\nprintf "%s" "$LABELS" >{tmp_path}/labels\necho {DIGEST}\n')
    build.chmod(0o755)
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    secrets = {"DEPLOY_SSH_KEY": key.read_text(), "DEPLOY_DOTENV": "SESSION_KEY=s3cret-of-staging"}
    variables = {"DEPLOY_KNOWN_HOSTS": "[127.0.0.1]:9 none"}
    return Act(app, tmp_path / "act", secrets, variables, build=str(build), kept=kept)


def test_a_deploy_that_reaches_nobody_is_refused_and_looked_after(act: Act, tmp_path: Path) -> None:
    ran = act.run("push", "staging.yml", ref="refs/heads/main")
    assert ran.exit_code != 0
    labels = (tmp_path / "labels").read_text().strip().splitlines()
    assert labels == ["headway.author=Ana", "headway.subject=the shop"]
    assert ran.result("Mask every secret") == "Success"
    # Inside, `inv` knows that it is in Actions, and what it has found is the one error.
    assert ran.result("Deploy") == "Failure"
    assert "::error" in ran.log or "❗" in ran.log
    assert "exit 3" in ran.step("Deploy")
    assert ran.result("Recover") == "Failure", "it can reach nobody either"
    assert "s3cret-of-staging" not in ran.log
    assert "OPENSSH PRIVATE KEY" not in ran.log


def test_a_secret_that_is_missing_is_named_before_anybody_is_spoken_to(act: Act) -> None:
    act.secrets = {}
    ran = act.run("push", "staging.yml", ref="refs/heads/main")
    assert ran.exit_code != 0
    assert "DEPLOY_SSH_KEY is empty" in ran.log
    assert ran.result("Deploy") == ran.result("Recover") == ""


def test_a_rollback_that_reaches_nobody_is_red_and_looked_after(act: Act) -> None:
    inputs = {"environment": "staging", "tag": "v1", "reason": "it's slow"}
    ran = act.run("workflow_dispatch", "rollback.yml", inputs=inputs)
    assert ran.exit_code != 0
    assert ran.result("Roll back") == "Failure"
    assert "exit 3" in ran.step("Roll back")
    assert "web-1" in ran.step("Recover"), "it has asked the host, which is away"
    assert ran.result("Recover") == "Failure"


def test_a_plan_that_reaches_nobody_is_red_and_nothing_is_deployed(act: Act) -> None:
    subprocess.run(["git", "-C", str(act.app), "tag", "v2"], check=True)
    ran = act.run("release", "production.yml", release={"tag_name": "v2"}, action="published")
    assert ran.exit_code != 0
    assert ran.result("Plan") == "Failure"
    assert "exit 3" in ran.step("Plan")
    assert ran.result("Deploy") == ran.result("Recover") == ""
    assert not list((act.home / "artifacts").iterdir()), "there is no plan to approve"


@pytest.mark.parametrize(("code", "result"), [(0, "Success"), (7, "Failure")])
def test_this_projects_own_tests_run_on_each_python(tmp_path: Path, code: int, result: str) -> None:
    app = tmp_path / "headway"
    file = ROOT / ".github" / "workflows" / "ci.yml"
    (app / ".github" / "workflows").mkdir(parents=True)
    (app / ".github" / "workflows" / "ci.yml").write_text(file.read_text())
    (app / "script").mkdir()
    (app / "script" / "test").write_text(f"#!/bin/sh\nexit {code}\n")
    (app / "script" / "test").chmod(0o755)
    ran = Act(app, tmp_path / "act").run("pull_request", "ci.yml")
    assert (ran.exit_code != 0) == (code != 0), ran.log
    assert ran.log.count(f"{result} - Main exec script/test") == 2, ran.log

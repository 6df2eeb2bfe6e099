"""A workflow executed where it can reach nobody: what is refused, and that it is recovered.

The same with hosts, and with an image that is built, is in `tests/fleet/test_workflows.py`.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from .act import Act, example

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


@pytest.fixture
def act(tmp_path: Path) -> Act:
    app = tmp_path / "shop"
    (app / ".github" / "workflows").mkdir(parents=True)
    (app / "hosts").mkdir()
    (app / "hosts" / "staging.yaml").write_text(HOSTS)
    (app / "compose.yaml").write_text(COMPOSE)
    (app / "tasks.py").write_text("from deploy import namespace\n\nns = namespace()\n")
    (app / ".github" / "workflows" / "staging.yml").write_text(
        example("staging.yml", image="", extras="cloudfront")
    )
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    secrets = {"DEPLOY_SSH_KEY": key.read_text(), "DEPLOY_DOTENV": "SESSION_KEY=s3cret-of-staging"}
    return Act(app, tmp_path / "act", secrets, {"DEPLOY_KNOWN_HOSTS": "[127.0.0.1]:9 none"})


def test_a_deploy_that_reaches_nobody_is_refused_and_looked_after(act: Act) -> None:
    ran = act.run("push", "staging.yml", ref="refs/heads/main")
    assert ran.exit_code != 0
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

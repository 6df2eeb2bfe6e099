"""The sandbox's settings for a project in another folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.sandbox import elsewhere
from deploy.sandbox.home import ROOT
from deploy.settings import load

if TYPE_CHECKING:
    import pytest


def test_a_project_of_its_own_has_the_fleet_and_tells_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    shutil.copytree(ROOT / "hosts", checkout / "hosts")
    (checkout / ".sandbox").mkdir()
    (checkout / ".sandbox" / "hosts.yaml").write_text(
        "web-1: {address: 127.0.0.1, port: 22001, roles: [web]}\n"
        "db-1: {address: 127.0.0.1, port: 22201, roles: [db, worker]}\n"
    )
    (checkout / ".sandbox" / "url.yaml").write_text("http://127.0.0.1:9000\n")
    for name in ("id_ed25519", "known_hosts", "env"):
        (checkout / ".sandbox" / name).touch(mode=0o600)
    monkeypatch.setattr(elsewhere, "ROOT", checkout)
    secrets = ("REGISTRY_PASSWORD", "DATABASE_URL", "DATABASE_PASSWORD", "SESSION_KEY")
    others = ("SANDBOX_SLACK_TOKEN", "SANDBOX_WEBHOOK_KEY", "SANDBOX_CLOUDFLARE_TOKEN")
    environ = dict.fromkeys((*secrets, *others), "postgresql://shop@10.0.0.1/shop")
    elsewhere.write(tmp_path / "project", "sandbox", elsewhere.settings())
    found = load(tmp_path / "project", "sandbox", environ)
    whole = load(checkout, "sandbox", environ)
    assert whole.smoke
    assert whole.notify.slack
    assert whole.cdn.cloudflare
    assert found.smoke is None
    assert (found.notify.slack, found.notify.webhook, found.cdn.cloudflare) == (None, None, None)
    assert (found.hosts, found.ssh, found.rollout) == (whole.hosts, whole.ssh, whole.rollout)
    assert found.url == whole.url == "http://127.0.0.1:9000"
    assert (found.image, found.services) == (whole.image, whole.services)

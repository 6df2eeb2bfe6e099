"""A secret as a file: it is where Compose puts files, and a new value makes new containers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fleet.project import WEB, Project, container_ids, on_host, settled

FIRST, SECOND = "canary-first-0", "canary-second-1"


@pytest.mark.thorough
def test_a_new_value_with_the_same_image(
    settings_of_shop: Project,
    release: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop, tag = settings_of_shop, release("v1")
    text = shop.compose_text().replace(
        "services:\n  web:\n", "services:\n  web:\n    secrets: [signing_key]\n", 1
    )
    text += "\nsecrets:\n  signing_key: {environment: SIGNING_KEY}\n"
    (tmp_path / "compose.yaml").write_text(text)
    (tmp_path / "Caddyfile").write_text(shop.beside("Caddyfile"))
    shop.change(
        compose=str(tmp_path / "compose.yaml"), secrets=[*shop.body["secrets"], "SIGNING_KEY"]
    )

    def in_containers(value: str) -> None:
        for host in WEB:
            (one,) = settled(host, "/srv/shop", "web")
            assert on_host(host, f"docker exec {one} cat /run/secrets/signing_key") == value
            assert value not in on_host(host, f"docker inspect {one}")
            assert value not in on_host(host, f"docker exec {one} env")

    monkeypatch.setenv("SIGNING_KEY", FIRST)
    done = shop.deploy(tag)
    assert done.exit_code == 0, done.text
    in_containers(FIRST)
    before = {host: container_ids(host) for host in WEB}

    monkeypatch.setenv("SIGNING_KEY", SECOND)
    done = shop.deploy(tag)
    assert done.exit_code == 0, done.text
    in_containers(SECOND)
    assert all(container_ids(host) != before[host] for host in WEB)

    done = shop.inv("rollback")
    assert done.exit_code == 0, done.text
    in_containers(FIRST)
    assert FIRST not in done.text
    assert SECOND not in done.text

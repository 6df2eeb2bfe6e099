"""A host whose key is unknown or changed is refused before anything is sent to it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.fleet.project import ROOT, WEB, Project, container_ids

PINNED = ROOT / ".sandbox" / "known_hosts"


def _attempts(host: str) -> int:
    logs = subprocess.run(
        ["docker", "logs", f"headway-{host}"], capture_output=True, text=True, check=True
    )
    return (logs.stdout + logs.stderr).count("Accepted publickey")


@pytest.mark.parametrize("kind", ["unknown", "changed"])
def test_refused_before_authentication(
    settings_of_shop: Project, release, tmp_path: Path, kind: str
) -> None:
    shop = settings_of_shop
    lines = PINNED.read_text().splitlines()
    mine = next(line for line in lines if ":22002" in line)
    other = next(line for line in lines if ":22001" in line)
    kept = [line for line in lines if line != mine]
    if kind == "changed":
        kept.append(f"{mine.split()[0]} {' '.join(other.split()[1:])}")
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text("\n".join(kept) + "\n")
    shop.change(ssh={"known_hosts": str(known_hosts)})
    before = {host: container_ids(host) for host in WEB}
    attempts = _attempts("web-2")
    done = shop.inv("deploy", "--tag", release("v1"))
    assert done.exit_code == 3, done.text
    assert "web-2" in done.text
    assert "SHA256:" in done.text
    assert _attempts("web-2") == attempts
    assert {host: container_ids(host) for host in WEB} == before

"""A key that may run Headway's own scripts deploys and rolls back, and does nothing else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.fleet.project import ROOT, WEB, Project, on_host
from tests.remote.sshd import make_key

ADMIN = str(ROOT / ".sandbox" / "id_ed25519")
KEYS = "~/.ssh/authorized_keys"


@pytest.fixture
def limited(settings_of_shop: Project, tmp_path: Path) -> Iterator[Project]:
    """The shop, whose hosts file names a key that `inv setup` has limited."""
    shop = settings_of_shop
    key = make_key(tmp_path / "limited")
    before = {host: on_host(host, f"cat {KEYS}") for host in shop.status()}
    shop.change(ssh={"key": str(key)})
    yield shop
    for host, keys in before.items():
        on_host(host, f"printf '%s\\n' '{keys}' >{KEYS}; rm -f ~/.ssh/headway-gate-*")
        assert on_host(host, f"cat {KEYS}") == keys


@pytest.mark.thorough
def test_deploy_and_rollback(limited: Project, release: Callable[..., str]) -> None:
    shop = limited
    first, second = release("v1"), release("v2")
    public = f"{shop.body['ssh']['key']}.pub"
    done = shop.inv("setup", "--public", public, "--key", ADMIN, "--yes")
    assert done.exit_code == 0, done.text
    assert done.text.count("add to ~/.ssh/authorized_keys: command=") == len(shop.status())

    for verb, words, tag in (
        ("deploy", ["--tag", first], first),
        ("deploy", ["--tag", second], second),
        ("rollback", [], first),
    ):
        done = shop.inv(verb, *words)
        assert done.exit_code == 0, done.text
        assert {shop.tags()[host] for host in WEB} == {tag}
    for verb, *words in (["check"], ["plan", "--tag", first], ["status"], ["history"], ["recover"]):
        done = shop.inv(verb, *words)
        assert done.exit_code == 0, done.text
    assert shop.inv("lock", "--reason", "it's a test").exit_code == 0
    assert shop.inv("unlock", "--yes").exit_code == 0

    before = on_host("web-1", "ls -A ~ /srv")
    done = shop.inv("exec", "touch broken-in")
    assert done.exit_code == 5
    assert done.text.count("it was not run") == len(shop.status())
    assert shop.inv("logs").exit_code == 5
    port = str(yaml.safe_load(Path(shop.body["hosts"]).read_text())["web-1"]["port"])
    ssh = ["-i", public.removesuffix(".pub"), "-F", "none", "-o", "BatchMode=yes"]
    ssh += ["-o", f"UserKnownHostsFile={shop.body['ssh']['known_hosts']}"]
    ssh += ["-o", "IdentitiesOnly=yes"]
    for command in (
        ["ssh", *ssh, "-p", port, "deploy@127.0.0.1", "docker run -v /:/host alpine"],
        ["ssh", *ssh, "-tt", "-p", port, "deploy@127.0.0.1"],
        ["scp", *ssh, "-P", port, str(ROOT / "README.md"), "deploy@127.0.0.1:broken-in"],
    ):
        refused = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
        )
        assert refused.returncode != 0, command
    assert on_host("web-1", "ls -A ~ /srv") == before

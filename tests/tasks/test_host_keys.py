"""`inv check --host-keys`, as it is typed, against a real sshd."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..remote.sshd import Sshd, make_key
from .repository import Repository


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    folder = tmp_path_factory.mktemp("sshd")
    one = Sshd(folder / "server", make_key(folder / "id_ed25519"))
    yield one
    one.stop()


@pytest.fixture
def repository(tmp_path: Path, server: Sshd) -> Repository:
    one = Repository(tmp_path / "acme")
    one.environment("staging", port=server.port)
    return one


def test_unknown_then_pinned(repository: Repository, server: Sshd) -> None:
    done = repository.inv("check.staging", "--host-keys")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith(f"web-1  127.0.0.1, port {server.port}\n  ssh-ed25519  SHA256:")
    assert f"\n    {server.line()}" in done.stdout
    known_hosts = repository.folder / "hosts" / "known_hosts"
    assert str(known_hosts) in done.stdout
    assert not known_hosts.exists()
    known_hosts.write_text(server.line())
    done = repository.inv("check.staging", "--host-keys")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("  pinned\n\nEvery server shows a key that is pinned.\n")


def test_as_json(repository: Repository, server: Sshd) -> None:
    done = repository.inv("check.staging", "--host-keys", "--json")
    assert (done.returncode, done.stderr) == (3, "")
    (found,) = json.loads(done.stdout)
    assert (found["host"], found["port"], found["ready"]) == ("web-1", server.port, False)
    (key,) = found["keys"]
    assert key["standing"] == "unknown"
    assert key["line"] + "\n" == server.line()

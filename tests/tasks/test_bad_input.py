"""What a user can get wrong ends with its exit code and a message, and reaches nobody."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from .repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Listener:
    """A port that counts who connects to it: the registry and the hosts are all here."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()
    yield one
    one.close()


@pytest.fixture
def repository(tmp_path: Path, listener: Listener) -> Repository:
    made = Repository(tmp_path / "acme")
    made.environment("staging", port=listener.port)
    return made


TAGS = {
    "a command": ("deploy.staging", "--tag", "x;rm -rf /"),
    "a flag": ("deploy.staging", "--tag", "-v"),
    "two lines": ("deploy.staging", "--tag", "a\nb"),
    "300 characters": ("deploy.staging", "--tag", "a" * 300),
    "nothing": ("deploy.staging", "--tag", ""),
    "plan": ("plan.staging", "--tag", "$(id)"),
    "check": ("check.staging", "--tag", "b" * 300),
    "rollback": ("rollback.staging", "--to", "../x"),
}


@pytest.mark.parametrize("words", TAGS.values(), ids=TAGS.keys())
def test_a_tag_that_is_none(
    repository: Repository, listener: Listener, words: tuple[str, ...]
) -> None:
    done = repository.inv(*words)
    text = done.stdout + done.stderr
    assert "is no tag" in text, text
    assert done.returncode == 2
    assert listener.connections == 0
    # Shown in short and in one line, whatever it holds.
    assert len(text) < 500
    assert "a\nb" not in text


def test_the_listener_would_have_heard(repository: Repository, listener: Listener) -> None:
    """The same with a good tag: now something is asked for, and nobody answers."""
    done = repository.inv("plan.staging", "--tag", "v1")
    assert done.returncode == 3, done.stderr
    assert listener.connections > 0


FAULTS = {
    "an unknown key": ("deploy", "colour: red\n", 9, "colour"),
    "a wrong type": ("plan", "rollout: {canary: many}\n", 9, "rollout.canary"),
    "a number that is text": ("rollback", "rollout: {keep_releases: '2'}\n", 9, "keep_releases"),
    "an address twice": ("check", "hosts:\n  b: {address: 127.0.0.1, roles: [web]}\n", 9, "hosts"),
}


@pytest.mark.parametrize(("verb", "more", "line", "key"), FAULTS.values(), ids=FAULTS.keys())
def test_a_hosts_file_with_a_fault(
    repository: Repository, listener: Listener, verb: str, more: str, line: int, key: str
) -> None:
    file = repository.folder / "hosts" / "staging.yaml"
    before = file.read_text()
    assert before.count("\n") == line
    file.write_text(before + more)
    done = repository.inv(f"{verb}.staging")
    assert done.returncode == 2
    assert f"hosts/staging.yaml:{line + 1}" in done.stderr
    assert key in done.stderr
    assert done.stderr.endswith("Nothing has been changed.\nexit 2\n")
    assert listener.connections == 0


def test_every_fault_at_once(repository: Repository) -> None:
    file = repository.folder / "hosts" / "staging.yaml"
    file.write_text(file.read_text() + "colour: red\nrollout: {canary: many, bake: 10}\n")
    del repository.environ["SESSION_KEY"]
    done = repository.inv("deploy.staging")
    assert done.returncode == 2
    for word in ("colour", "rollout.canary", "SESSION_KEY"):
        assert word in done.stderr


def test_a_missing_secret(repository: Repository, listener: Listener) -> None:
    del repository.environ["SESSION_KEY"]
    done = repository.inv("deploy.staging", "--tag", "v1")
    assert done.returncode == 2
    assert "SESSION_KEY" in done.stderr
    assert "token-0" not in done.stderr
    assert listener.connections == 0


@pytest.mark.parametrize("kind", ["readable", "symlink"])
def test_a_dotenv_that_is_not_ours_alone(repository: Repository, kind: str) -> None:
    del repository.environ["SESSION_KEY"]
    file = repository.folder / ".env.staging"
    target = file if kind == "readable" else repository.folder / "elsewhere"
    target.write_text("SESSION_KEY=key-1\n")
    target.chmod(0o644 if kind == "readable" else 0o600)
    if kind == "symlink":
        file.symlink_to(target)
    done = repository.inv("deploy.staging", "--tag", "v1")
    assert done.returncode == 2
    assert ".env.staging" in done.stderr
    assert "key-1" not in done.stderr


COMPOSE = {
    "does not parse": ("services: {web: [}\n", "compose.yaml:1"),
    "lacks the service": ("services: {api: {image: x}}\n", "has no service web"),
    "host network": (
        "services: {web: {image: x, network_mode: host, ports: ['80:3000']}}\n",
        "services.web.network_mode",
    ),
    "a fixed address": (
        "services: {web: {image: x, ports: ['80:3000'],"
        " networks: {a: {ipv4_address: 10.0.0.2}}}}\nnetworks: {a: {}}\n",
        "services.web.networks.a",
    ),
}


@pytest.mark.parametrize(("text", "words"), COMPOSE.values(), ids=COMPOSE.keys())
def test_a_compose_file_that_cannot_be_rolled(
    repository: Repository, listener: Listener, text: str, words: str
) -> None:
    repository.write("compose.yaml", text)
    done = repository.inv("deploy.staging", "--tag", "v1")
    assert done.returncode == 2
    assert words in done.stderr
    assert listener.connections == 0


def test_check_tells_of_the_compose_file_and_of_the_hosts_together(repository: Repository) -> None:
    repository.environment("staging", port=1)
    text, words = COMPOSE["host network"]
    repository.write("compose.yaml", text)
    done = repository.inv("check.staging")
    assert done.returncode == 2
    misfit, *others = done.stdout.splitlines()[1:-1]
    assert words in misfit
    assert any(line.startswith("  registry ") for line in others), done.stdout
    assert any(line.startswith("  web-1 ") for line in others), done.stdout
    assert done.stdout.endswith("\nNothing has been changed.\n")


def test_a_host_that_is_not_known(repository: Repository) -> None:
    done = repository.inv("logs.staging", "--host", "web-2")
    assert done.returncode == 2
    assert "there is no host 'web-2'" in done.stderr
    assert "web-1" in done.stderr


def test_a_host_that_is_not_there(repository: Repository) -> None:
    """Nobody answers on port 1; every verb that reads says so in its own way."""
    repository.environment("staging", port=1)
    for verb, code in (("status", 3), ("history", 3), ("logs", 5), ("rollback", 3)):
        done = repository.inv(f"{verb}.staging")
        assert done.returncode == code, (verb, done.stderr)
        assert "web-1" in done.stdout + done.stderr
    done = repository.inv("exec.staging", "true")
    assert done.returncode == 5
    assert "web-1  ! web-1: " in done.stdout

"""Hosts and images that are not ready: every fault named with its mend, exit 3, nothing changed."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox import elsewhere
from tests.fleet.project import ROOT, Project

NAME = "headway-test-odd"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"
SOCKET = "/var/run/docker.sock:/var/run/docker.sock"
PREPARE = """
install -d -m 0755 /run/sshd && ssh-keygen -A >/dev/null
echo "$AUTHORIZED" >/home/deploy/.ssh/authorized_keys
chown deploy: /home/deploy/.ssh/authorized_keys && chmod 0600 /home/deploy/.ssh/authorized_keys
getent group "$(stat -c %g /var/run/docker.sock)" >/dev/null ||
    groupadd -g "$(stat -c %g /var/run/docker.sock)" engine
usermod -aG "$(stat -c %g /var/run/docker.sock)" deploy
@WRONG@
exec /usr/sbin/sshd -D -e
"""

# What is done to the host, further words for `docker run`, and what `check` says of it.
CASES: dict[str, tuple[str, list[str], str]] = {
    "no docker": ("rm -f /usr/bin/docker", [], "odd-1  docker: is not installed"),
    "compose v1": (
        "rm -rf /usr/libexec/docker/cli-plugins/docker-compose",
        [],
        "odd-1  docker compose: there is no Compose v2",
    ),
    "full disk": ("", ["--tmpfs", "/srv:size=64m,uid=1000,mode=755"], "MB free"),
    "no rights": (
        'gpasswd -d deploy "$(getent group "$(stat -c %g /var/run/docker.sock)" | cut -d: -f1)"',
        [],
        "odd-1  docker: deploy may not use it",
    ),
    "somebody else's folder": ("chown root: /srv", [], "odd-1  /srv/shop"),
    # Docker itself comes to that in a race of its own alone, so this one says it does.
    "a container that is listed and not known": (
        """cat >/usr/local/bin/docker <<'END'
#!/bin/sh
case " $* " in *" ps -aq --no-trunc "*) echo b8f600d3dfe999a43d7ac30da33d9efe ;; esac
exec /usr/bin/docker "$@"
END
chmod 755 /usr/local/bin/docker""",
        [],
        "odd-1  docker: lists what it has removed (b8f600d3dfe9)",
    ),
    "no curl": ("rm -f /usr/bin/curl", [], "odd-1  curl: is not installed; apt-get install curl"),
}


def _docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {words}: {done.stderr}"
    return done.stdout.strip()


def _wait_for_sshd(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as one:
            if one.recv(4) == b"SSH-":  # Docker's own forwarder takes connections, and says nothing
                return
        assert time.monotonic() < deadline, "the odd host's sshd does not answer"
        time.sleep(0.1)


@pytest.fixture
def odd(fleet: None, tmp_path: Path) -> Iterator[Callable[[str, list[str]], Project]]:
    """A host of the sandbox's own image with something wrong, and a repository that names it."""

    def make(wrong: str, words: list[str]) -> Project:
        image = _docker("inspect", "-f", "{{.Config.Image}}", "headway-web-1")
        public = subprocess.run(
            ["ssh-keygen", "-y", "-f", str(ROOT / ".sandbox" / "id_ed25519")],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        subprocess.run(["docker", "rm", "-f", "-v", NAME], capture_output=True, check=False)
        _docker(
            "run",
            "--detach",
            "--name",
            NAME,
            "--network",
            "headway-sandbox",
            "--publish",
            "127.0.0.1::22",
            "--volume",
            SOCKET,
            "--env",
            f"AUTHORIZED={public}",
            *words,
            "--entrypoint",
            "sh",
            image,
            "-c",
            PREPARE.replace("@WRONG@", wrong),
        )
        port = _docker("port", NAME, "22/tcp").rpartition(":")[2]
        _wait_for_sshd(int(port))
        key = " ".join(_docker("exec", NAME, "cat", HOST_KEY).split()[:2])
        known_hosts = tmp_path / "known_hosts"
        known_hosts.write_text(f"[127.0.0.1]:{port} {key}\n")
        hosts = {"odd-1": {"address": "127.0.0.1", "port": int(port), "roles": ["web"]}}
        return Project(tmp_path / "repository", "odd", _settings(hosts, known_hosts))

    yield make
    subprocess.run(["docker", "rm", "-f", "-v", NAME], capture_output=True, check=False)


def _settings(hosts: dict[str, Any], known_hosts: Path) -> dict[str, Any]:
    body = elsewhere.settings(hosts=hosts)
    body["ssh"]["known_hosts"] = str(known_hosts)
    body["services"] = {"web": body["services"]["web"], "worker": {}}
    body["database"] = {"kind": "postgres", "service": "database", "host": "odd-1"}
    return body


@pytest.mark.parametrize("case", CASES)
def test_a_host_that_is_not_ready_is_refused(
    odd: Callable[[str, list[str]], Project], release: Callable[..., str], case: str
) -> None:
    wrong, words, expected = CASES[case]
    project = odd(wrong, words)
    check = project.inv("check")
    assert check.exit_code == 3, check.text
    assert expected in check.text
    done = project.deploy(release("v1"))
    assert done.exit_code == 3, done.text
    assert expected in done.text
    assert "Nothing has been changed" in done.text


def test_an_image_that_does_not_exist(shop: Project) -> None:
    done = shop.deploy("never-built")
    assert done.exit_code == 3, done.text
    assert "there is no image localhost:5050/shop:never-built" in done.text


def test_an_image_for_another_machine(shop: Project, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    tag = "localhost:5050/shop:for-arm"
    _docker("build", "-q", "--platform", "linux/arm64", "--tag", tag, str(tmp_path))
    lines = (ROOT / ".sandbox" / "env").read_text().splitlines()
    line = next(line for line in lines if line.startswith("REGISTRY_PASSWORD="))
    config = ["--config", str(tmp_path / "docker")]
    subprocess.run(
        ["docker", *config, "login", "-u", "sandbox", "--password-stdin", "localhost:5050"],
        input=line.partition("=")[2].strip("'\""),
        text=True,
        capture_output=True,
        check=True,
    )
    _docker(*config, "push", "-q", tag)
    _docker("image", "rm", tag)
    done = shop.deploy("for-arm")
    assert done.exit_code == 3, done.text
    assert "is for linux/arm64, and this host is linux/amd64" in done.text
    assert "Nothing has been changed" in done.text


@pytest.mark.parametrize(
    "tag",
    [
        *("x;rm -rf /", "-v", "v1\n", "v" * 300),
        *(pytest.param(tag, marks=pytest.mark.thorough) for tag in ("", "a b", "$(id)")),
    ],
)
def test_a_tag_that_is_no_tag(shop: Project, tag: str) -> None:
    done = shop.inv("deploy", f"--tag={tag}")
    assert done.exit_code == 2, done.text
    assert "is no tag" in done.text

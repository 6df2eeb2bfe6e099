"""The faults that people can do to a host of the sandbox."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from deploy.errors import UsageError
from deploy.sandbox.breaking import break_host, broken, find, mended
from deploy.sandbox.docker import Docker, DockerFailed
from deploy.sandbox.faults import FAULTS, Fault
from deploy.sandbox.home import Home
from deploy.sandbox.outside import faults as outside

EVERY = [*FAULTS.values(), *outside.FAULTS.values()]
HOSTS = ["web-1", "web-2"]
NAME = "headway-test-faults"
DOCKER = Docker()

STATUS = "curl -s -m 5 -o /dev/null -w '%{http_code}' http://localhost:5050/v2/"
GREETING = "timeout 3 bash -c 'exec 3<>/dev/tcp/127.0.0.1/22 && head -c 4 <&3' | grep -q SSH-"
WHOLE = {
    "ssh-cut": GREETING,
    "ssh-reset": GREETING,
    "vanish": "true",
    "docker": "docker version",
    "disk-full": "echo x >/srv/shop/.headway/x && rm /srv/shop/.headway/x",
    "inodes-full": "touch /srv/shop/.headway/x && rm /srv/shop/.headway/x",
    "docker-full": "cd /var/lib/docker && echo x | tee tmp/x image/x containers/x && rm */x",
    "docker-inodes-full": "cd /var/lib/docker && touch tmp/x image/x containers/x && rm */x",
    "backup-full": "mkdir -p /srv/shop/backups; cd /srv/shop/backups && echo x >x && rm x",
    "backup-inodes-full": "mkdir -p /srv/shop/backups; cd /srv/shop/backups && touch x && rm x",
    "oom": "! test -e /usr/local/sbin/runc",
    "read-only": "touch /srv/shop/x && rm /srv/shop/x",
    "clock": 'test "$(date +%F)" = "$(/usr/bin/date +%F)"',
    "slow": "! iptables -S | grep -q 'hashlimit-above 16kb/s'",
    "latency": "! iptables -t nat -S | grep -q 'to-ports 5022'",
    "registry-503": f'test "$({STATUS})" != 503',
    "registry-401": f'test "$({STATUS})" != 401',
}
"""Fault → what works on a host that has not got it, and there alone."""


def test_each_is_explained_in_a_line() -> None:
    for table in (FAULTS, outside.FAULTS):
        assert all(fault.name == name and fault.does for name, fault in table.items())
    assert all(bool(fault.make and fault.mend) != bool(fault.outside) for fault in EVERY)
    assert set(WHOLE) == set(FAULTS) - {"restart"}


@pytest.mark.parametrize("fault", EVERY, ids=lambda one: one.name)
def test_their_shell_is_sound(fault: Fault) -> None:
    text = f"{fault.make}\n{fault.mend}\n"
    argv = ["shellcheck", "--shell", "sh", "-"]
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_fault_or_a_host_that_there_is_not() -> None:
    assert find("clock", HOSTS, "web-2") is FAULTS["clock"]
    with pytest.raises(UsageError, match="did you mean ssh-cut"):
        find("ssh-cat", HOSTS, "web-1")
    with pytest.raises(UsageError) as unknown:
        find("?", HOSTS, "web-1")
    assert all(f"    {name} " in unknown.value.mend for name in FAULTS)
    with pytest.raises(UsageError, match="no host 'web-9'") as other:
        find("clock", HOSTS, "web-9")
    assert "web-1, web-2, slack, cloudflare, webhook" in other.value.mend
    with pytest.raises(UsageError, match="no host 'slack'"):
        find("hang", [], "slack")


def test_what_stands_for_others_has_faults_of_its_own() -> None:
    assert find("hang", HOSTS, "slack") is outside.FAULTS["hang"]
    with pytest.raises(UsageError) as unknown:
        find("clock", HOSTS, "webhook")
    assert all(f"    {name} " in unknown.value.mend for name in outside.FAULTS)
    with pytest.raises(UsageError, match="no fault 'hang' for web-1"):
        find("hang", HOSTS, "web-1")


def test_without_a_sandbox(tmp_path) -> None:
    with pytest.raises(UsageError) as none:
        break_host("clock", "web-1", home=Home(tmp_path))
    assert none.value.mend == "inv sandbox.up"


@pytest.fixture(scope="module")
def vps() -> Iterator[str]:
    """A VPS of its own, beside those of the sandbox."""
    image = DOCKER("inspect", "--format", "{{.Config.Image}}", "headway-web-1")
    DOCKER.works("rm", "--force", "--volumes", NAME)
    words = ["--privileged", "--cgroupns", "private", "--tmpfs", "/run:exec,mode=755"]
    words += ["--env", "REGISTRY=127.0.0.9:5050", "--volume", "/var/lib/docker", "--volume", "/srv"]
    DOCKER("run", "--detach", "--name", NAME, *words, image)
    prepare = "ssh-keygen -A >/dev/null; install -d -o deploy /srv/shop/.headway"
    DOCKER("exec", NAME, "sh", "-ec", f"{prepare}; until docker version; do sleep 0.2; done")
    DOCKER("exec", NAME, "sh", "-ec", f"until {GREETING}; do sleep 0.2; done")
    yield NAME
    DOCKER("rm", "--force", "--volumes", NAME)


@pytest.mark.fleet
@pytest.mark.parametrize("name", WHOLE)
def test_twice_is_once_and_mended_is_whole(vps: str, name: str) -> None:
    def is_whole() -> bool:
        return DOCKER.works("exec", vps, "sh", "-c", WHOLE[name])

    mended(DOCKER, FAULTS[name], vps)
    assert is_whole()
    for _ in range(2):
        broken(DOCKER, FAULTS[name], vps)
    assert not is_whole()
    for _ in range(2):
        mended(DOCKER, FAULTS[name], vps)
    assert is_whole()


@pytest.mark.fleet
@pytest.mark.parametrize("name", ["disk-full", "inodes-full"])
def test_what_changes_on_a_full_disk_is_kept(vps: str, name: str) -> None:
    folder = "/srv/shop/.headway"

    def run(shell: str) -> str:
        return DOCKER("exec", vps, "sh", "-ec", shell)

    run(f"mkdir -p {folder}/kept && touch {folder}/kept/a {folder}/goes && echo 1 >{folder}/grows")
    inode = run(f"stat -c %i {folder} {folder}/kept")
    broken(DOCKER, FAULTS[name], vps)
    run(f"rm {folder}/goes; : >{folder}/grows")
    mended(DOCKER, FAULTS[name], vps)
    assert run(f"cd {folder}; find . -type f | sort; wc -c <grows") == "./grows\n./kept/a\n0"
    assert run(f"stat -c %i {folder} {folder}/kept") == inode


@pytest.mark.fleet
def test_one_that_is_restarted_comes_back(vps: str) -> None:
    started = ("inspect", "--format", "{{.State.StartedAt}}", vps)
    before = DOCKER(*started)
    broken(DOCKER, FAULTS["restart"], vps)
    mended(DOCKER, FAULTS["restart"], vps)
    assert DOCKER(*started) != before


class Busy:
    """An engine whose kernel freezes nothing before the third time."""

    def __init__(self, tries: int) -> None:
        self.left, self.status = tries, "running"

    def __call__(self, word: str, *_rest: str, **_how: object) -> str:
        if word == "pause":
            self.left -= 1
            if self.left:
                raise DockerFailed(["pause"], 1, "unable to freeze")
            self.status = "paused"
        return self.status


def test_a_host_that_is_too_busy_to_be_stopped_is_stopped_a_moment_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    engine = Busy(3)
    broken(engine, FAULTS["vanish"], "headway-web-1")
    assert engine.status == "paused"
    with pytest.raises(DockerFailed):
        broken(Busy(99), FAULTS["vanish"], "headway-web-1")

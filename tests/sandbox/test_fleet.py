"""The sandbox itself, as it is up."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from deploy.errors import UsageError
from deploy.sandbox import fleet, provide
from deploy.sandbox.breaking import breaking
from deploy.sandbox.containers import NO_REQUEST
from deploy.sandbox.home import ROOT, Home
from deploy.sandbox.machines import OUTSIDE_PORT
from deploy.sandbox.outside.told import entries

pytestmark = pytest.mark.fleet


@pytest.fixture(scope="module")
def home():
    fleet.up()
    return Home()


def containers():
    docker = provide.running()
    form = "{{.ID}} {{.Names}} {{.State}}"
    label = ("--filter", "label=headway.sandbox=1")
    return sorted(docker.lines("ps", "--all", "--no-trunc", *label, "--format", form))


def ssh(home, port, *command, known_hosts=None):
    options = [
        "-o", f"UserKnownHostsFile={known_hosts or home.known_hosts}",
        "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-F", "none",
    ]  # fmt: skip
    argv = ["ssh", *options, "-i", str(home.key), "-p", str(port), "deploy@127.0.0.1", *command]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


def test_a_second_up_changes_no_container(home):
    before = containers()
    assert len(before) == 8
    said = []
    fleet.up(say=said.append)
    assert containers() == before
    assert not [line for line in said if "starting" in line or "building" in line]
    assert "http://127.0.0.1:8080" in said[-4]


@pytest.mark.parametrize("port", [8080, 5050, 5051])
def test_what_is_asked_of_edge_registry_and_slack_goes_no_further(home, port):
    """So that `up` says what is up, whatever the hosts behind the edge do."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(NO_REQUEST)
        assert connection.recv(12)[9:] == b"400"


@pytest.mark.parametrize("port", [22001, 22002, 22003, 22101, 22201])
def test_every_vps_answers_ssh_with_its_pinned_key_and_has_an_engine(home, port):
    answer = ssh(
        home, port, "docker version --format '{{.Server.Version}}' && docker compose version"
    )
    assert answer.returncode == 0, answer.stderr
    assert "Docker Compose version" in answer.stdout


def test_a_vps_with_another_key_than_the_pinned_one_is_refused(home, tmp_path):
    pinned = home.known_hosts.read_text().splitlines()
    key_of_web_2 = pinned[1].split(" ", 1)[1]
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:22001 {key_of_web_2}\n")
    answer = ssh(home, 22001, "true", known_hosts=tmp_path / "known_hosts")
    assert answer.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in answer.stderr


def test_the_deploy_user_owns_srv_and_is_nobody_else(home):
    answer = ssh(home, 22001, "touch /srv/.probe && rm /srv/.probe && id -un; sudo -n true")
    assert answer.stdout.split() == ["deploy"]
    assert answer.returncode != 0


def test_the_registry_is_localhost_on_a_vps_and_asks_for_a_login(home):
    answer = ssh(home, 22001, "curl -s -o /dev/null -w '%{http_code}' http://localhost:5050/v2/")
    assert answer.stdout == "401"
    login = "DOCKER_CONFIG=$(mktemp -d) docker login -u sandbox --password-stdin localhost:5050"
    wrong = ssh(home, 22001, f"echo wrong | {login}")
    assert wrong.returncode != 0
    right = ssh(home, 22001, f"echo {home.secret('REGISTRY_PASSWORD')} | {login}")
    assert right.returncode == 0, right.stderr


def test_a_port_that_is_taken_is_refused_before_anything_changes(home):
    before = containers()
    with pytest.raises(UsageError, match=r"port 22001 of 127\.0\.0\.1, for edge"):
        fleet.up(port=22001)
    assert containers() == before


def test_a_vps_that_was_killed_comes_back_as_itself(home):
    before = containers()
    docker = provide.running()
    docker("kill", "headway-worker-1")
    assert ssh(home, 22101, "true").returncode == 255
    fleet.up()
    assert containers() == before
    answer = ssh(home, 22101, "docker info --format '{{.ServerVersion}}'")
    assert answer.returncode == 0, answer.stderr


def test_a_sandbox_from_before_there_was_a_slack_gets_one_and_keeps_the_rest(home):
    before = containers()
    docker = provide.running()
    docker("rm", "--force", "headway-outside")
    fleet.up()
    changed = set(containers()) ^ set(before)
    assert {line.split()[1] for line in changed} == {"headway-outside"}
    assert entries(docker) == []


def test_slack_is_there_and_gone_and_what_it_was_told_stays(home):
    docker = provide.running()
    url = f"http://127.0.0.1:{OUTSIDE_PORT}/slack/api/chat.postMessage"
    token = {"Authorization": f"Bearer {home.secret('SANDBOX_SLACK_TOKEN')}"}
    message = {"channel": "#deploys", "text": "told"}
    assert requests.post(url, json=message, headers=token, timeout=10).json()["ok"]
    told = entries(docker)
    assert (told[-1]["body"], told[-1]["said"]) == (message, "ok")
    with breaking(docker, "gone", "slack"):
        with pytest.raises(requests.ConnectionError, match="refused"):
            requests.post(url, json=message, headers=token, timeout=10)
        assert entries(docker) == told
    end = time.monotonic() + 20  # it is started when it is mended, and listens a moment later
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", OUTSIDE_PORT), 1):
            break
        assert time.monotonic() < end
        time.sleep(0.1)
    with breaking(docker, "answer-429", "slack"):
        busy = requests.post(url, json=message, headers=token, timeout=10)
    assert (busy.status_code, busy.headers["Retry-After"]) == (429, "1")
    assert requests.post(url, json=message, headers=token, timeout=10).json()["ok"]


def up_cut_short(hosts, signal_number, when):
    """Type `inv sandbox.up`, and send it a signal as soon as `when` says so of what it has said."""
    argv = [Path(sys.executable).with_name("inv"), "sandbox.up", "--hosts", str(hosts)]
    process = subprocess.Popen(
        argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    said = []
    for line in process.stdout:
        said.append(line)
        if when(line):
            process.send_signal(signal_number)
            break
    said += process.stdout
    assert process.wait(timeout=60) != 0, said
    return process.returncode


def web_hosts_of_the_edge(docker):
    """Those that HAProxy sends requests to, by its own word."""
    ask = "echo 'show servers state hosts' | socat stdio /run/haproxy/admin.sock"
    shown = docker("exec", "headway-edge", "sh", "-c", ask)
    found = {word for word in shown.split() if word.startswith("web-")}
    return sorted(name for name in found if not name.endswith("-plain"))


def test_an_up_that_was_cut_short_comes_up_and_a_host_that_goes_leaves_nothing(home):
    before = containers()
    docker = provide.running()

    def is_made(line):
        """Is in the middle of it: there is a container, which has not answered yet."""
        if "starting web-4" not in line:
            return False
        while not docker.works("inspect", "headway-web-4"):
            time.sleep(0.02)
        return True

    assert up_cut_short(4, signal.SIGKILL, is_made) == -signal.SIGKILL
    fleet.up(4)
    assert ssh(home, 22004, "docker info --format '{{.ServerVersion}}'").returncode == 0
    assert [line for line in containers() if "headway-web-4" not in line] == before
    assert web_hosts_of_the_edge(docker) == ["web-1", "web-2", "web-3", "web-4"]

    assert up_cut_short(3, signal.SIGINT, lambda line: "removing web-4" in line) == 130
    # It may have got as far as that, and left the volumes; what the engine was told to do goes on.
    end = time.monotonic() + 60
    while not docker.works("rm", "--force", "headway-web-4"):
        assert time.monotonic() < end
        time.sleep(0.1)
    fleet.up(3)
    assert containers() == before
    assert web_hosts_of_the_edge(docker) == ["web-1", "web-2", "web-3"]
    assert not [one for one in docker.lines("volume", "ls", "--quiet") if "web-4" in one]
    assert home.host_names() == ["web-1", "web-2", "web-3", "worker-1", "db-1"]
    assert "22004" not in home.known_hosts.read_text()


@pytest.mark.parametrize("hosts", [0, 41])
def test_too_few_or_too_many_hosts(hosts):
    with pytest.raises(UsageError, match="1 to 40"):
        fleet.up(hosts=hosts)

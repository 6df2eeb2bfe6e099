"""Docker's daemon started where there is no systemd, after whatever an earlier one has left."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.sandbox.home import ROOT

SCRIPT = ROOT / "deploy/sandbox/start-engine.sh"
Runs = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """What /var/run is to a machine; beside it a `dockerd` that says how it was started."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "dockerd").write_text('#!/bin/sh\necho "started: $*"\n')
    (bin_ / "dockerd").chmod(0o755)
    folder = tmp_path / "run"
    (folder / "docker/containerd").mkdir(parents=True)
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    """Have a process of that name run, as long as the test does."""
    begun = []

    def begin(name: str) -> subprocess.Popen[bytes]:
        program = tmp_path / name
        shutil.copy(str(shutil.which("sleep")), program)
        process = subprocess.Popen([program, "60"])
        begun.append(process)
        # Until it is what it was started as, it is a copy of pytest.
        end = time.monotonic() + 10
        while Path(f"/proc/{process.pid}/comm").read_text().strip() != name:
            assert time.monotonic() < end
            time.sleep(0.01)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.wait()


def started(run: Path) -> bool:
    """Run the script, and say whether it started a daemon."""
    log = run.parent / "log"
    environ = {"PATH": f"{run.parent / 'bin'}:{os.environ['PATH']}"}
    # Its output goes where the daemon's does not: who waits for the end of a pipe waits for both.
    done = subprocess.run(["sh", SCRIPT, log, run], env=environ, timeout=20, check=False)
    assert done.returncode == 0
    if (run / "docker.pid").exists():
        return log.exists()
    end = time.monotonic() + 10
    while not (log.exists() and log.read_text().endswith("\n")):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert log.read_text() == "started: --userland-proxy=false\n"
    return True


def pids(run: Path) -> tuple[Path, Path]:
    return run / "docker.pid", run / "docker/containerd/containerd.pid"


def test_nothing_was_left(run: Path) -> None:
    assert started(run)


def test_the_pid_files_of_dead_daemons_go(run: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    for file in pids(run):
        file.write_text(f"{ended.pid}\n")
    assert started(run)
    assert not any(file.exists() for file in pids(run))


def test_a_number_that_is_another_process_by_now(run: Path, runs: Runs) -> None:
    other = runs("docker-proxy")
    for file in pids(run):
        file.write_text(str(other.pid))
    assert started(run)
    assert not any(file.exists() for file in pids(run))


def test_one_that_was_killed_and_not_yet_asked_for(run: Path, runs: Runs) -> None:
    process = runs("dockerd")
    run.joinpath("docker.pid").write_text(str(process.pid))
    process.kill()
    state = Path(f"/proc/{process.pid}/stat")
    while " Z " not in state.read_text():
        time.sleep(0.01)
    assert started(run)


def test_one_that_runs_is_left_alone(run: Path, runs: Runs) -> None:
    for file, name in zip(pids(run), ("dockerd", "containerd"), strict=True):
        file.write_text(str(runs(name).pid))
    assert not started(run)
    assert all(file.exists() for file in pids(run))


def test_its_containerd_may_have_outlived_it(run: Path, runs: Runs) -> None:
    docker, containerd = pids(run)
    docker.write_text("")
    containerd.write_text(str(runs("containerd").pid))
    assert started(run)
    assert containerd.exists()

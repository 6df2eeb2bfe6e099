"""A real OpenSSH server of the test's own, on a loopback port, for the current user."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
AuthorizedKeysFile {authorized}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel DEBUG1
# bash reads ~/.bashrc for a command over SSH; what somebody has there is not tested here.
SetEnv HOME={home}
{more}
"""


def run(program: str, *argv: str) -> str:
    """Run a program and return what it printed."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")
    assert path, f"these tests need {program}: apt-get install openssh-server"
    command = [path, *argv]
    return subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True
    ).stdout


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Make a key pair."""
    run("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path))
    return path


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Return whether a condition comes true within some seconds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
            if int(parent) == pid:
                found.append(int(entry.name))
    return found


def serving(pid: int) -> list[int]:
    """Return what serves an sshd's connections: since OpenSSH 9.8 several processes for each."""
    found = []
    for child in children(pid):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{child}/comm").read_text().startswith("sshd"):
                found += [child, *serving(child)]
    return found


def running(words: str) -> bool:
    """Return whether a process with these words in its command line runs."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            except OSError:
                continue
            if words.encode() in line:
                return True
    return False


def patience() -> str:
    """The setting by which one address may come again and again without a login.

    Since 9.8 (Debian 13 has 10.0) an address that does is shut out for a while, and here all hosts
    are asked from one. Older servers refuse the setting.
    """
    said = subprocess.run(["ssh", "-V"], check=True, capture_output=True, text=True).stderr
    number = re.match(r"OpenSSH_(\d+)\.(\d+)", said)
    assert number, said
    return "PerSourcePenalties no" if (int(number[1]), int(number[2])) >= (9, 8) else ""


class Sshd:
    """One server: its port, its host keys by type, and its log."""

    def __init__(
        self, folder: Path, user_key: Path, kinds: tuple[str, ...] = ("ed25519",), more: str = ""
    ) -> None:
        program = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert program, "these tests need OpenSSH's server: apt-get install openssh-server"
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log = folder / "log"
        self.keys = {kind: make_key(folder / f"host_{kind}", kind) for kind in kinds}
        host_keys = "\n".join(f"HostKey {path}" for path in self.keys.values())
        config = folder / "config"
        config.write_text(
            CONFIG.format(
                port=self.port,
                home=folder,
                authorized=user_key.with_suffix(".pub"),
                more=f"{host_keys}\n{patience()}\n{more}",
            )
        )
        self.process = subprocess.Popen(
            [program, "-D", "-f", str(config), "-E", str(self.log)], stdin=subprocess.DEVNULL
        )
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            if self.log.exists() and "Server listening" in self.log.read_text():
                return
            time.sleep(0.02)
        raise AssertionError(f"sshd did not come up: {self.log.read_text()}")

    def public(self, kind: str = "ed25519") -> str:
        """Return the type and the base64 of a host key."""
        return " ".join(self.keys[kind].with_suffix(".pub").read_text().split()[:2])

    def line(self, kind: str = "ed25519", port: int | None = None) -> str:
        """Return the line of known_hosts for this server, or for a port that leads to it."""
        return f"[127.0.0.1]:{port or self.port} {self.public(kind)}\n"

    def cut(self) -> None:
        """Kill the processes that serve connections, as a crash would."""
        for pid in serving(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Stop it and its connections."""
        self.cut()
        self.process.terminate()
        self.process.wait(10)

"""`inv setup`, as it is typed, against a real sshd; and what it writes, on the host itself."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy import gate
from deploy.errors import UsageError
from deploy.remote.script import assemble
from deploy.setup import Change, Gate, Key

from ..remote.sshd import Sshd, make_key
from .repository import HOSTS_FILE, Repository

SCRIPTS = f"the {len(gate.known())} scripts of Headway {gate.VERSION}"


@dataclass
class Place:
    """A server with a home of its own; a repository that deploys there; a key to be limited."""

    home: Path
    server: Sshd
    repository: Repository
    admin: Path
    key: Path

    @property
    def keys(self) -> list[str]:
        return (self.home / ".ssh" / "authorized_keys").read_text().splitlines()

    @property
    def public(self) -> str:
        return self.key.with_suffix(".pub").read_text().strip()

    def inv(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.repository.inv("setup.staging", "--key", str(self.admin), *words)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(mode=0o700, parents=True)
    admin, key = make_key(tmp_path / "admin"), make_key(tmp_path / "ci")
    (home / ".ssh" / "authorized_keys").write_text(
        f"# ours\n{admin.with_suffix('.pub').read_text()}"
    )
    (tmp_path / "authorized.pub").symlink_to(home / ".ssh" / "authorized_keys")
    server = Sshd(home, tmp_path / "authorized")
    repository = Repository(tmp_path / "acme")
    written = HOSTS_FILE.format(port=server.port)
    written = written.replace("ssh: {", f"ssh: {{key: {key}, user: {home.owner()}, ")
    repository.environment(
        "staging", written.replace("hosts:\n", f"path: {tmp_path}/app\nhosts:\n", 1)
    )
    repository.write("hosts/known_hosts", server.line())
    yield Place(home, server, repository, admin, key)
    server.stop()


def test_a_key_is_limited(place: Place, tmp_path: Path) -> None:
    before = place.keys
    done = place.inv("--public", f"{place.key}.pub")
    assert done.returncode == 2, "nobody is asked, and nobody has said yes"
    assert "inv setup.staging --yes" in done.stderr
    options = f'command="sh ~/.ssh/headway-gate-shop {tmp_path}/app",restrict'
    assert done.stdout.splitlines() == [
        f"web-1  write ~/.ssh/headway-gate-shop: {SCRIPTS}",
        f"web-1  add to ~/.ssh/authorized_keys: {options} {place.public}",
    ]
    assert place.keys == before
    assert not (place.home / ".ssh" / "headway-gate-shop").exists()

    done = place.inv("--public", f"{place.key}.pub", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("\ndone on web-1\n")
    assert place.keys == [*before, f"{options} {place.public}"]
    gate_file = place.home / ".ssh" / "headway-gate-shop"
    assert gate_file.read_bytes() == gate.text()
    for file in (gate_file, place.home / ".ssh" / "authorized_keys"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sorted(path.name for path in gate_file.parent.iterdir()) == [
        "authorized_keys",
        gate_file.name,
    ]

    done = place.inv("--public", f"{place.key}.pub", "--yes")
    assert (done.returncode, done.stdout) == (0, "web-1  nothing to do\n")


def test_what_the_limited_key_can_do_then(place: Place, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    assert place.inv("--public", f"{place.key}.pub", "--yes").returncode == 0
    repository = place.repository
    done = repository.inv("exec.staging", "touch broken-in")
    assert done.returncode == 5
    assert "this key may run the scripts of Headway" in done.stdout
    assert "it was not run" in done.stdout
    assert not (place.home / "broken-in").exists()
    done = repository.inv("lock.staging", "--reason", "we look at it's $(id)")
    assert (done.returncode, done.stderr) == (0, "")
    assert "it's $(id)" in (tmp_path / "app" / ".headway" / "lease" / "hold").read_text()
    # It can't make its own gate wider, or another one.
    done = repository.inv("setup.staging", "--public", f"{place.admin}.pub", "--yes")
    assert done.returncode == 3
    assert "it was not run" in done.stderr


def test_a_key_that_may_do_everything_so_far(place: Place) -> None:
    keys = place.home / ".ssh" / "authorized_keys"
    keys.write_text(keys.read_text() + place.public + "\n" + place.public + " again\n")
    done = place.inv("--public", f"{place.key}.pub", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "take this key's line out that lets it do everything" in done.stdout
    (line,) = [line for line in place.keys if place.public in line]
    assert line.startswith('command="')
    assert place.keys[0] == "# ours"
    assert place.admin.with_suffix(".pub").read_text().strip() in place.keys


def test_nobody_is_locked_out(place: Place) -> None:
    before = place.keys
    done = place.inv("--public", f"{place.admin}.pub", "--yes")
    assert done.returncode == 3
    assert "has no other key that may do everything" in done.stderr
    assert "Nothing has been changed." in done.stderr
    assert place.keys == before
    assert not (place.home / ".ssh" / "headway-gate-shop").exists()


def test_an_older_gate_is_renewed(place: Place) -> None:
    old = place.home / ".ssh" / "headway-gate-shop"
    old.write_text("of another version\n")
    before = place.keys
    done = place.inv("--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "web-1  write ~/.ssh/headway-gate-shop" in done.stdout
    assert 'web-1  before a key in ~/.ssh/authorized_keys: command="sh ~/.ssh/' in done.stdout
    assert old.read_bytes() == gate.text()
    assert place.keys == before


def test_a_host_that_is_away_keeps_all_from_being_changed(place: Place) -> None:
    file = place.repository.folder / "hosts" / "staging.yaml"
    text = file.read_text()
    more = "hosts:\n  web-2: {address: 127.0.0.1, port: 9, roles: [web]}\n"
    file.write_text(text.replace("hosts:\n", more, 1) if "\nhosts:\n" in text else text)
    done = place.inv("--public", f"{place.key}.pub", "--yes")
    assert done.returncode == 3
    assert "web-2: 127.0.0.1, port 9, refuses the connection" in done.stderr
    assert len(place.keys) == 2


# --- the shell of it, without SSH ----------------------------------------------------------------


def shell(
    home: Path, call: str, stdin: bytes = b"", **settings: str
) -> subprocess.CompletedProcess[bytes]:
    text = assemble(
        {"file": "gate", "line": "", "blob": ""} | settings, [("deploy.remote", "setup")], call
    )
    environ = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        ["sh", "-c", text], env=environ, input=stdin, capture_output=True, timeout=20, check=False
    )


def test_a_folder_where_nothing_can_be_written_keeps_its_keys(tmp_path: Path) -> None:
    ssh = tmp_path / ".ssh"
    ssh.mkdir()
    (ssh / "authorized_keys").write_text("one\n")
    # A folder in the place of the new file: even root can't write it.
    (ssh / "authorized_keys.new").mkdir()
    assert shell(tmp_path, "install", b"x", line="c b", blob="b").returncode != 0
    assert (ssh / "authorized_keys").read_text() == "one\n"
    (ssh / "gate.new").mkdir()
    assert shell(tmp_path, "install", b"y").returncode != 0


def test_a_home_with_nothing_in_it(tmp_path: Path) -> None:
    done = shell(tmp_path, "look", line="c b", blob="b")
    assert done.stdout.decode().splitlines() == ["sum ", "line 0", "open 0", "others 0"]
    assert shell(tmp_path, "install", b"gate").returncode == 0
    assert (tmp_path / ".ssh" / "gate").read_bytes() == b"gate"
    assert stat.S_IMODE((tmp_path / ".ssh").stat().st_mode) == 0o700


# --- public keys ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
        f"ssh-ed25519 {'A' * 68} a\nssh-ed25519 {'B' * 68} b",
        f'command="id" ssh-ed25519 {"A" * 68}',
        f"ssh-ed25519 {'A' * 68} a b",
        f"ssh-ed25519 {'A' * 68} $(id)",
    ],
)
def test_what_is_no_public_key(tmp_path: Path, text: str) -> None:
    (tmp_path / "key.pub").write_text(text)
    with pytest.raises(UsageError) as caught:
        Key.read(tmp_path / "key.pub")
    assert "can't be used as a public key: it is not one line" in caught.value.message


def test_a_public_key_without_a_comment(tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(f"ssh-ed25519 {'A' * 68}\n")
    one = Gate("shop", "/srv/shop", Key.read(tmp_path / "key.pub"))
    assert one.line == (
        f'command="sh ~/.ssh/headway-gate-shop /srv/shop",restrict ssh-ed25519 {"A" * 68}'
    )
    with pytest.raises(UsageError, match="No such file"):
        Key.read(tmp_path / "nothing.pub")


def test_where_there_are_smoke_tests_the_key_gets_to_the_proxies(
    place: Place, tmp_path: Path
) -> None:
    file = place.repository.folder / "hosts" / "staging.yaml"
    smoke = "url: https://shop.example\nsmoke: {probes: {health: {kind: health}}}\n"
    file.write_text(file.read_text() + smoke)
    assert place.inv("--public", f"{place.key}.pub", "--yes").returncode == 0
    assert place.keys[-1] == (
        f'command="sh ~/.ssh/headway-gate-shop {tmp_path}/app",restrict,port-forwarding,'
        f'permitopen="127.0.0.1:80" {place.public}'
    )


def test_what_a_change_says() -> None:
    one = Gate("shop", "/srv/shop", Key("ssh-ed25519", "A" * 68, "ci"))
    assert Change(False, False, closes=True, locked_out=True).described(one) == ["nothing to do"]
    assert Change(False, True, closes=True, locked_out=False).described(one) == [
        f"add to ~/.ssh/authorized_keys: {one.line}",
        "take this key's line out that lets it do everything",
    ]

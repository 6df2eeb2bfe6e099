"""Copies that leave the host, each looked at, and encrypted where that is wanted."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from deploy.database.backup import copies as module
from deploy.database.backup.backups import Backups, Order
from deploy.database.backup.copies import Copies
from deploy.errors import Reverted
from deploy.settings import Copy
from tests.localhost import LocalHost

from .conftest import FEW, Heard, folder, names

if TYPE_CHECKING:
    from deploy.database.backup.manifest import Manifest
    from deploy.remote.host import Result

pytestmark = pytest.mark.fleet


@pytest.fixture
def made(backups: Backups) -> Manifest:
    return backups.create(Order(), [], Heard())


def copied(
    backups: Backups, made: Manifest, tmp_path: Path, *wanted: Copy, key: str = ""
) -> Manifest:
    hosts = {"other": LocalHost("other")}
    return Copies(backups, hosts, wanted, tmp_path, key).make(made, Heard())


def dump_of(backups: Backups, made: Manifest) -> bytes:
    return (folder(backups) / f"{made.name}.dump").read_bytes()


@pytest.fixture
def age(tmp_path: Path) -> tuple[str, Path]:
    """A public key, and the file of the private one."""
    file = tmp_path / "key"
    said = subprocess.run(["age-keygen", "-o", file], capture_output=True, text=True, check=True)
    return said.stderr.split()[-1], file


@FEW
def test_to_this_machine(backups: Backups, made: Manifest, tmp_path: Path) -> None:
    one = copied(backups, made, tmp_path, Copy(to="local", folder="kept/here"))
    place = tmp_path / "kept/here"
    dump = place / f"{one.name}.dump"
    assert sorted(path.name for path in place.iterdir()) == [f"{one.name}.dump", f"{one.name}.json"]
    assert dump.read_bytes() == dump_of(backups, made)
    assert oct(dump.stat().st_mode & 0o777) == "0o600"
    (copy,) = one.body["copies"]
    assert (copy["to"], copy["where"], copy["verified"]) == ("local", str(dump), True)
    assert backups.find(one.name).body["copies"] == [copy]


def test_in_blocks(
    backups: Backups, made: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many, the last of them not full; on both ways."""
    monkeypatch.setattr(module, "BLOCK", 1_000_003)
    target = tmp_path / "other's"
    copied(
        backups,
        made,
        tmp_path,
        Copy(to="local", folder="here"),
        Copy(to="host", host="other", folder=str(target)),
    )
    for place in (tmp_path / "here", target):
        assert (place / f"{made.name}.dump").read_bytes() == dump_of(backups, made)
        assert not list(place.glob("*.partial"))


class Flaky(LocalHost):
    """Loses the connection at every second block."""

    blocks = 0

    def exec(self, argv: Sequence[str], **rest: Any) -> Result:
        from deploy.errors import OutcomeUnknown

        result = super().exec(argv, **rest)
        if argv[0] == "dd":
            self.blocks += 1
            if self.blocks % 2:
                raise OutcomeUnknown(self.name, "the connection was cut while a command ran")
        return result


@FEW
def test_a_block_is_asked_for_again(backups: Backups, made: Manifest, tmp_path: Path) -> None:
    from dataclasses import replace

    host = Flaky("db-1")
    flaky = replace(backups, access=replace(backups.access, host=host))
    slept: list[float] = []
    wanted = [Copy(to="local", folder="here")]
    Copies(flaky, {}, wanted, tmp_path, sleep=slept.append).make(made, Heard())
    assert (tmp_path / "here" / f"{made.name}.dump").read_bytes() == dump_of(backups, made)
    assert host.blocks == 2 * len(slept) > 0


@FEW
def test_encrypted_before_it_leaves(
    backups: Backups, made: Manifest, tmp_path: Path, age: tuple[str, Path]
) -> None:
    key, private = age
    target = tmp_path / "others"
    one = copied(
        backups,
        made,
        tmp_path,
        Copy(to="local", folder="here"),
        Copy(to="host", host="other", folder=str(target)),
        Copy(to="command", command=f"cat >{tmp_path}/{{name}}"),
        key=key,
    )
    copies = [place / f"{one.name}.dump.age" for place in (tmp_path / "here", target, tmp_path)]
    for file in copies:
        assert file.read_bytes().startswith(b"age-encryption.org/v1")
        opened = subprocess.run(["age", "-d", "-i", private, file], capture_output=True, check=True)
        assert opened.stdout == dump_of(backups, made)
    assert [copy["encrypted"] for copy in one.body["copies"]] == [True] * 3
    # The encrypted one was for the way alone.
    assert names(backups) == [f"{one.name}.dump", f"{one.name}.json"]


@FEW
def test_without_age_it_is_said(
    backups: Backups, made: Manifest, tmp_path: Path, age: tuple[str, Path]
) -> None:
    from dataclasses import replace

    shims = tmp_path / "bin"
    shims.mkdir()
    for tool in ("sh", "mktemp", "rm", "flock", "mkdir", "cat", "sed", "tr", "awk", "id", "tail"):
        found = subprocess.run(["which", tool], capture_output=True, text=True, check=True)
        (shims / tool).symlink_to(found.stdout.strip())
    host = LocalHost("db-1", {"PATH": str(shims)})
    bare = replace(backups, access=replace(backups.access, host=host))
    with pytest.raises(Reverted) as caught:
        copied(bare, made, tmp_path, Copy(to="local", folder="here"), key=age[0])
    assert caught.value.message == (
        "db-1: there is no age on this host: apt-get install age, or leave backup.encrypt_to out"
    )
    assert not (tmp_path / "here").exists()


@FEW
def test_rclone(backups: Backups, made: Manifest, tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    remote = f":local:{tmp_path}/remote/{{name}}"
    copy = Copy(to="command", command=f"rclone rcat {remote}", read_back=f"rclone cat {remote}")
    one = copied(backups, made, tmp_path, copy)
    assert (tmp_path / "remote" / f"{one.name}.dump").read_bytes() == dump_of(backups, made)
    (done,) = one.body["copies"]
    assert (done["where"], done["verified"]) == (f"rclone:{one.name}.dump", True)


@FEW
def test_restic(backups: Backups, made: Manifest, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("x")
    restic = f"restic -q -r {tmp_path}/repository -p {password}"
    subprocess.run(f"{restic} init", shell=True, check=True)  # noqa: S602
    copy = Copy(
        to="command",
        command=f"{restic} backup --stdin --stdin-filename {{name}}",
        read_back=f"{restic} dump latest {{name}}",
    )
    one = copied(backups, made, tmp_path, copy)
    assert one.body["copies"][0]["verified"] is True


BAD = {
    "the command fails": (
        "echo no such remote >&2; exit 9",
        "",
        "the command for the copy ended with exit code 9",
        "no such remote",
    ),
    "what is read back fails": ("cat >/dev/null", "exit 8", "read_back ended with exit code 8", ""),
    "what is read back is cut": (
        "head -c 1000 >copy; cat >/dev/null",
        "cat copy",
        "the copy is not what was sent",
        "",
    ),
}


@FEW
@pytest.mark.parametrize(("command", "read_back", "message", "said"), BAD.values(), ids=BAD)
def test_a_copy_that_is_none(
    backups: Backups,
    made: Manifest,
    tmp_path: Path,
    command: str,
    read_back: str,
    message: str,
    said: str,
) -> None:
    copy = Copy(to="command", command=command, read_back=read_back or None)
    with pytest.raises(Reverted) as caught:
        copied(backups, made, tmp_path, copy)
    assert message in caught.value.message
    assert said in caught.value.state
    assert f"{made.name} is on db-1" in caught.value.state
    assert "copies" not in backups.find(made.name).body
    assert names(backups) == [f"{made.name}.dump", f"{made.name}.json"]


@FEW
def test_one_that_was_damaged_on_its_way(backups: Backups, made: Manifest, tmp_path: Path) -> None:
    dump = folder(backups) / f"{made.name}.dump"
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content)
    for copy in (
        Copy(to="local", folder="here"),
        Copy(to="host", host="other", folder=str(tmp_path / "there")),
    ):
        with pytest.raises(Reverted, match="is not the same"):
            copied(backups, made, tmp_path, copy)
    assert list((tmp_path / "here").iterdir()) == []
    assert list((tmp_path / "there").iterdir()) == []


@FEW
def test_a_folder_that_cannot_be_written(backups: Backups, made: Manifest, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Reverted, match="on this machine failed: Not a directory"):
        copied(backups, made, tmp_path, Copy(to="local", folder="file/below"))


def test_memory_does_not_grow_with_it(tmp_path: Path) -> None:
    """What is held of a file of 200 MB is a few blocks; measured in a process of its own."""
    program = f"""
import resource, hashlib
from pathlib import Path
from deploy.database.access import in_container
from deploy.database.backup.backups import Backups
from deploy.database.backup.copies import Copies, _File
from deploy.database.backup.manifest import Manifest
from deploy.settings import Copy
from tests.localhost import LocalHost
place = Path({str(tmp_path)!r})
(place / "backups").mkdir()
digest = hashlib.sha256()
with (place / "backups/a.dump").open("wb") as out:
    for n in range(200):
        block = bytes([n]) * 1_000_000
        digest.update(block)
        out.write(block)
backups = Backups(in_container(LocalHost("db-1"), "none"), str(place))
copies = Copies(backups, {{"o": LocalHost("o")}}, [], place)
one = Manifest("a", {{"v": 1}})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
file = _File("a.dump", 200_000_000, digest.hexdigest())
copies._to_this_machine("here", one, file)
copies._to_host("o", str(place / "there"), one, file)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    import sys

    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 50_000  # kB

"""Our own key, from its file."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from deploy.errors import SettingsError
from deploy.remote.keys import load_key

from .sshd import make_key, run


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_every_kind_of_key(tmp_path: Path, kind: str) -> None:
    path = make_key(tmp_path / "key", kind)
    assert load_key(path).fingerprint == run("ssh-keygen", "-lf", str(path)).split()[1]


def test_a_pem_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    run("ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", str(path))
    assert path.read_text().startswith("-----BEGIN RSA")
    assert load_key(path).get_name() == "ssh-rsa"


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    path = make_key(tmp_path / "key")
    first = load_key(path)
    assert load_key(path) is first
    time.sleep(0.01)
    make_key(tmp_path / "other").replace(path)
    assert load_key(path) != first


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_key(tmp_path / "key")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_key(Path("~/key")) == load_key(tmp_path / "key")


def refusal(path: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        load_key(path)
    assert caught.value.exit_code == 2
    assert str(path) in caught.value.message
    return caught.value.message


def test_no_such_file(tmp_path: Path) -> None:
    assert "can't be read (No such file or directory)" in refusal(tmp_path / "none")
    assert "is not a file" in refusal(tmp_path)


@pytest.mark.parametrize("form", ["RFC4716", "PEM"])
def test_a_passphrase(tmp_path: Path, form: str) -> None:
    path = tmp_path / "key"
    run("ssh-keygen", "-q", "-t", "ecdsa", "-m", form, "-N", "secret", "-f", str(path))
    message = refusal(path)
    assert "has a passphrase" in message
    assert "ssh-agent" in message


@pytest.mark.parametrize("text", ["", "hello", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_not_a_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    assert "not a private key" in refusal(path)


def test_the_public_half(tmp_path: Path) -> None:
    path = make_key(tmp_path / "key").with_suffix(".pub")
    path.chmod(0o600)
    message = refusal(path)
    assert "not a private key" in message
    assert ".pub" in message


def test_a_key_that_others_can_read(tmp_path: Path) -> None:
    path = make_key(tmp_path / "key")
    path.chmod(0o640)
    assert os.stat(path).st_uid == os.getuid()
    assert f"chmod 600 {path}" in refusal(path)

"""`.env.ENVIRONMENT` and the process environment: where secrets come from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy.settings import dotenv

from .repository import GOOD, loaded, refused

TEXT = (
    GOOD
    + """\
secrets: [SESSION_KEY]
registry: {server: ghcr.io, username: acme, password: REGISTRY_TOKEN}
database: {kind: postgres, url: DATABASE_URL}
"""
)


def private(file: Path, text: str, mode: int = 0o600) -> Path:
    file.write_text(text)
    file.chmod(mode)
    return file


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    private(tmp_path / ".env.production", "SESSION_KEY=file\nREGISTRY_TOKEN=file\nOTHER=file\n")
    environment = loaded(tmp_path, TEXT, {"SESSION_KEY": "process", "DATABASE_URL": "process"})
    values = {
        n: environment.secret(n).reveal() for n in ("SESSION_KEY", "REGISTRY_TOKEN", "DATABASE_URL")
    }
    assert values == {"SESSION_KEY": "process", "REGISTRY_TOKEN": "file", "DATABASE_URL": "process"}


def test_only_what_the_hosts_file_names_is_kept(tmp_path: Path) -> None:
    private(tmp_path / ".env.production", "SESSION_KEY=s\nOTHER=file\n")
    environment = loaded(tmp_path, f"{GOOD}secrets: [SESSION_KEY]\n")
    with pytest.raises(
        Exception, match=r"^hosts/production.yaml  secrets: OTHER is not among them; add OTHER"
    ):
        environment.secret("OTHER")


def test_all_missing_secrets_are_told_at_once(tmp_path: Path) -> None:
    assert refused(tmp_path, TEXT, {"REGISTRY_TOKEN": ""}) == [
        "hosts/production.yaml:8  secrets[0]: the secret SESSION_KEY is not set; set SESSION_KEY "
        "in the environment or in .env.production",
        "hosts/production.yaml:9  registry.password: the secret REGISTRY_TOKEN is empty; set "
        "REGISTRY_TOKEN in the environment or in .env.production",
        "hosts/production.yaml:10  database.url: the secret DATABASE_URL is not set; set "
        "DATABASE_URL in the environment or in .env.production",
    ]


def test_a_secret_of_the_sandbox_is_made_by_it(tmp_path: Path) -> None:
    text = f"{GOOD}secrets: [SESSION_KEY]\ndotenv: ../.sandbox/env\n"
    assert refused(tmp_path, text)[0].endswith("SESSION_KEY is not set; inv sandbox.up")


def test_a_secret_named_in_two_places_is_told_once(tmp_path: Path) -> None:
    text = f"{GOOD}secrets: [DB]\ndatabase: {{kind: postgres, url: DB}}\n"
    assert len(refused(tmp_path, text)) == 1


@pytest.mark.parametrize(
    ("mode", "line"),
    [
        (0o644, ".env.production  can be read by others (0644); chmod 600 .env.production"),
        (0o640, ".env.production  can be read by others (0640); chmod 600 .env.production"),
        (
            0o602,
            ".env.production  can be written or run by others (0602); chmod 600 .env.production",
        ),
    ],
)
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int, line: str) -> None:
    private(tmp_path / ".env.production", "SESSION_KEY=s\n", mode)
    # Even though nothing is needed of it: what stands there is already known to others.
    assert refused(tmp_path, f"{GOOD}secrets: [SESSION_KEY]\n", {"SESSION_KEY": "s"}) == [line]


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env.production").symlink_to(private(tmp_path / "real", "SESSION_KEY=s\n"))
    assert refused(tmp_path, f"{GOOD}secrets: [SESSION_KEY]\n") == [
        ".env.production  is a symbolic link; put the file itself there"
    ]
    (tmp_path / "real").unlink()
    assert refused(tmp_path, f"{GOOD}secrets: [SESSION_KEY]\n")[0].startswith(
        ".env.production  is a symbolic link"
    )


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = private(tmp_path / "env", "A=b\n")
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    values, faults = dotenv.read(file, "env")
    assert values == {}
    assert [str(fault) for fault in faults] == [f"env  belongs to another user; chown {me + 1} env"]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert [str(f) for f in dotenv.read(tmp_path / "pipe", "pipe")[1]] == ["pipe  is not a file"]
    (tmp_path / "folder").mkdir(mode=0o700)
    assert str(dotenv.read(tmp_path / "folder", "folder")[1][0]).startswith("folder  can't be read")
    (tmp_path / "latin").write_bytes(b"A=\xe9\n")
    (tmp_path / "latin").chmod(0o600)
    assert (
        str(dotenv.read(tmp_path / "latin", "latin")[1][0])
        == "latin  can't be read: it is not UTF-8"
    )
    assert dotenv.read(tmp_path / "absent", "absent") == ({}, [])


def test_values_are_taken_as_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME_OF", "expanded")
    file = private(
        tmp_path / "env",
        "# a comment\n\nexport A='single ${HOME_OF}'\nB=\"two\\nlines\"\n"
        "C=${HOME_OF}$HOME_OF # no\n"
        "D=a#b\nE=\n",
    )
    assert dotenv.read(file, "env") == (
        {
            "A": "single ${HOME_OF}",
            "B": "two\nlines",
            "C": "${HOME_OF}$HOME_OF",
            "D": "a#b",
            "E": "",
        },
        [],
    )


def test_lines_that_are_none_are_named_and_not_shown(tmp_path: Path) -> None:
    file = private(tmp_path / "env", "A=b\n\n\nhunter2\nC=d\nE='open hunter2\n")
    values, faults = dotenv.read(file, "env")
    assert values == {"A": "b", "C": "d"}
    assert [str(fault) for fault in faults] == [
        "env:4  is not NAME=value",
        "env:6  is not NAME=value",
    ]

"""What is installed on a machine for the sandbox, and from where."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from deploy.errors import NeedsPerson
from deploy.sandbox import apt

KNOWN = "release v=13,o=Debian,a=stable,n=trixie,l=Debian,c=main,b=amd64"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], str]]:
    """What was done as root, with its standard input; `apt-cache` knows of nothing."""
    done: list[tuple[tuple[str, ...], str]] = []

    def as_root(*argv: str, stdin: str = "") -> str:
        done.append((argv, stdin))
        return ""

    monkeypatch.setattr(apt, "as_root", as_root)
    monkeypatch.setattr(apt, "machine_mirror", lambda: "http://m.example/debian")
    return done


def test_debian_13_is_a_source_below_everything_else(
    typed: list[tuple[tuple[str, ...], str]],
) -> None:
    """With 100, apt takes from it what is asked for by its name, and upgrades nothing to it."""
    apt.add_trixie()
    assert [argv for argv, _ in typed] == [
        ("apt-cache", "policy"),
        ("tee", str(apt.SOURCE)),
        ("tee", str(apt.PIN)),
    ]
    source, pin = (dict(line.split(": ") for line in text.splitlines()) for _, text in typed[1:])
    assert source == {
        "Types": "deb",
        "URIs": "http://m.example/debian",
        "Suites": "trixie",
        "Components": "main",
        "Signed-By": apt.KEYRING,
    }
    assert pin == {"Package": "*", "Pin": "release n=trixie", "Pin-Priority": "100"}


def test_a_source_that_is_there_gets_the_pin_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    typed: list[tuple[str, ...]] = []

    def as_root(*argv: str, stdin: str = "") -> str:
        del stdin
        typed.append(argv)
        return KNOWN

    monkeypatch.setattr(apt, "as_root", as_root)
    apt.add_trixie()
    assert typed == [("apt-cache", "policy"), ("tee", str(apt.PIN))]


@pytest.mark.parametrize(
    ("trixie", "names"),
    [
        (True, ("iptables", "docker.io/trixie", "docker-cli/trixie")),
        (False, ("iptables", "docker.io", "docker-cli")),
    ],
)
def test_only_what_is_dockers_comes_from_there(
    typed: list[tuple[tuple[str, ...], str]], trixie: bool, names: tuple[str, ...]
) -> None:
    said: list[str] = []
    apt.install(("iptables", "docker.io", "docker-cli"), trixie=trixie, say=said.append)
    assert " ".join(names) in said[0]
    assert typed[-1][0][-len(names) :] == names
    assert typed[-2][0][-1] == "update"
    assert typed[-3][0][-3:] == ("dpkg", "--configure", "-a")
    assert any(argv[0] == "tee" for argv, _ in typed) is trixie


SUDO = """#!/bin/sh
echo "$*" >>"$0.asked"
case $1 in
-v) touch "$0.given" ;;
*) [ -e "$0.given" ] ;;
esac
"""
"""One that wants a password once, and is given it."""


def test_another_apt_at_work_is_waited_for_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a machine that has just been started for the first time, where dpkg is locked."""
    typed: list[tuple[str, ...]] = []

    def as_root(*argv: str, stdin: str = "") -> str:
        del stdin
        typed.append(argv)
        if "dpkg" in argv:
            raise NeedsPerson("dpkg frontend lock was locked by another process")
        return ""

    monkeypatch.setattr(apt, "as_root", as_root)
    apt.install(("docker.io",), trixie=False, say=lambda _: None)
    assert "install" in typed[-1]
    assert "DPkg::Lock::Timeout=300" in typed[-1]


@pytest.fixture
def sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "sudo"
    program.write_text(SUDO)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return tmp_path / "sudo.asked"


@pytest.mark.parametrize(
    ("ask", "terminal", "may", "asked"),
    [
        (True, True, True, ["-n true", "-v", "-n true"]),
        (True, False, False, ["-n true", "-n true"]),
        (False, True, False, ["-n true", "-n true"]),
    ],
)
def test_a_sudo_that_wants_a_password_is_given_one_where_somebody_can_type_it(
    sudo: Path,
    monkeypatch: pytest.MonkeyPatch,
    ask: bool,
    terminal: bool,
    may: bool,
    asked: list[str],
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: terminal, raising=False)
    assert apt.may_be_root(ask=ask) is may
    assert apt.may_be_root() is may
    assert sudo.read_text().splitlines() == asked

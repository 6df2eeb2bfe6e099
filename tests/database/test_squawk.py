"""squawk as a program: what it says, and what becomes of one that is missing, old or broken."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from deploy.database.lint import squawk
from deploy.database.lint.lint import File, lint
from deploy.database.lint.rules import RULES
from deploy.errors import Refused


def program(folder: Path, says: str = "[]", code: int = 0, version: str = "2.70.0") -> str:
    """A program that is called as squawk is."""
    path = folder / "squawk"
    path.write_text(
        f"#!/bin/sh\n[ \"$1\" = --version ] && echo 'squawk {version}' && exit 0\n"
        f"cat <<'END'\n{says}\nEND\necho 'something is wrong' >&2\nexit {code}\n"
    )
    path.chmod(stat.S_IRWXU)
    return str(path)


def test_the_real_one() -> None:
    assert squawk.version(squawk.executable()) >= (2, 70)
    notices = squawk.read(["select 1;\n\ndrop table a;", "", "selec;\n"])
    assert [(one.text, one.line, one.rule) for one in notices] == [
        (0, 3, "drop-table"),
        (2, 1, "unreadable"),
    ]
    assert squawk.read([]) == []


def test_every_rule_of_ours_is_one() -> None:
    assert set((squawk.RULES | squawk.OPTIONAL).values()) <= set(RULES)


def test_no_configuration_reaches_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".squawk.toml").write_text('excluded_rules = ["ban-drop-table"]\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert [one.rule for one in squawk.read(["drop table a;"])] == ["drop-table"]


def test_it_is_found_beside_python_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside, path = tmp_path / "beside", tmp_path / "path"
    for folder in (beside, path):
        folder.mkdir()
        program(folder)
    monkeypatch.setenv("PATH", str(path))
    monkeypatch.setattr(squawk.sysconfig, "get_path", lambda _: str(beside))
    assert squawk.executable() == str(beside / "squawk")
    (beside / "squawk").unlink()
    assert squawk.executable() == str(path / "squawk")
    (path / "squawk").unlink()
    with pytest.raises(Refused) as caught:
        lint([File("a.sql", "select 1")])
    assert "not installed" in caught.value.message
    assert "pip install 'squawk-cli>=2.70'" in caught.value.mend


NOTICE = {"file": "0.sql", "line": 0, "rule_name": "ban-drop-table", "message": "x"}
BROKEN = {
    "no JSON": ("oops", 0, "said what cannot be read: something is wrong"),
    "cut short": ('[{"file": "0.sql"', 1, "said what cannot be read"),
    "nothing": ("", 0, "said what cannot be read"),
    "another form": ('{"errors": 5}', 0, "said what cannot be read"),
    "null": ("null", 0, "said what cannot be read"),
    "a file that is none": (json.dumps([NOTICE | {"file": "9.sql"}]), 1, "cannot be read"),
    "no line": (json.dumps([NOTICE | {"line": None}]), 1, "cannot be read"),
    "another exit code": ("[]", 2, "ended with 2: something is wrong"),
    "a crash": ("[]", 101, "ended with 101"),
}


@pytest.mark.parametrize(("says", "code", "why"), BROKEN.values(), ids=BROKEN)
def test_one_that_is_broken(tmp_path: Path, says: str, code: int, why: str) -> None:
    with pytest.raises(Refused) as caught:
        lint([File("a.sql", "select 1")], program=program(tmp_path, says, code))
    assert why in caught.value.message
    assert "Nothing has been judged" in caught.value.state
    assert caught.value.exit_code == 3


def test_one_that_is_killed(tmp_path: Path) -> None:
    path = program(tmp_path)
    text = Path(path).read_text().replace("exit 0\n", "exit 0\nkill -9 $$\n", 1)
    Path(path).write_text(text)
    with pytest.raises(Refused, match="ended with -9"):
        squawk.read(["select 1"], path)


@pytest.mark.parametrize("version", ["2.66.0", "1.99.9", "2.69.12"])
def test_one_that_is_too_old(tmp_path: Path, version: str) -> None:
    with pytest.raises(Refused, match=f"is squawk {version}, and the rules need 2.70") as caught:
        squawk.read(["select 1"], program(tmp_path, version=version))
    assert "pip install" in caught.value.mend


@pytest.mark.parametrize("version", ["2.70.0", "2.71.3", "10.0.0"])
def test_one_that_is_new_enough(tmp_path: Path, version: str) -> None:
    assert squawk.read(["select 1"], program(tmp_path, version=version)) == []


def test_one_that_does_not_say_its_version(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="did not say its version"):
        squawk.read(["select 1"], program(tmp_path, version="unknown"))


def test_one_that_cannot_be_run(tmp_path: Path) -> None:
    path = program(tmp_path)
    os.chmod(path, stat.S_IRUSR)
    with pytest.raises(Refused, match="could not be run"):
        squawk.read(["select 1"], path)


def test_a_rule_that_we_do_not_know_is_no_finding(tmp_path: Path) -> None:
    says = json.dumps([NOTICE | {"rule_name": "prefer-something"}, NOTICE])
    notices = squawk.read(["select 1"], program(tmp_path, says, 1))
    assert [one.rule for one in notices] == ["drop-table"]

"""A restore that one person orders and another one approves; the database is not touched here."""

from __future__ import annotations

import contextlib
import io
import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from deploy.database.backup.manifest import Manifest
from deploy.database.backup.ordered import ordered, read
from deploy.database.backup.restore import Prospect
from deploy.errors import UsageError
from deploy.lease.words import Seen
from deploy.tasks import restore

from .test_leased import BEGAN

NAME = "shop-20261122-190400"


def manifest(sha256: str = "ab" * 32) -> Manifest:
    body = {
        "v": 1,
        "name": NAME,
        "method": "dump",
        "at": "2026-11-22T19:04:00Z",
        "facts": {},
        "sha256": sha256,
    }
    return Manifest.read(body)


class Typed:
    """`inv restore` before a database whose backups are these."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.manifest = manifest()
        self.restored: list[str] = []
        self.approvers = ["ana", "bo"]
        self.records: tuple[dict[str, Any], ...] = ()
        outer = self

        class Restore:
            def __init__(self, _backups: object) -> None:
                pass

            def look(self, name: str) -> Prospect:
                assert name == NAME
                return Prospect(outer.manifest, "shop", "fresh", "old", ("every write",))

            def carry_out(self, prospect: Prospect, _say: object, _stop: object) -> Manifest:
                outer.restored.append(prospect.manifest.name)
                return prospect.manifest.with_(restored={"seconds": 1})

        monkeypatch.setattr("deploy.database.backup.restore.Restore", Restore)
        monkeypatch.setattr("deploy.database.backup.backups.backups_of", lambda *_: None)
        monkeypatch.setattr(restore, "situation", self.situation)
        monkeypatch.setattr(restore, "leased", self.leased)
        monkeypatch.setattr("sys.argv", ["inv"])
        monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
        monkeypatch.delenv("GITHUB_TRIGGERING_ACTOR", raising=False)

    @contextmanager
    def situation(self, _root: Path, name: str) -> Iterator[Any]:
        about = SimpleNamespace(app="shop", name=name, approvers=self.approvers)
        yield SimpleNamespace(environment=about, hosts={}, fence=None)

    @contextmanager
    def leased(self, *_: object) -> Iterator[Any]:
        yield SimpleNamespace(seen=Seen(None, None, self.records), at_work=nullcontext, on_ask=None)

    def __call__(self, **typed: Any) -> int:
        """The exit code."""
        try:
            restore.make(Path(), "production").body(Context(), **typed)
        except Exit as ended:
            return ended.code
        return 0


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    monkeypatch.setenv("GITHUB_ACTOR", "ana")
    return Typed(monkeypatch)


@pytest.fixture
def file(typed: Typed, tmp_path: Path) -> str:
    """An order of Ana's."""
    name = str(tmp_path / "an order.json")
    assert typed(backup=NAME, out=name) == 0
    assert typed.restored == []
    return name


def test_where_people_approve_it_takes_somebody_else(
    typed: Typed,
    file: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert typed(backup=NAME, out=file) == 0
    said = capsys.readouterr().out
    assert "every write" in said
    assert f"Nothing has been changed. inv restore.production --plan-file '{file}'" in said
    assert typed(backup=NAME, yes=True) == 3
    said = capsys.readouterr().out
    assert f"inv restore.production {NAME} --out FILE, and they: inv restore.production" in said
    assert typed(plan_file=file, yes=True) == 3
    assert "ana@github has ordered it, and can't approve it" in capsys.readouterr().out
    monkeypatch.setenv("GITHUB_ACTOR", "cy")
    assert typed(plan_file=file, yes=True) == 3
    assert "cy@github may not approve a restore to production" in capsys.readouterr().out
    assert typed.restored == []
    monkeypatch.setenv("GITHUB_ACTOR", "bo")
    assert typed(plan_file=file, yes=True) == 0
    assert "ordered by ana@github, approved by bo@github" in capsys.readouterr().out
    assert typed.restored == [NAME]


def test_where_nobody_is_named_nobody_is_asked(typed: Typed) -> None:
    typed.approvers = []
    assert typed(backup=NAME, yes=True) == 0
    assert typed.restored == [NAME]


def test_what_a_run_that_died_has_left_comes_first(
    typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    typed.approvers = []
    typed.records = (BEGAN,)
    assert typed(backup=NAME, yes=True) == 3
    said = capsys.readouterr().out
    assert "d-1 died, and what it has left comes first" in said
    assert f"inv recover.production; then inv restore.production {NAME}" in said
    assert typed.restored == []


@pytest.mark.parametrize(
    ("typed_in", "code"),
    [("y\n", 0), (" YES \n", 0), ("n\n", 130), ("\n", 130), ("yess\n", 130), ("", 130)],
)
def test_whoever_is_here_is_asked_first(
    typed: Typed,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed_in: str,
    code: int,
) -> None:
    typed.approvers = []
    monkeypatch.setattr(restore, "somebody_is_here", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(typed_in))
    with pytest.raises(Exit) if code else contextlib.nullcontext() as caught:
        restore.make(Path(), "production").body(Context(), backup=NAME)
    said = capsys.readouterr().out
    # What is lost is said before the question.
    assert "every write" in said.partition("These writes will be lost. Go ahead? [y/N]")[0]
    assert typed.restored == ([] if code else [NAME])
    if caught:
        assert (caught.value.code, str(caught.value)) == (130, "Nothing has been changed.")


def test_where_nobody_can_answer_it_takes_a_yes(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed.approvers = []
    monkeypatch.setattr(restore, "somebody_is_here", lambda: False)
    assert typed(backup=NAME) == 2
    assert "Go ahead?" not in capsys.readouterr().out
    assert typed.restored == []


def test_another_backup_under_the_name(
    typed: Typed, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "bo")
    typed.manifest = manifest("cd" * 32)
    with pytest.raises(Exit) as caught:
        restore.make(Path(), "production").body(Context(), plan_file=file, yes=True)
    assert caught.value.code == 3
    assert f"sha256  {'ab' * 32} was ordered, and it is {'cd' * 32}" in str(caught.value)
    assert typed.restored == []


def test_an_order_for_another_environment(typed: Typed, file: str) -> None:
    body = json.loads(Path(file).read_text()) | {"environment": "staging", "by": "bo@github"}
    Path(file).write_text(json.dumps(body))
    assert typed(plan_file=file, yes=True) == 3
    assert typed.restored == []


def test_what_makes_no_sense(typed: Typed, file: str, tmp_path: Path) -> None:
    assert typed(plan_file=file, backup=NAME) == 2
    assert typed(plan_file=str(tmp_path / "none")) == 2
    assert typed(backup=NAME, out=str(tmp_path / "no" / "folder")) == 2


@pytest.mark.parametrize("name", ["an order", "$(id)", "it's", "a;b", "-v", "*", "é"])
def test_the_file_is_one_word_of_what_to_type_next(
    typed: Typed, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    whole = str(tmp_path / name)
    assert typed(backup=NAME, out=whole) == 0
    _, _, line = capsys.readouterr().out.strip().rpartition("changed. ")
    assert shlex.split(line) == ["inv", "restore.production", "--plan-file", whole]


def test_a_name_is_one_word_of_what_to_type_first(
    typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed(backup="x; id", yes=True) == 3
    assert "inv restore.production 'x; id' --out FILE" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"headway_restore": 2}', '{"headway_restore": 1}']
)
def test_a_file_that_is_no_order(text: str) -> None:
    with pytest.raises(UsageError, match="no order of a restore"):
        read(text)


def test_an_order_is_read_as_it_was_written() -> None:
    order = ordered("ana@github", "shop", "production", manifest(), "shop")
    assert read(order.to_json()) == order
    wrong = order.to_json().replace('"ana@github"', "7")
    with pytest.raises(UsageError):
        read(wrong)
